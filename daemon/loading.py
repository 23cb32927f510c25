"""What the settings name: the model, the seed."""

import secrets
from pathlib import Path

from .config import Config
from .model import Model
from .note_model import NoteModel

SHIPPED_MODEL = Path(__file__).parent / "models" / "segue-int8.onnx"


def model_path(config: Config) -> Path:
    """Where the model file is."""
    return SHIPPED_MODEL if config.model.path == "default" else Path(config.model.path)


def load_model(config: Config) -> Model | NoteModel:
    """The model that the settings name; DataError when it cannot be used."""
    return playable(Model.load(model_path(config)))


def playable(model: Model) -> Model | NoteModel:
    """A model as the musician needs it, whichever vocabulary it speaks."""
    if model.notes is None:
        return model
    return NoteModel(model, model.notes, int(model.info["window"]))


def choose_seed(config: Config) -> int:
    """The seed that the settings name, or a new one."""
    seed = config.sampling.seed
    return seed if isinstance(seed, int) else secrets.randbits(63)
