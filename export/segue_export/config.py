"""How to train and how large: every option that a run is kept to, declared once.

The defaults are those that Segue's own model was made with, for music enough for a model of its
own; `further` is what suits little music and a model that exists.
"""

import math
from argparse import BooleanOptionalAction
from dataclasses import asdict, dataclass
from typing import Any

from segued.tokens.vocabulary import PERFORMANCE

from .latches import COUNT
from .options import (
    CPUS,
    DEVICES,
    OPTIMIZERS,
    at_least_0,
    fraction,
    natural,
    option,
    positive,
    sizes,
)

MIXED = ("bf16", "fp16")
"""Precisions in which only some of the computing is done; the weights stay fp32."""

RATES = {"muon": 6e-3, "adamw": 2e-3, "rmsprop": 1e-3}
"""Learning rates of new models."""

OF_THE_MODEL, OF_THE_CORPUS = "the model's", "by the size of the corpus"


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes, and dropout as a probability. `vocabulary` is the number of token ids, `latches` how
    many there are: `latches.COUNT`, or 0 for none."""

    vocabulary: int = len(PERFORMANCE)
    embedding: int = option(128, "size of a token's embedding", positive, "N", OF_THE_MODEL)
    layers: tuple[int, ...] = option(
        (256, 512, 256), "LSTM layers", sizes, "N,N,...", OF_THE_MODEL, shown="256,512,256",
    )  # fmt: skip
    dense: int = option(256, "size of the dense layer", positive, "N", OF_THE_MODEL)
    dropout: float = option(0.0, "after each layer", fraction, "X", further=0.1)
    latches: int = option(
        COUNT, "tell it at each token which notes sound, and what cannot come next",
        further=OF_THE_MODEL, shown="True", action=BooleanOptionalAction)  # fmt: skip

    @property
    def state_size(self) -> int:
        """Floats in the state of one batch row."""
        return 2 * sum(self.layers) + self.latches

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and checkpoints."""
        return asdict(self) | {"layers": list(self.layers)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "NetworkConfig":
        """The inverse of `to_dict`; without `latches` it is from before there were any."""
        return cls(**({"latches": 0} | values | {"layers": tuple(values["layers"])}))


@dataclass(frozen=True)
class TrainConfig:
    """How to train. `updates` and `minutes` are the whole length, whichever is over first, 0:
    without end; the last `decay` of it lowers the rate to 0."""

    updates: int = option(
        20_000, "length of the whole run; 0: a trunk, until it is stopped", natural, "N",
        OF_THE_CORPUS,
    )  # fmt: skip
    minutes: float = option(
        0.0, "time in which the rate falls to 0, however many updates that allows; 0: no limit",
        at_least_0, "N",
    )  # fmt: skip
    batch: int = option(24, "streams, shared by all processes", positive, "N", 16)
    time: int = option(512, "tokens of a stream in an update", positive, "N", 128)
    optimizer: str = option(
        "muon", "muon learns most from a token", further="adamw", choices=OPTIMIZERS,
    )  # fmt: skip
    learning_rate: float = option(
        RATES["muon"], "the highest", at_least_0, "X", 3e-4,
        shown="for " + ", ".join(f"{name} {rate:g}" for name, rate in RATES.items()),
    )  # fmt: skip
    warmup: int = option(20, "updates in which the rate rises to it", natural, "N", 20)
    decay: float = option(
        0.2,
        "last share of the run, in which it falls to 0; 0: it stays, and the run is a trunk, "
        "which can go on for as long as there is music; --branch makes a model of it at any time",
        fraction, "X", 0.5,
    )  # fmt: skip
    weight_decay: float = option(0.01, "of the optimiser", at_least_0, "X")
    clip: float = option(1.0, "largest norm of a gradient", at_least_0, "X")
    ema: float = option(
        0.0, "validate and keep a moving average of the weights that holds so much of itself in "
        "each update, as 0.999; 0: the weights as they are", fraction, "X",
    )  # fmt: skip
    validate_every: int = option(250, "updates", positive, "N", OF_THE_CORPUS)
    valid_tokens: int = option(100_000, "that a validation hears at most", positive, "N", 60_000)
    checkpoint_every: int = option(250, "updates that a kill may cost", positive, "N")
    patience: int = option(
        0, "stop after so many validations without a better one; 0: never", natural, "N", 4,
    )  # fmt: skip
    valid_piece: int = 3000  # tokens of each validation piece, at most
    seed: int = option(1, "of weights, order and augmentation", natural, "N")
    precision: str = option(
        "auto", "auto: half where the processor multiplies it, otherwise fp32",
        choices=("auto", "fp32", *MIXED),
    )  # fmt: skip

    def share(self, update: int, seconds: float) -> float:
        """How much of the run is over after so many updates and seconds, 0 to 1."""
        shares = (update / self.updates if self.updates else 0.0,
                  seconds / (60 * self.minutes) if self.minutes else 0.0)  # fmt: skip
        return min(1.0, max(shares))

    def rate(self, update: int, seconds: float = 0.0) -> float:
        """Learning rate of an update: linear warm-up, constant, linear decay to zero."""
        rising = (update + 1) / max(1, self.warmup)
        falling = (1 - self.share(update, seconds)) / self.decay if self.decay else math.inf
        return self.learning_rate * max(0.0, min(1.0, rising, falling))


@dataclass(frozen=True)
class MachineConfig:
    """What a run may be gone on with otherwise: where and with how much of the machine."""

    device: str = option("auto", "auto: a GPU if there is one", choices=DEVICES)
    threads: int = option(1, "threads of torch", positive, "N", further=min(4, CPUS))
