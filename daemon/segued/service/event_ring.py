"""A ring buffer of musical events in the state file, for programs that show the music live.

One writer, any number of readers, no locks. Each record has its number, so a reader that was too
slow knows how many it missed. Events are written only while somebody watches.
"""

import struct
from typing import NamedTuple

RECORDS = 2048
_RECORD = struct.Struct("<QdBBBBxxxxd")  # number, time, kind, a, b, c, value
_HEAD = 64  # bytes; the first eight of them count the records ever written
SIZE = _HEAD + RECORDS * _RECORD.size
MARGIN = 16  # the oldest records, which may be overwritten while they are read

NOTE, PEDAL, PLANNED, REPLANNED, TURN, KEY, TEMPO, KNOB, SILENCED = range(1, 10)
"""Kinds of events, with their `a`, `b`, `c` and `value`:

NOTE       owner (active_notes), pitch, velocity (0: note-off); value: the channel 0..15
PEDAL      owner, 1 down or 0 up; value: the channel
PLANNED    pitch, velocity (0: note-off); `time` is when it is due
REPLANNED  planned notes that have not sounded yet are discarded
TURN       1 while the model has the floor, 1 while the performer holds a key; value: when the
           reply begins, 0 when none is expected
KEY        pitch class of the tonic (255: unknown), 1 for minor; value: certainty, 0..1
TEMPO      source (see below), beats per bar, certainty in percent; value: beats per minute;
           `time` is the beginning of a bar
KNOB       index in `knobs.KNOBS`; value: its value, or the index of its choice
SILENCED   everything was silenced
"""

NO_TEMPO, PERFORMER_TEMPO, MIDI_CLOCK, OWN_TEMPO = range(4)
"""Sources of the tempo."""


class Event(NamedTuple):
    """One event. `time` is in monotonic seconds."""

    time: float
    kind: int
    a: int = 0
    b: int = 0
    c: int = 0
    value: float = 0.0


class EventRing:
    """Writes events. For the hot loop: 1 µs each."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._count = memory[:8].cast("Q")
        self._next = self._count[0] + 1

    def add(
        self, time: float, kind: int, a: int = 0, b: int = 0, c: int = 0, value: float = 0.0
    ) -> None:
        """Write an event in place of the oldest."""
        number = self._next
        at = _HEAD + number % RECORDS * _RECORD.size
        _RECORD.pack_into(self._memory, at, number, time, kind, a, b, c, value)
        self._count[0] = number
        self._next = number + 1

    def release(self) -> None:
        """Release the memory."""
        self._count.release()
        self._memory.release()


class EventReader:
    """Reads the events written since it was made; `missed` counts those overwritten unread."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self.missed = 0
        self._seen = self._written()

    def read(self) -> list[Event]:
        """The events since the previous call, in order."""
        newest = self._written()
        if newest < self._seen:  # another daemon has the file now
            self._seen = 0
        oldest = max(self._seen, newest - RECORDS + MARGIN)
        self.missed += oldest - self._seen
        events = []
        for number in range(oldest + 1, newest + 1):
            at = _HEAD + number % RECORDS * _RECORD.size
            found, time, kind, a, b, c, value = _RECORD.unpack_from(self._memory, at)
            if found == number:
                events.append(Event(time, kind, a, b, c, value))
            else:
                self.missed += 1
        self._seen = newest
        return events

    def _written(self) -> int:
        return int.from_bytes(self._memory[:8], "little")
