"""From logits to one token id: temperature, nucleus (top-p), masks. Deterministic in its inputs."""

from typing import Protocol

import numpy as np

from ..arrays import Floats

COLD = 1e-4  # below this temperature the likeliest id takes all; dividing by it would overflow


class LogitBias(Protocol):
    """Something that makes some ids more likely than the model does: see `shaping.Shape`."""

    @property
    def neutral(self) -> bool:
        """Whether it changes nothing."""

    def apply(self, weights: Floats) -> None:
        """Shape unnormalised probabilities (V,) in place."""


class Sampler:
    """Draws ids; owns the buffers that it works in, so one call allocates next to nothing.

    `temperature` 0 takes the likeliest id, 1 the model's own distribution. `top_p` keeps the
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
        leaning: LogitBias | None = None,
        focus: LogitBias | None = None,
    ) -> int:
        """One id. `logits` and `bias` (V,): the bias is added, -inf forbids. `uniform` in [0, 1).

        At least one id must be allowed. The temperature and the `focus` are the model's; `leaning`
        comes after them, so that no knob turns another.
        """
        weights = self._weights
        np.add(logits, bias, out=weights)
        best = weights.argmax()
        leans, cold = leaning is not None and not leaning.neutral, self.temperature < COLD
        if cold and not leans:
            return int(best)
        np.subtract(weights, weights[best], out=weights)
        if not cold:
            np.multiply(weights, np.float32(1.0 / self.temperature), out=weights)
        np.exp(weights, out=weights)
        if focus is not None and not (cold or focus.neutral):
            focus.apply(weights)
        if leaning is not None and leans:
            leaning.apply(weights)
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
        """The first index whose running sum is above `target`: never one of no weight."""
        index = int(sums.searchsorted(np.float32(target), side="right"))
        if index < len(sums):
            return index
        return int(sums.searchsorted(sums[-1], side="left"))  # rounding put the target at the top
