"""The state of a mapping on one channel, and how encoder values are read."""

from collections.abc import Sequence
from typing import Any

from .mapping import Mapped
from .soft_takeover import SoftTakeover


class ControlBinding:
    """A mapping on one channel, with the last known state of its control."""

    __slots__ = ("before", "coarse", "down", "fader", "mapped", "pick_up")

    def __init__(self, mapped: Mapped, pick_up: bool) -> None:
        self.mapped, self.pick_up = mapped, pick_up
        self.down = False
        self.coarse = 0  # the coarse half of a 14-bit controller
        self.before: Any = None  # the value that a momentary press restores on release
        self.fader = SoftTakeover(mapped, pick_up if mapped.pick_up is None else mapped.pick_up)


def after(current: Any, values: Sequence[Any]) -> Any:
    """The value after the current one; the first if the current one is not among them."""
    if current not in values:
        return values[0]
    return values[(values.index(current) + 1) % len(values)]


def detents(style: str, value: int) -> int:
    """How many steps an endless encoder was turned; negative is down."""
    if style == "encoder":
        return value if value < 64 else value - 128
    if style == "offset encoder":
        return value - 64
    return value if value < 64 else 64 - value
