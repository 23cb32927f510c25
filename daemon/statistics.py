"""Counts and percentiles of a running daemon, in memory of fixed size."""

from array import array


class Percentiles:
    """The last `size` values of a measurement, in seconds. Adding is a store and an increment."""

    def __init__(self, size: int = 4096) -> None:
        self._values = array("d", bytes(8 * size))
        self.count = 0

    def add(self, value: float) -> None:
        """Remember a value in place of the oldest."""
        self._values[self.count % len(self._values)] = value
        self.count += 1

    def at(self, *shares: float) -> list[float]:
        """Values below which these shares (0..1) of the remembered ones lie; NaN without any."""
        kept = sorted(self._values[: min(self.count, len(self._values))])
        if not kept:
            return [float("nan")] * len(shares)
        return [kept[min(len(kept) - 1, int(share * len(kept)))] for share in shares]
