"""Samples a token id from logits: temperature, nucleus (top-p), masks. Deterministic."""

from typing import Protocol

import numpy as np

from ..arrays import Floats

COLD = 1e-4  # below this temperature the likeliest id is taken; dividing by it would overflow


class LogitBias(Protocol):
    """A change of the probabilities, such as `shaping.Shape`."""

    @property
    def neutral(self) -> bool:
        """Whether it has no effect."""

    def apply(self, weights: Floats) -> None:
        """Change unnormalized probabilities (V,) in place."""


class Sampler:
    """Draws ids. It reuses its buffer, so that a call allocates almost nothing.

    `temperature`: 0 takes the likeliest id, 1 uses the model's distribution. `top_p` keeps the
    smallest set of ids whose probabilities add up to it (Holtzman et al. 2019).
    """

    def __init__(self, size: int, temperature: float = 1.0, top_p: float = 1.0) -> None:
        self.temperature = temperature
        self.top_p = top_p
        self._weights = np.empty(size, np.float32)

    def sample(
        self,
        logits: Floats,
        bias: Floats,
        uniform: float,
        steering: LogitBias | None = None,
        focus: LogitBias | None = None,
    ) -> int:
        """Draw an id. `logits` and `bias` (V,) are added; -inf forbids an id. `uniform` in [0, 1).

        At least one id must be allowed. `steering` is applied after the temperature and `focus`, so
        that these knobs do not change its effect.
        """
        weights = self._weights
        np.add(logits, bias, out=weights)
        best = weights.argmax()
        steers, cold = steering is not None and not steering.neutral, self.temperature < COLD
        if cold and not steers:
            return int(best)
        np.subtract(weights, weights[best], out=weights)
        if not cold:
            np.multiply(weights, np.float32(1.0 / self.temperature), out=weights)
        np.exp(weights, out=weights)
        if focus is not None and not (cold or focus.neutral):
            focus.apply(weights)
        if steering is not None and steers:
            steering.apply(weights)
        if cold:
            return int(weights.argmax())
        if self.top_p >= 1.0:
            sums = weights.cumsum()
            return self._pick(sums, uniform * float(sums[-1]))
        order = weights.argsort()[::-1]
        sums = weights[order].cumsum()
        kept = int(sums.searchsorted(self.top_p * float(sums[-1])))
        sums = sums[: kept + 1]
        return int(order[self._pick(sums, uniform * float(sums[-1]))])

    @staticmethod
    def _pick(sums: Floats, target: float) -> int:
        """The first index whose running sum is above `target`, which never has weight 0."""
        index = int(sums.searchsorted(np.float32(target), side="right"))
        if index < len(sums):
            return index
        return int(sums.searchsorted(sums[-1], side="left"))  # the target was rounded up
