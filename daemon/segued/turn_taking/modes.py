"""The ways of playing, as a table. Who has the floor in each of them is told in `floor`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mode:
    """What sets one way of playing apart.

    `plays` at all; `waits` for its turn, and gives it back at the performer's first key; else it
    plays along with the performer, or `alone` as well.
    """

    plays: bool = True
    waits: bool = False
    alone: bool = False


MODE_TABLE = {
    "continue": Mode(waits=True),
    "duet": Mode(),
    "solo": Mode(alone=True),
    "listen": Mode(plays=False),
}
"""By the values of the knob `mode`."""
