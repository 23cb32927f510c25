"""The sections `model` and `inference` of the settings, and the names of models."""

from dataclasses import dataclass
from typing import Protocol

from ..fields.options import choice, option, text

DEFAULT = "default"
SHIPPED = "shipped"
"""The name of the model that comes with Segue."""


@dataclass(frozen=True)
class ModelOptions:
    """The model."""

    path: str = option(
        "default",
        text,
        "a model by its name in segued models, or an ONNX file made by segue-export; default: your "
        "own that segued models has chosen, or the shipped one",
    )


@dataclass(frozen=True)
class InferenceOptions:
    """The device that runs the model."""

    device: str = option(
        "auto",
        choice("auto", "cpu", "cuda"),
        "auto: the faster of CPU and CUDA, measured at the start; cuda needs onnxruntime-gpu",
    )


class ModelSettings(Protocol):
    """The settings that loading a model needs."""

    @property
    def model(self) -> ModelOptions:
        """The model file."""

    @property
    def inference(self) -> InferenceOptions:
        """The device."""

    @property
    def candidates(self) -> int:
        """The largest batch of model steps."""
