"""Loads the model that the settings name on the device that they name; chooses the seed."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import DeviceError
from ..fields.options import is_name
from ..system.paths import expanded
from . import own_models
from .chord_model import ChordModel
from .options import DEFAULT, SHIPPED, ModelSettings
from .own_models import OwnModel
from .session import Model

MODELS = Path(__file__).parents[1] / "models"
SHIPPED_MODEL = MODELS / "segue-int8.onnx"
SHIPPED_FOR_GPU = MODELS / "segue-fp32.onnx"
"""The same weights unrounded. No GPU computes int8 LSTMs here, and fp16 would save it nothing: of
3 million weights it is the launches that take the time, not the bytes."""

MOMENT = 0.02  # seconds for which `auto` measures each device


def model_path(settings: ModelSettings, device: str = "cpu") -> Path:
    """Where the model file for a device is. Raises DataError for a name that no model has."""
    own = _own(settings)
    if own is not None:
        return own.file(device)
    if not is_name(settings.model.path):
        return expanded(settings.model.path, "model.path")
    return SHIPPED_MODEL if device == "cpu" else SHIPPED_FOR_GPU


def model_name(settings: ModelSettings) -> str:
    """The model's name as in `segued models`, or its path as in the settings."""
    own = _own(settings)
    if own is not None:
        return own.name
    return settings.model.path if settings.model.path != DEFAULT else SHIPPED


def _own(settings: ModelSettings) -> OwnModel | None:
    """The user's own model that the settings name, if they do. Raises DataError."""
    name = settings.model.path
    if name == DEFAULT:
        return own_models.current()
    return own_models.find(name) if is_name(name) and name != SHIPPED else None


def at_hand() -> list[Path]:
    """All model files that have a name: the shipped ones and the user's own."""
    own = [model.file(device) for model in own_models.own_models() for device in ("cpu", "cuda")]
    return [SHIPPED_MODEL, SHIPPED_FOR_GPU, *own]


def load_model(
    settings: ModelSettings, say: Callable[[str], None] = lambda line: None
) -> Model | ChordModel:
    """Load the model that the settings name, on the device that they name.

    `auto` takes the faster of CPU and CUDA, measured briefly, or the CPU if CUDA cannot be used.
    `say(line)` is called with the device and the reason. Raises DataError when the file cannot be
    used, DeviceError when the device that was set cannot.
    """
    device = settings.inference.device
    loaded, why = (
        _faster(settings) if device == "auto" else (_load(settings, device), "as asked for")
    )
    say(f"the model runs on {loaded.device}: {why}")
    model = playable(loaded)
    candidates = settings.candidates
    if candidates > 1:  # the first call with a new batch size allocates memory
        model.step_many([0] * candidates, [model.initial_state()] * candidates)
    return model


def playable(model: Model) -> Model | ChordModel:
    """The model for the improviser, adapted if it has the note vocabulary."""
    if model.notes is None:
        return model
    return ChordModel(model, model.notes, model.info["window"], model.info["carried"])


def _load(settings: ModelSettings, device: str) -> Model:
    return Model.load(model_path(settings, device), device)


def _faster(settings: ModelSettings) -> tuple[Model, str]:
    on_cpu = _load(settings, "cpu")
    if "cuda" not in Model.devices():
        return on_cpu, "this onnxruntime has no cuda (onnxruntime-gpu has)"
    try:
        on_cuda = _load(settings, "cuda")
    except DeviceError as error:
        return on_cpu, str(error)
    cpu, cuda = step_time(on_cpu), step_time(on_cuda)
    times = f"{1000 * cpu:.2f} ms a step, cuda {1000 * cuda:.2f} ms"
    if cuda < cpu:
        return on_cuda, f"{1000 * cuda:.2f} ms a step, cpu {1000 * cpu:.2f} ms"
    return on_cpu, times


def step_time(model: Model, seconds: float = MOMENT) -> float:
    """The median time of a step at batch 1, in seconds, over some `seconds` (and ten steps)."""
    state, times = model.initial_state(), list[float]()
    began = time.perf_counter()
    while len(times) < 10 or time.perf_counter() - began < seconds:
        before = time.perf_counter()
        _, state = model.step((0,), state)
        times.append(time.perf_counter() - before)
    return float(np.median(times))


def choose_seed(seed: int | str) -> int:
    """The seed that `sampling.seed` names, or a new one."""
    return seed if isinstance(seed, int) else secrets.randbits(63)
