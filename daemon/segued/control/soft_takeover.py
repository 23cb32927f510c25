"""Soft takeover, also called pick-up: when a fader may change its knob.

A preset or another control may set the knob, so that the fader's position no longer fits its value.
With pick-up the knob then keeps its value until the fader reaches or passes it.
"""

from typing import Any

from .knobs import BY_NAME
from .mapping import Mapped

NEAR = 1.01 / 127  # the distance within which a 7-bit controller can reach any position
_CENTRE = 8192  # of the pitch wheel's 0..16383


class SoftTakeover:
    """One fader of one knob. Its position is 0..1."""

    __slots__ = ("_knob", "_left", "_mapped", "_pick_up", "_position")

    def __init__(self, mapped: Mapped, pick_up: bool) -> None:
        self._mapped = mapped
        self._pick_up = pick_up and len(mapped.values) != 2  # a switch has nothing to pick up
        self._knob = BY_NAME.get(mapped.name)
        self._position: float | None = None  # the last known one
        self._left: Any = None  # the value that it set last; None: it must pick up the knob first

    def move(self, position: float, current: Any) -> Any:
        """The knob's new value when the fader moves to a position; None: it keeps `current`."""
        before, self._position = self._position, position
        value = self.value_at(position)
        if self._pick_up and (self._left is None or self._left != current):
            self._left = None
            if not self._reaches(before, position, value, current):
                return None
        self._left = value
        return value

    def value_at(self, position: float) -> Any:
        """The knob's value at a position of the fader."""
        mapped = self._mapped
        if mapped.values:
            return mapped.values[min(len(mapped.values) - 1, int(position * len(mapped.values)))]
        value = mapped.low + position * (mapped.high - mapped.low)
        return round(value) if self._knob is not None and self._knob.whole else value

    def _reaches(self, before: float | None, position: float, value: Any, current: Any) -> bool:
        """Whether the fader, moving from `before`, reaches or passes the knob's value."""
        if value == current:
            return True
        values = self._mapped.values
        if values:
            if current not in values:  # the fader can never reach it
                return True
            target = (values.index(current) + 0.5) / len(values)
        else:
            target = (current - self._mapped.low) / (self._mapped.high - self._mapped.low)
            target = min(max(target, 0.0), 1.0)
            if abs(position - target) <= NEAR:
                return True
        return before is not None and (before - target) * (position - target) < 0


def position_of(bend: int) -> float:
    """The position 0..1 of a pitch wheel at 0..16383. At rest (8192) it is exactly 0.5."""
    if bend <= _CENTRE:
        return bend / (2 * _CENTRE)
    return 0.5 + (bend - _CENTRE) / (2 * (_CENTRE - 1))
