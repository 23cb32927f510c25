"""Notes with a beginning and an end, from MIDI messages."""

from collections.abc import Sequence
from dataclasses import dataclass

from .files import Timed
from .messages import CHANNEL_MASK, is_note_off, is_note_on


@dataclass(frozen=True)
class Note:
    """A sounding note, in seconds."""

    start: float
    end: float
    pitch: int
    velocity: int


def notes_of(messages: Sequence[Timed]) -> list[Note]:
    """Pair note-ons with their note-offs; a note without one ends with the last message."""
    open_notes: dict[tuple[int, int], tuple[float, int]] = {}
    notes: list[Note] = []
    for time, message in messages:
        begins = is_note_on(message)
        if not begins and not is_note_off(message):
            continue
        key = message[0] & CHANNEL_MASK, message[1]
        if key in open_notes:
            start, velocity = open_notes.pop(key)
            notes.append(Note(start, time, message[1], velocity))
        if begins:
            open_notes[key] = time, message[2]
    end = messages[-1][0] if messages else 0.0
    notes += [Note(start, end, key[1], vel) for key, (start, vel) in open_notes.items()]
    return sorted(notes, key=lambda note: (note.start, note.pitch))
