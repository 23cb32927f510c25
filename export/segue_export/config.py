"""The options of network and training, each declared once.

The defaults are the recipe of Segue's shipped model, for enough music to train a new one; `further`
is for training an existing model further with little music.
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
"""Mixed precisions: the weights stay fp32."""

RATES = {"muon": 6e-3, "adamw": 2e-3, "rmsprop": 1e-3}
"""Learning rates of new models."""

PARTS_OF_THE_NETWORK = ("beat",)
"""Layers that can be trained while all others stay as they are."""

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
        COUNT, "inputs at each token that say which notes sound and what cannot come next",
        further=OF_THE_MODEL, shown="True", action=BooleanOptionalAction)  # fmt: skip
    beat: bool = option(
        False, "an input for the beat, and a layer that likes time shifts by where they lead",
        further=OF_THE_MODEL, shown="False", action=BooleanOptionalAction)  # fmt: skip

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
        20_000, "length of the run; 0: a trunk, which runs until it is stopped", natural, "N",
        OF_THE_CORPUS,
    )  # fmt: skip
    minutes: float = option(
        0.0, "time limit at which the rate reaches 0, whatever the number of updates; 0: none",
        at_least_0, "N",
    )  # fmt: skip
    batch: int = option(24, "streams, shared by all processes", positive, "N", 16)
    time: int = option(512, "tokens per stream in an update", positive, "N", 128)
    optimizer: str = option(
        "muon", "muon needs the fewest tokens", further="adamw", choices=OPTIMIZERS,
    )  # fmt: skip
    learning_rate: float = option(
        RATES["muon"], "the highest learning rate", at_least_0, "X", 3e-4,
        shown="for " + ", ".join(f"{name} {rate:g}" for name, rate in RATES.items()),
    )  # fmt: skip
    warmup: int = option(20, "updates in which the learning rate rises to it", natural, "N", 20)
    decay: float = option(
        0.2,
        "the last share of the run, in which the learning rate falls to 0; 0: it stays constant, "
        "and the run is a trunk, of which --branch can make a model at any time",
        fraction, "X", 0.5,
    )  # fmt: skip
    weight_decay: float = option(0.01, "weight decay of the optimizer", at_least_0, "X")
    clip: float = option(1.0, "largest norm of a gradient", at_least_0, "X")
    ema: float = option(
        0.0, "validate and save a moving average of the weights with this decay per update, such "
        "as 0.999; 0: the weights themselves", fraction, "X",
    )  # fmt: skip
    validate_every: int = option(250, "updates between validations", positive, "N", OF_THE_CORPUS)
    valid_tokens: int = option(100_000, "the most tokens of a validation", positive, "N", 60_000)
    checkpoint_every: int = option(250, "updates between checkpoints", positive, "N")
    patience: int = option(
        0, "stop after this many validations without an improvement; 0: never", natural, "N", 4,
    )  # fmt: skip
    only: str | None = option(
        None, "train nothing else: the layer that hears the beat, on weights that stay as they are "
        "(--beat is implied)", choices=PARTS_OF_THE_NETWORK,
    )  # fmt: skip
    valid_piece: int = 3000  # tokens of each validation piece, at most
    seed: int = option(1, "random seed of weights, order and augmentation", natural, "N")
    precision: str = option(
        "auto", "auto: half precision if the processor supports it, otherwise fp32",
        choices=("auto", "fp32", *MIXED),
    )  # fmt: skip

    def share(self, update: int, seconds: float) -> float:
        """The completed share of the run, 0 to 1, after this many updates and seconds."""
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
    """Options that may change when a run is resumed: where it runs, and its resources."""

    device: str = option("auto", "auto: a GPU if there is one", choices=DEVICES)
    threads: int = option(1, "threads of torch", positive, "N", further=min(4, CPUS))
