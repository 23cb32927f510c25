"""The average of models of which one was trained from the other, or both from a third.

Their weights lie in one valley, and between them it is often lower than where any of them stands
(Wortsman et al., "Model soups", 2022): a short branch and an older release make a better model.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from segued.errors import DataError

from ..checkpoint import ASKED, save_best
from ..report import write_json
from .reader import read_model


def average(models: Sequence[tuple[Path, float]], out: Path) -> None:
    """Write the folder of a run, for `segue-export onnx`, with the weighted mean of model files.

    DataError when they are not of one size.
    """
    origins = [read_model(path) for path, _ in models]
    for origin in origins[1:]:
        if origin.network != origins[0].network:
            raise DataError(f"{origin.path}: its network is another than that of {models[0][0]}")
    total = sum(weight for _, weight in models)
    shares = [weight / total for _, weight in models]
    parts = [(share, origin.weights) for share, origin in zip(shares, origins, strict=True)]
    weights = {
        name: sum((share * part[name] for share, part in parts), torch.zeros(()))
        for name in origins[0].weights
    }
    origins_about = [o.about | {"share": share} for o, share in zip(origins, shares, strict=True)]
    data = (o.info.get("training", {}).get("data", []) for o in origins)
    about = {
        "data": list(dict.fromkeys(name for names in data for name in names)),
        "average": origins_about,
    }
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / ASKED, {"network": origins[0].network.to_dict(), "about": about})
    save_best(out, weights, {})
