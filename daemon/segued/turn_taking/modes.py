"""The modes as a table; `turn_taking` decides by it who has the floor."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mode:
    """The properties of a mode.

    `plays`: the model plays at all. `waits`: it waits for its turn, and gives it back at the
    performer's first key; otherwise it plays along. `alone`: it also plays without the performer.
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
"""Value of the knob `mode` -> its properties."""
