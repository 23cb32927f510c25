"""Counts and percentiles of a running daemon, in memory of fixed size."""

from array import array
from collections.abc import Sequence


def share_of(values: Sequence[float], share: float) -> float:
    """The quantile `share` (0..1) of sorted values; NaN when there are none."""
    if not values:
        return float("nan")
    return values[min(len(values) - 1, int(share * len(values)))]


class Percentiles:
    """The last `size` values of a measurement, in seconds, and the `count` of all.

    `memory`: `size` doubles to keep them in, which other processes may read. Adding is a store and
    an increment.
    """

    def __init__(self, size: int = 4096, memory: "memoryview[float] | None" = None) -> None:
        if memory is None:
            memory = memoryview(array("d", bytes(8 * size)))
        self._values = memory
        self._size = size
        self.count = 0

    def add(self, value: float) -> None:
        """Store a value in place of the oldest."""
        self._values[self.count % self._size] = value
        self.count += 1

    def at(self, *shares: float) -> list[float]:
        """The quantiles `shares` (0..1) of the stored values; NaN when there are none."""
        kept = sorted(self._values[: min(self.count, self._size)])
        return [share_of(kept, share) for share in shares]

    def release(self) -> None:
        """Copy the values to private memory, because the memory that was given will be closed."""
        self._values = memoryview(array("d", self._values))
