"""A model of the player's own: how to train further on little music, and whether it helped."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .validation import Heard

PASSES = 6  # over the corpus, if validation goes on improving
FEWEST, MOST = 60, 1500  # updates: a handful of pieces, minutes on a laptop
LOOKS = 12  # validations in a run
CERTAIN = 1.64  # standard errors that a gain must exceed: 95 %, one-sided
GAIN = 0.005  # nats per token that it must be at least


def length(tokens: int, batch: int, time: int) -> int:
    """Updates for a corpus of so many tokens."""
    return max(FEWEST, min(MOST, math.ceil(PASSES * tokens / (batch * time))))


@dataclass(frozen=True)
class Verdict:
    """Nats per token before and after on the same pieces, and the standard error of the gain.

    The witnesses are passages (see `Heard`). With one there is no error: it is NaN.
    """

    before: float
    after: float
    error: float
    pieces: int

    @classmethod
    def of(cls, before: Heard, after: Heard) -> "Verdict":
        """Compare what two validations found."""
        there = before.tokens > 0
        mean, count = before.tokens[there].mean(), int(there.sum())
        gain = before.nll - after.nll
        rest = (before.nats - after.nats)[there] - gain * before.tokens[there]
        error = math.nan  # of a ratio of two sums
        if count > 1:
            error = float(np.sqrt((rest**2).sum() / (count * (count - 1)))) / mean
        return cls(before.nll, after.nll, error, before.pieces)

    @property
    def gain(self) -> float:
        """Nats per token."""
        return self.before - self.after

    @property
    def better(self) -> bool:
        """Whether it may be called better: by enough, and by more than chance."""
        sure = math.isnan(self.error) or self.gain > CERTAIN * self.error
        return self.gain >= GAIN and sure

    def __str__(self) -> str:
        error = "" if math.isnan(self.error) else f" (standard error {self.error:.3f})"
        return (
            f"validation {self.before:.4f} nats a token before, {self.after:.4f} after, on "
            f"{self.pieces} pieces kept out: a gain of {self.gain:.4f}{error}"
        )


def told(verdict: Verdict, model: str, run: Path) -> str:
    """What the user reads at the end."""
    if not verdict.better:
        why = "too little" if verdict.gain < GAIN else "not more than chance"
        return (
            f"{verdict}\nNOT better than {model}, the gain is {why}: the run keeps the "
            "weights that it began with; go on with the model that you have, or give more music"
        )
    return (
        f"{verdict}\nbetter than {model}; to play with it:\n"
        f"  segue-export onnx {run} {run.name}.onnx --precision int8\n"
        f"  segued run --set model.path={run.name}.onnx"
    )


def origin_of(about: Mapping) -> str | None:
    """One line on the model that a run began from, None if it began from nothing."""
    if "from" not in about:
        return None
    model = about["from"]["model"]
    before, after = about.get("valid_nll_before"), about.get("valid_nll")
    if not about.get("updates") or before is None or after is None:
        return f"NOT better than {model}, which it was trained from: these are {model}'s weights"
    return f"trained further from {model}: validation {before:.4f} before, {after:.4f} after"
