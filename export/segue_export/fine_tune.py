"""A model of the player's own: how to train further on little music, and whether it helped."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from .checkpoint import read_best
from .network import Network
from .validation import Heard, some_of, validate

if TYPE_CHECKING:
    from .train import Trainer

PASSES = 6  # over the corpus, if validation goes on improving
FEWEST, MOST = 60, 1500  # updates: a handful of pieces, minutes on a laptop
LOOKS = 12  # validations in a run
CERTAIN = 1.645  # of the normal distribution, the quantile of 95 %
GAIN = 0.005  # nats per token that it must be at least


def length(tokens: int, batch: int, time: int) -> int:
    """Updates for a corpus of so many tokens."""
    return max(FEWEST, min(MOST, math.ceil(PASSES * tokens / (batch * time))))


@dataclass(frozen=True)
class Verdict:
    """Nats per token before and after on the same pieces, and the standard error of the gain.

    The witnesses are pieces. With one there is no error: it is NaN.
    """

    before: float
    after: float
    error: float
    pieces: int

    @classmethod
    def of(cls, before: Heard, after: Heard) -> "Verdict":
        """Compare what two validations found."""
        tokens, gained = before.tokens.sum(axis=1), (before.nats - after.nats).sum(axis=1)
        count, gain = before.pieces, before.nll - after.nll
        rest = gained - gain * tokens
        error = math.nan  # of a ratio of two sums
        if count > 1:
            mean = float(tokens.sum()) / count
            error = float(np.sqrt((rest**2).sum() / (count * (count - 1)))) / mean
        return cls(before.nll, after.nll, error, count)

    @property
    def gain(self) -> float:
        """Nats per token."""
        return self.before - self.after

    @property
    def better(self) -> bool:
        """Whether it may be called better: by enough, and by more than chance."""
        sure = math.isnan(self.error) or self.gain > certain(self.pieces) * self.error
        return self.gain >= GAIN and sure

    def __str__(self) -> str:
        error = "" if math.isnan(self.error) else f" (standard error {self.error:.3f})"
        return (
            f"{self.before:.4f} nats a token before, {self.after:.4f} after, on {self.pieces} "
            f"pieces that were neither heard nor chosen by: a gain of {self.gain:.4f}{error}"
        )


def certain(pieces: int) -> float:
    """Standard errors that a gain must exceed, 95 % one-sided: Student's t of so many pieces, by
    the first terms of its expansion (Abramowitz and Stegun 26.7.5)."""
    z, free = CERTAIN, max(1, pieces - 1)
    return z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)


def judge(trainer: "Trainer", weights: Mapping[str, Tensor]) -> Verdict:
    """Compare the run's best weights with those that it began with, once, on the `judges`.

    The better ones are what the run keeps.
    """
    world, config = trainer.world, trainer.config
    if trainer.verdict is None:
        best, story = world.share(lambda: read_best(trainer.out))
        judges = some_of(trainer.judges, config.valid_piece, config.valid_tokens)
        network, heard = Network(trainer.network.config).to(world.device), []
        for tried in (weights, best):
            network.load_state_dict(dict(tried))
            heard.append(validate(network, judges, config.valid_piece, world=world))
        verdict = Verdict.of(*heard)
        if not verdict.better:
            best, story = dict(weights), story | {"update": "0", "tokens_seen": "0"}
        story |= {"valid_nll_before": str(verdict.before), "valid_nll": str(verdict.after)}
        trainer.settle(verdict, best, story)
    return trainer.verdict


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
