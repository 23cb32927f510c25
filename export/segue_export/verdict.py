"""Whether training further helped: nats per token before and after, on the same pieces."""

import math
from dataclasses import dataclass

import numpy as np

from .task import Heard

CERTAIN = 1.645  # of the normal distribution, the quantile of 95 %
GAIN = 0.005  # nats per token that it must be at least


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
