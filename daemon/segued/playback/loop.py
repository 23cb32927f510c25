"""What the model played last, and playing it again and again: the knob `hold`.

As with a loop pedal: held while it plays, the loop is what it has played up to now, and begins
anew at once; held after a reply, the loop is that reply. The performer plays over it.
"""

import math
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ..arrays import Floats
from ..generation.shaping import nearest
from ..timing.clock import Clock
from ..tokens.events import MODEL_PART, NoteOff, NoteOn

LONGEST = 30.0  # seconds of a loop: of what goes on for ever, the last
MOST = 4096  # events of a loop
SHORTEST = 0.1  # seconds of a loop
OVER = 0.1  # share of a bar by which a loop may be longer than whole bars and be cut to them

Note = NoteOn | NoteOff


@dataclass(frozen=True)
class Passage:
    """Music as a value: its events, in order, with times from its first note on; its length."""

    events: tuple[Note, ...]
    length: float


class Tape:
    """Remembers the model's last reply; `passage` is the last one that is over."""

    def __init__(self) -> None:
        self.passage: Passage | None = None
        self._events: deque[Note] = deque(maxlen=MOST)

    def record(self, event: Note) -> None:
        """The model plays."""
        self._events.append(event)
        while event.time - self._events[0].time > LONGEST:
            self._events.popleft()

    def cut(self, end: float) -> None:
        """The reply is over, or the loop is to be closed, at `end`."""
        passage = passage_of(self._events, end)
        self.passage = passage or self.passage
        self._events.clear()

    def forget(self) -> None:
        """There is no last reply."""
        self.passage = None
        self._events.clear()


def passage_of(events: Sequence[Note], end: float) -> Passage | None:
    """A passage that lasts until `end`; notes that are not over by then end there. None without a
    note."""
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
    """A passage, again and again from `begin` on.

    With a MIDI clock it lasts whole bars, if that makes it longer, or only a little shorter.
    """

    def __init__(self, passage: Passage, begin: float, clock: Clock) -> None:
        self._pitches: dict[int, int] = {}  # of its notes that sound, and what they sound as
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
        """When its next event is due."""
        return self._begin + self._events[self._next].time

    def due(self, now: float) -> Note | None:
        """Take the next event if its time has come."""
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
        """The next event, which is due, as it is to be played now; None: not at all.

        Its pitch is the nearest of those that are `allowed` (128,). A note does not begin on a
        pitch that sounds, nor where there is no `room` for another.
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
