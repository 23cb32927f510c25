"""A fader's places and a knob's values, and who follows whom (pick-up, also called soft takeover).

After a preset, or anything else but this fader, has set the knob, fader and knob stand apart. With
pick-up the knob stays where it is until the fader comes to its place or passes it.
"""

from typing import Any

from .knobs import BY_NAME
from .mapping import Mapped

NEAR = 1.01 / 127  # a controller of 7 bits can come this near to any place, or nearer
_CENTRE = 8192  # of the pitch wheel's 0..16383


class SoftTakeover:
    """One controller of one knob. Its place is a share 0..1 of its way."""

    __slots__ = ("_knob", "_left", "_mapped", "_pick_up", "_place")

    def __init__(self, mapped: Mapped, pick_up: bool) -> None:
        self._mapped = mapped
        self._pick_up = pick_up and len(mapped.values) != 2  # a switch is thrown, not passed
        self._knob = BY_NAME.get(mapped.name)
        self._place: float | None = None  # where it was last seen
        self._left: Any = None  # the value that it left the knob at; None: it has no hold

    def move(self, place: float, current: Any) -> Any:
        """The value that the knob takes as the fader comes to a place; None: it stays."""
        before, self._place = self._place, place
        value = self.value_at(place)
        if self._pick_up and (self._left is None or self._left != current):
            self._left = None
            if not self._meets(before, place, value, current):
                return None
        self._left = value
        return value

    def value_at(self, place: float) -> Any:
        """The knob's value at a place."""
        mapped = self._mapped
        if mapped.values:
            return mapped.values[min(len(mapped.values) - 1, int(place * len(mapped.values)))]
        value = mapped.low + place * (mapped.high - mapped.low)
        return round(value) if self._knob is not None and self._knob.whole else value

    def _meets(self, before: float | None, place: float, value: Any, current: Any) -> bool:
        """Whether the fader, coming from `before`, has come to where the knob is."""
        if value == current:
            return True
        values = self._mapped.values
        if values:
            if current not in values:  # where it can never come to
                return True
            there = (values.index(current) + 0.5) / len(values)
        else:
            there = (current - self._mapped.low) / (self._mapped.high - self._mapped.low)
            there = min(max(there, 0.0), 1.0)
            if abs(place - there) <= NEAR:
                return True
        return before is not None and (before - there) * (place - there) < 0


def place_of(bend: int) -> float:
    """The place of a pitch wheel 0..16383. At rest it is exactly half-way."""
    if bend <= _CENTRE:
        return bend / (2 * _CENTRE)
    return 0.5 + (bend - _CENTRE) / (2 * (_CENTRE - 1))
