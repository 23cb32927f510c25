"""Model files back to networks: the inverse of `graph.build`, and the average of several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from segued.errors import DataError
from segued.model.session import Model
from segued.tokens.vocabulary import PERFORMANCE

from ..checkpoint import ASKED, save_best
from ..config import NetworkConfig
from ..network import Network
from ..report import write_json

TRAINABLE = ("fp32", "fp16")
PROBE, NEAR = 64, {"fp32": 2e-3, "fp16": 0.5}  # tokens; the largest difference of a logit


@dataclass(frozen=True)
class PretrainedModel:
    """A model that training begins from: its sizes, its weights under torch's names, its story."""

    path: Path
    network: NetworkConfig
    weights: dict[str, torch.Tensor]
    info: dict[str, Any]

    @property
    def about(self) -> dict[str, Any]:
        """What a run's story says of where it began."""
        kept = ("precision", "licence", "training")
        return {"model": self.path.name} | {k: self.info[k] for k in kept if k in self.info}


def read_model(path: Path) -> PretrainedModel:
    """The weights of a model file.

    DataError when it is no Segue model of the performance vocabulary, when it is int8 (what was
    rounded cannot be trained), or when the weights, put back, do not play what the file plays.
    """
    model = Model.load(path)
    precision = model.info.get("precision", "")
    if precision not in TRAINABLE:
        raise DataError(f"{path}: an {precision} file is for playing only: {_instead(path)}")
    if model.info.get("fingerprint") != PERFORMANCE.fingerprint:
        raise DataError(
            f"{path}: its vocabulary is {model.info.get('vocabulary')}: only models of "
            f"{PERFORMANCE.name} can be trained further"
        )
    stored = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in onnx.load(path).graph.initializer
    }  # fmt: skip
    try:
        network = NetworkConfig.from_dict(model.info["network"])
        weights = {
            name: torch.from_numpy(array.astype(np.float32))
            for name, array in torch_weights(stored, network.layers).items()
        }
        restored = Network(network)
        restored.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        why = (str(error).splitlines() or [""])[-1].strip()
        raise DataError(f"{path}: its weights do not fit its metadata: {why}") from None
    worst = _difference(model, restored.eval())
    if not worst <= NEAR[precision]:
        raise DataError(
            f"{path}: its weights, put back, play something else (a logit is off by {worst:.2g}): "
            "it was made by another version; give the run's folder to --init instead"
        )
    return PretrainedModel(path, network, weights, model.info)


def torch_weights(
    stored: Mapping[str, np.ndarray], layers: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """The weights of a float graph under torch's names. KeyError when one is missing."""
    weights = {"embedding.weight": stored["embedding"]}
    for i in range(len(layers)):
        weights[f"lstms.{i}.weight_ih_l0"] = torch_gates(stored[f"lstms.{i}.W"][0])
        weights[f"lstms.{i}.weight_hh_l0"] = torch_gates(stored[f"lstms.{i}.R"][0])
        halves = np.split(stored[f"lstms.{i}.B"][0], 2)
        for half, part in zip(halves, ("bias_ih", "bias_hh"), strict=True):
            weights[f"lstms.{i}.{part}_l0"] = torch_gates(half)
    for name in ("dense", "output", *(["beat.places"] if "beat.places.weight" in stored else [])):
        weights[f"{name}.weight"] = np.ascontiguousarray(stored[f"{name}.weight"].T)
        weights[f"{name}.bias"] = stored[f"{name}.bias"]
    return weights


def torch_gates(array: np.ndarray) -> np.ndarray:
    """ONNX's gates (input, output, forget, cell) along axis 0 in torch's order (i, f, c, o)."""
    i, o, f, c = np.split(array, 4)
    return np.concatenate([i, f, c, o])


def _difference(model: Model, network: Network) -> float:
    """The largest difference of a logit over a few tokens, the state carried."""
    tokens = np.random.default_rng(1).integers(0, len(PERFORMANCE), (1, PROBE))
    logits, _ = model.run(tokens, model.initial_state()[None])
    with torch.no_grad():
        ours, _ = network(torch.from_numpy(tokens), network.initial_state(1))
    return float(np.abs(ours.numpy() - logits).max())


def _instead(path: Path) -> str:
    likely = path.with_name(path.name.replace("int8", "fp32"))
    if likely != path and likely.exists():
        return f"give {likely}, which holds the same weights unrounded"
    return "give the fp32 file of the same weights (segue-export onnx RUN OUT --precision fp32)"


def average(models: Sequence[tuple[Path, float]], out: Path) -> None:
    """Write the folder of a run, for `segue-export onnx`, with the weighted mean of model files.

    If one was trained from the other, or both from a third, their weights lie in one valley, and
    between them it is often lower than where any of them stands (Wortsman et al., "Model soups",
    2022): a short branch and an older release make a better model.

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
