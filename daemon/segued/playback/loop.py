"""The recorded last reply, and its loop: the knob `hold`.

As with a loop pedal: if `hold` is switched on during a reply, the loop is the reply so far and
starts at once; after a reply, the loop is that reply. The performer plays over it.
"""

import math
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ..arrays import Floats
from ..generation.shaping import nearest
from ..timing.clock import Clock
from ..tokens.events import MODEL_PART, NoteOff, NoteOn

LONGEST = 30.0  # seconds of a loop: only the last ones of an endless reply are kept
MAX_EVENTS = 4096  # of a loop
SHORTEST = 0.1  # seconds of a loop
OVER = 0.1  # share of a bar by which a loop is cut, instead of lengthened, to whole bars

Note = NoteOn | NoteOff


@dataclass(frozen=True)
class Passage:
    """Music as a value: events in order, with times from the first note, and a length (seconds)."""

    events: tuple[Note, ...]
    length: float


class Tape:
    """Records the model's reply; `passage` is the last one that has ended."""

    def __init__(self) -> None:
        self.passage: Passage | None = None
        self._events: deque[Note] = deque(maxlen=MAX_EVENTS)

    def record(self, event: Note) -> None:
        """Record an event of the model."""
        self._events.append(event)
        while event.time - self._events[0].time > LONGEST:
            self._events.popleft()

    def cut(self, end: float) -> None:
        """End the recording at `end`; if it has a note, it becomes `passage`."""
        passage = passage_of(self._events, end)
        self.passage = passage or self.passage
        self._events.clear()

    def forget(self) -> None:
        """Erase everything."""
        self.passage = None
        self._events.clear()


def passage_of(events: Sequence[Note], end: float) -> Passage | None:
    """The passage up to `end`, where notes that still sound are ended; None without a note."""
    begin = next((event.time for event in events if isinstance(event, NoteOn)), None)
    if begin is None:
        return None
    kept: list[Note] = []
    open_notes: dict[int, None] = {}
    for event in events:
        if isinstance(event, NoteOn):
            open_notes[event.pitch] = None
        elif event.pitch not in open_notes:
            continue
        else:
            del open_notes[event.pitch]
        kept.append(replace(event, time=event.time - begin))
    length = max(SHORTEST, end - begin, kept[-1].time)
    kept += [NoteOff(length, pitch) for pitch in open_notes]
    return Passage(tuple(kept), length)


class Loop:
    """A passage, repeated from `begin` on.

    With a MIDI clock its length is rounded up to whole bars, or down if that cuts only a little.
    """

    def __init__(self, passage: Passage, begin: float, clock: Clock) -> None:
        self._pitches: dict[int, int] = {}  # pitch in the passage -> the pitch that sounds for it
        self._length = passage.length
        if clock.synced:
            bar = clock.beats_per_bar * 60.0 / clock.tempo
            self._length = max(1, math.ceil(passage.length / bar - OVER)) * bar
        self._events = tuple(
            event if event.time <= self._length else replace(event, time=self._length)
            for event in passage.events
        )
        self._begin = begin
        self._next = 0

    @property
    def next_due(self) -> float:
        """When the next event is due."""
        return self._begin + self._events[self._next].time

    def due(self, now: float) -> Note | None:
        """Remove and return the next event if it is due."""
        if self.next_due > now:
            return None
        event = replace(self._events[self._next], time=self.next_due)
        self._next += 1
        if self._next == len(self._events):
            self._next = 0
            self._begin += self._length
        return event

    def take(
        self, now: float, allowed: Floats, sounding: Collection[int], room: int
    ) -> Note | None:
        """Remove the next event and return it as it is to be played; None: leave it out.

        Its pitch is the nearest that is `allowed` (128,). A note does not begin on a pitch that
        sounds, nor if there is no `room` for another.
        """
        event = self.due(self.next_due)
        if isinstance(event, NoteOff):
            pitch = self._pitches.pop(event.pitch, None)
            return None if pitch is None else NoteOff(now, pitch, MODEL_PART)
        pitch = nearest(event.pitch, allowed) if event is not None else None
        if event is None or pitch is None or pitch in sounding or room <= 0:
            return None
        self._pitches[event.pitch] = pitch
        return NoteOn(now, pitch, event.velocity, MODEL_PART)
