"""A mapping at work on one channel: what its control was last seen to do, and how that is read."""

from collections.abc import Sequence
from typing import Any

from .mapping import Mapped
from .soft_takeover import SoftTakeover


class ControlBinding:
    """A mapping on one channel, and what its control was last seen to do."""

    __slots__ = ("before", "coarse", "down", "fader", "mapped", "pick_up")

    def __init__(self, mapped: Mapped, pick_up: bool) -> None:
        self.mapped, self.pick_up = mapped, pick_up
        self.down = False
        self.coarse = 0  # half of a controller of 14 bits
        self.before: Any = None  # what a momentary press goes back to
        self.fader = SoftTakeover(mapped, pick_up if mapped.pick_up is None else mapped.pick_up)


def after(current: Any, values: Sequence[Any]) -> Any:
    """The value after the current one; the first where the current one is none of them."""
    if current not in values:
        return values[0]
    return values[(values.index(current) + 1) % len(values)]


def notches(style: str, value: int) -> int:
    """How far an endless encoder was turned."""
    if style == "encoder":
        return value if value < 64 else value - 128
    if style == "offset encoder":
        return value - 64
    return value if value < 64 else 64 - value
