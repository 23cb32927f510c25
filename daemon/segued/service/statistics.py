"""Counts and percentiles of a running daemon, in memory of fixed size."""

from array import array
from collections.abc import Sequence


def share_of(values: Sequence[float], share: float) -> float:
    """The value below which a share (0..1) of sorted values lies; NaN without any."""
    if not values:
        return float("nan")
    return values[min(len(values) - 1, int(share * len(values)))]


class Percentiles:
    """The last `size` values of a measurement, in seconds. Adding is a store and an increment.

    They are kept in `memory` where it is given: doubles, `size` of them, which others may read.
    """

    def __init__(self, size: int = 4096, memory: "memoryview[float] | None" = None) -> None:
        if memory is None:
            memory = memoryview(array("d", bytes(8 * size)))
        self._values = memory
        self._size = size
        self.count = 0

    def add(self, value: float) -> None:
        """Remember a value in place of the oldest."""
        self._values[self.count % self._size] = value
        self.count += 1

    def at(self, *shares: float) -> list[float]:
        """Values below which these shares (0..1) of the remembered ones lie; NaN without any."""
        kept = sorted(self._values[: min(self.count, self._size)])
        return [share_of(kept, share) for share in shares]

    def release(self) -> None:
        """Keep what is remembered in memory of its own: the memory that was given goes away."""
        self._values = memoryview(array("d", self._values))
