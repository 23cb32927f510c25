"""What a musician does at a keyboard, as values. Times are seconds on any one time line."""

from dataclasses import dataclass

MODEL_PART = -1
"""The part of notes that the model plays; performers' parts are 0 and up."""


@dataclass(frozen=True, slots=True)
class NoteOn:
    """A key goes down.

    `pitch` 0..127 (60 is middle C), `velocity` 1..127. `part` tells instruments apart (a MIDI
    channel, or one track of a file): a pedal and a note-off act only within their own part.
    """

    time: float
    pitch: int
    velocity: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class NoteOff:
    """A key comes up. It ends the note of that pitch if `part` is the part that began it."""

    time: float
    pitch: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class Pedal:
    """The sustain pedal (CC64) goes down (value 64 or more) or up."""

    time: float
    down: bool
    part: int = 0


Event = NoteOn | NoteOff | Pedal
