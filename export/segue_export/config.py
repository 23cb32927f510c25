"""How to train, as plain values: what `segue-export train` was asked for."""

import math
from dataclasses import dataclass

from .options import OPTIMIZERS

MIXED = ("bf16", "fp16")
"""Precisions in which only some of the computing is done; the weights stay fp32."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train. `updates` is the whole length, 0: without end; the last `decay` of it lowers
    the rate to 0."""

    updates: int = 20_000
    batch: int = 64
    time: int = 128
    optimizer: str = OPTIMIZERS[0]
    learning_rate: float = 2e-3
    warmup: int = 200
    decay: float = 0.3
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.0  # decay of the weights' moving average, which is then what is kept; 0: none
    validate_every: int = 500
    checkpoint_every: int = 250
    patience: int = 0  # validations without a better one before stopping; 0: never
    valid_piece: int = 3000  # tokens of each validation piece, at most
    valid_tokens: int = 400_000  # tokens of a validation, at most
    seed: int = 1
    precision: str = "auto"  # auto, fp32, bf16, fp16

    def rate(self, update: int) -> float:
        """Learning rate of an update: linear warm-up, constant, linear decay to zero."""
        rising = (update + 1) / max(1, self.warmup)
        length = self.updates * self.decay
        falling = (self.updates - update) / length if length else math.inf
        return self.learning_rate * max(0.0, min(1.0, rising, falling))
