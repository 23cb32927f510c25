"""The sections `model` and `inference` of the settings."""

from dataclasses import dataclass
from typing import Protocol

from ..fields.options import choice, option, text


@dataclass(frozen=True)
class ModelOptions:
    """Which network plays."""

    path: str = option(
        "default",
        text,
        "an ONNX file made by segue-export; default: your own that segued models has chosen, or "
        "the shipped one",
    )


@dataclass(frozen=True)
class InferenceOptions:
    """What the network is computed on."""

    device: str = option(
        "auto",
        choice("auto", "cpu", "cuda"),
        "auto times CPU and CUDA at the start and takes the faster; cuda needs onnxruntime-gpu",
    )


class ModelSettings(Protocol):
    """What a model is loaded by."""

    @property
    def model(self) -> ModelOptions:
        """Which file."""

    @property
    def inference(self) -> InferenceOptions:
        """On which device."""

    @property
    def candidates(self) -> int:
        """How many steps are computed at once, at most."""
