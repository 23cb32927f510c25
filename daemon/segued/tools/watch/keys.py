"""The keys of `segued watch`. Pure."""

from typing import Any

from ...control.knobs import KNOBS, Knob
from .music import Music

HELP = "space take/give  p panic  arrows turn a knob  0 default  f forget  q quit"
STEPS = 40  # from one end of a knob to the other

_DONE = {b"t": "take", b"g": "give", b"p": "panic", b"f": "forget", b"l": "learn", b"b": "tap"}
_ARROWS = {b"\x1b[A": -1, b"\x1b[B": 1, b"\x1b[D": -1, b"\x1b[C": 1}
_ARROWS |= {b"\x1bO" + arrow[2:]: step for arrow, step in _ARROWS.items()}


class KeyReader:
    """Turns bytes of a terminal into commands; `chosen` is the index of the selected knob."""

    def __init__(self) -> None:
        self.chosen = 0

    def commands(self, data: bytes, music: Music) -> list[list[Any]]:
        """The commands of the keys: those of the command port, ["quit"], and ["choose"] when
        another knob is selected."""
        found = []
        while data:
            size = 3 if data[:3] in _ARROWS else 1
            key, data = data[:size], data[size:]
            command = self._command(key, music)
            if command is not None:
                found.append(command)
        return found

    def _command(self, key: bytes, music: Music) -> list[Any] | None:
        if key == b"q":
            return ["quit"]
        if key == b" ":
            return ["do", "give" if music.segue else "take"]
        if key in _DONE:
            return ["do", _DONE[key]]
        if key == b"0":
            return ["set", KNOBS[self.chosen].name, KNOBS[self.chosen].default]
        if key not in _ARROWS:
            return None
        if key[2:] in b"AB":
            self.chosen = (self.chosen + _ARROWS[key]) % len(KNOBS)
            return ["choose"]
        knob = KNOBS[self.chosen]
        value = turned(knob, music.knobs[knob.name], _ARROWS[key])
        music.knobs[knob.name] = value  # several steps may come before the music has told
        return ["set", knob.name, value]


def turned(knob: Knob, value: Any, steps: int) -> Any:
    """The value of a knob, changed by some steps within its range."""
    if knob.choices:
        place = knob.choices.index(value) + steps
        return knob.choices[min(max(place, 0), len(knob.choices) - 1)]
    if knob.whole:
        return min(max(value + steps, int(knob.low)), int(knob.high))
    share = round(knob.share(value) * STEPS + steps) / STEPS
    return round(knob.at(min(max(share, 0.0), 1.0)), 6)
