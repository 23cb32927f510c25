"""The user's own models, made by `segued learn`, in folders that only the user may read.

Each is a folder in `models` below XDG's data folder: the model file for CPUs, the one for GPUs if
there is one, and a card with its origin and its evaluation. The file `current` names the model that
plays if `model.path` is `default`; without it that is the shipped one.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..fields.options import is_name
from ..system.paths import xdg
from .options import DEFAULT, SHIPPED

FOR_CPU, FOR_GPU, CARD = "segue-int8.onnx", "segue-fp32.onnx", "card.json"
CURRENT = "current"


@dataclass(frozen=True)
class OwnModel:
    """One of the user's models, with its card."""

    name: str
    folder: Path
    card: dict[str, Any]

    def file(self, device: str = "cpu") -> Path:
        """The model file for a device."""
        for_gpu = self.folder / FOR_GPU
        return for_gpu if device != "cpu" and for_gpu.exists() else self.folder / FOR_CPU


def data_folder() -> Path | None:
    """The folder of the user's data; None without a home folder."""
    folder = xdg("XDG_DATA_HOME", ".local/share")
    return folder / "segue" if folder is not None else None


def models_folder() -> Path | None:
    """The folder of the user's models, which need not exist."""
    folder = data_folder()
    return folder / "models" if folder is not None else None


def own_models() -> list[OwnModel]:
    """All complete models, ordered by name, which is also by date."""
    folder = models_folder()
    if folder is None or not folder.is_dir():
        return []
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return [model for path in paths if (model := _read(path)) is not None]


def _read(folder: Path) -> OwnModel | None:
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # the card is written last: there is no whole model here
    whole = isinstance(card, dict) and (folder / FOR_CPU).is_file()
    return OwnModel(folder.name, folder, card) if whole else None


def find(name: str) -> OwnModel:
    """The model with this name. Raises DataError, which lists the models."""
    models = own_models()
    for model in models:
        if model.name == name:
            return model
    there = ", ".join([SHIPPED, *(model.name for model in models)])
    raise DataError(f"no model {name!r} of yours; there are: {there}")


def current() -> OwnModel | None:
    """The model that plays by default; None: the shipped one."""
    folder = models_folder()
    if folder is None:
        return None
    try:
        name = (folder / CURRENT).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return _read(folder / name) if name and Path(name).name == name else None


def use(name: str) -> None:
    """Make this model play by default. Raises DataError when there is no such model."""
    if name == SHIPPED:
        folder = models_folder()
        if folder is not None:
            (folder / CURRENT).unlink(missing_ok=True)
        return
    model = find(name)
    write_private(model.folder.parent / CURRENT, f"{name}\n".encode())


def rename(name: str, new: str) -> None:
    """Give a model another name. Raises DataError when it cannot have that one."""
    model, playing = find(name), current()
    model.folder.rename(_new_folder(model.folder.parent, new))
    if playing is not None and playing.name == name:
        use(new)


def add(name: str, files: Mapping[str, Path], card: Mapping[str, Any]) -> None:
    """Copy model files, each under the name (FOR_CPU, FOR_GPU) that it gets, as a model.

    Raises DataError when it cannot have that name or they cannot be copied.
    """
    models = models_folder()
    if models is None:
        raise DataError("no home folder to keep models in: set XDG_DATA_HOME")
    folder = _new_folder(models, name)
    try:
        folder.mkdir(mode=0o700, parents=True)
        for target, file in files.items():
            write_private(folder / target, file.read_bytes())
        write_private(folder / CARD, json.dumps(card, indent=1).encode())
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise DataError(f"{error.filename or folder}: {error.strerror}") from None


def _new_folder(models: Path, name: str) -> Path:
    """The folder for a model of this name. Raises DataError when it cannot have that name."""
    folder = models / name
    if not is_name(name) or name in (DEFAULT, SHIPPED, CURRENT) or folder.exists():
        raise DataError(
            f"{name!r} cannot be the name: it takes up to 32 letters, digits, - and _, not yet used"
        )
    return folder


def delete(name: str) -> None:
    """Delete a model. If it played by default, the shipped one does so now. Raises DataError."""
    model, playing = find(name), current()
    if playing is not None and playing.name == name:
        use(SHIPPED)
    (model.folder / CARD).unlink()  # first: without it there is no model
    shutil.rmtree(model.folder)


def write_private(path: Path, data: bytes) -> None:
    """Write a file atomically and durably, readable only by its owner. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
