"""Stores the user's own model: exports it, keeps it if it is better, reloads the daemon."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from segued.errors import ConfigError, DataError, PortError
from segued.model import own_models
from segued.model.options import DEFAULT, SHIPPED
from segued.model.own_models import CARD, FOR_CPU, FOR_GPU, OwnModel
from segued.service.status import use_model
from segued.settings.config import Config
from torch import Tensor

from ..checkpoint import ASKED, read_asked, save_best
from ..onnx_export.exporter import export
from ..onnx_export.reader import PretrainedModel
from ..report import write_json
from .judging import Judgement
from .training import Blend

KEPT = 3  # models that the user has not named
UNNAMED = re.compile(r"\d{8}-\d{6}")
PARITY = 1000  # tokens over which a model file is compared with torch
LICENCE = "private: learned from its owner's playing"


@contextmanager
def made(
    out: Path, name: str, weights: Mapping[str, Tensor], origin: PretrainedModel,
    story: Mapping[str, str], blend: Blend,
) -> Iterator[OwnModel]:  # fmt: skip
    """Export weights to a hidden model folder, without a card, which is deleted unless kept.

    Raises DataError when the model file and torch compute different results.
    """
    models = own_models.models_folder()
    if models is None:
        raise DataError("no home folder to keep models in: set XDG_DATA_HOME")
    for other in models.glob(".*.new"):  # of a run that was killed
        shutil.rmtree(other)
    part, run = models / f".{name}.new", out / "blended"
    run.mkdir(exist_ok=True)
    about = read_asked(out)["about"] | {"share": blend.share}
    write_json(run / ASKED, {"network": origin.network.to_dict(), "train": {}, "about": about})
    save_best(run, weights, story)
    part.mkdir(mode=0o700)
    try:
        for file, precision in ((FOR_CPU, "int8"), (FOR_GPU, "fp32")):
            export(run, part / file, precision, LICENCE, steps=PARITY)
        yield OwnModel(name, part, {"blend": blend.share} | about)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def keep(model: OwnModel, judgement: Judgement, config: Config) -> str:
    """Store a model, make it the default, and reload the daemon. Returns a line for the user.

    The oldest models beyond `KEPT` are deleted. If the running daemon refuses the model, the
    previous one is the default again.
    """
    before = own_models.current()
    card = model.card | {"name": model.name, "judged": judgement.figures()}
    own_models.write_private(model.folder / CARD, json.dumps(card, indent=1).encode())
    stored = replace(model, folder=model.folder.with_name(model.name))
    model.folder.rename(stored.folder)
    own_models.use(model.name)
    _tidy(model.name)
    if config.model.path != DEFAULT:
        return (
            f"kept as {model.name}; model.path is {config.model.path}: set it to default to play it"
        )
    try:
        use_model(config, DEFAULT)
    except PortError:
        return f"kept as {model.name}; it plays when segued is started"
    except ConfigError as error:
        own_models.use(before.name if before else SHIPPED)
        return f"kept as {model.name}, but {error}"
    return f"kept as {model.name}; it plays now (segued models use NAME goes back)"


def _tidy(newest: str) -> None:
    """Delete the oldest models, but never the newest, the default, or those with a name."""
    spared = {newest, (current := own_models.current()) and current.name}
    names = (model.name for model in own_models.own_models())
    models = [name for name in names if UNNAMED.fullmatch(name)]
    for name in models[:-KEPT]:
        if name not in spared:
            own_models.delete(name)
