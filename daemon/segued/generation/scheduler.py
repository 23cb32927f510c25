"""Where planned notes get their time on the clock: the grid, the tempo, the policy for late ones.

A plan counts seconds, at the tempo at which it was made. Here its seconds become beats of the
clock, so that a reply goes faster and slower with the song, and its onsets are drawn to the grid:
each to its nearest line by the knob `quantize_strength`, never before the reply begins, never into
the past (instead of a line that is over the next one to come is taken), never past one another. A
note keeps its length; one that is struck again ends there. The time of what waits here is asked of
the clock at the last moment.

What was moved is heard as it sounds: the memory encodes it like the performer's notes, instead of
adopting the plan's tokens, so that it holds what was heard, and that only. That takes the model's
steps once more, between notes; the plan itself goes on from its own tokens.
"""

import math
from bisect import insort
from dataclasses import dataclass, replace
from typing import Protocol

from ..tokens.events import NoteOff, NoteOn
from .reply import Token
from .shaping import Playing

MARGIN = 0.03  # seconds that a note comes here before the earliest time at which it may sound
SHORTEST = 0.01  # seconds of a note
NEAR = 1e-6  # grid lines: so near before one is on it
ROUNDING = 1e-7  # seconds that there and back through the clock may add
STAGED = -1  # the id of a token that is no longer the model's own


class Timeline(Protocol):
    """What tells beats from seconds: a Clock."""

    @property
    def tempo(self) -> float:
        """Beats a minute."""

    def beat_at(self, time: float) -> float:
        """The beat at a time."""

    def time_of(self, beat: float) -> float:
        """The time of a beat."""


class Seconds:
    """Where there is no song to follow: a beat is a second."""

    tempo = 60.0

    def beat_at(self, time: float) -> float:
        """The time itself."""
        return time

    def time_of(self, beat: float) -> float:
        """The beat itself."""
        return beat


@dataclass(slots=True)
class Scheduled:
    """A note on or off that is to sound at a beat."""

    beat: float
    event: NoteOn | NoteOff


class Scheduler:
    """What a plan gives, in time. A plan's seconds are the clock's from `anchor` on, at its tempo.

    `sounding`: pitches of the model's that sound already, in the order in which they began. Times
    that it is told are those at which what is due should sound.
    """

    def __init__(
        self, clock: Timeline, playing: Playing, anchor: float, sounding: list[int]
    ) -> None:
        self._clock, self._playing, self._anchor = clock, playing, anchor
        self._speed = clock.tempo / 60.0
        self._beat = self._first = clock.beat_at(anchor)  # no note begins before `_first`
        self._last = self._first  # the beat of the newest onset
        self._waiting: list[Scheduled] = []
        self._moved: dict[int, float] = {}  # pitch -> beats by which its onset was moved
        self._began: dict[int, float] = {}  # pitch -> the beat of its onset
        self._sounding = dict.fromkeys(sounding)
        self._early = MARGIN + playing.quantize_strength * playing.grid / 2 / self._speed

    def planned_at(self, time: float) -> float:
        """The second of the plan that sounds at a time, before the grid."""
        return self._anchor + (self._clock.beat_at(time) - self._beat) / self._speed

    def needed_until(self, now: float) -> float:
        """Up to which of its seconds the plan must have been taken from by now."""
        return self.planned_at(now) + self._early + ROUNDING

    def next_due(self, planned: float | None) -> float | None:
        """When there is something to do, `planned` being the time of the plan's next token."""
        times = [] if planned is None else [self.sounds_at(planned - self._early)]
        if self._waiting:
            times.append(self._clock.time_of(self._waiting[0].beat))
        return min(times, default=None)

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def sounds_at(self, planned: float) -> float:
        """When a second of the plan sounds, before the grid: the inverse of `planned_at`."""
        return self._clock.time_of(self._beat_of(planned))

    def _beat_of(self, planned: float) -> float:
        return self._beat + (planned - self._anchor) * self._speed

    def take(self, token: Token, now: float) -> None:
        """Give a token of the plan its place."""
        raw = self._beat_of(token.time)
        ons = [event for event in token.events if isinstance(event, NoteOn)]
        for on in ons:
            beat = self._onset(raw, now)
            self._cut(on, beat)
            self._moved[on.pitch], self._began[on.pitch] = beat - raw, beat
            self._wait(Scheduled(beat, on))
        for event in token.events:
            if isinstance(event, NoteOff) and not ons:
                beat = raw + self._moved.pop(event.pitch, 0.0)
                shortest = self._began.pop(event.pitch, -math.inf) + SHORTEST * self._speed
                self._wait(Scheduled(max(beat, shortest), event))

    def _onset(self, raw: float, now: float) -> float:
        """The beat at which a note begins."""
        strength, size = self._playing.quantize_strength, self._playing.grid
        beat = raw
        if strength:
            earliest = max(self._first, self._clock.beat_at(now))
            line = max(round(raw / size), math.ceil(earliest / size - NEAR)) * size
            beat += strength * (line - raw)
        self._last = max(self._last, beat)
        return self._last

    def _cut(self, on: NoteOn, beat: float) -> None:
        """A pitch is struck anew: what sounds of it ends there, if not before."""
        ends = [w for w in self._waiting if w.beat > beat and _ends(w, on.pitch)]
        for waiting in ends:
            self._waiting.remove(waiting)
        if ends or on.pitch in self._began:
            self._wait(Scheduled(beat, NoteOff(on.time, on.pitch, on.part)))

    def _wait(self, waiting: Scheduled) -> None:
        insort(self._waiting, waiting, key=lambda w: w.beat)

    def due(self, now: float) -> Token | None:
        """What is to sound next, if its time has come."""
        while self._waiting:
            waiting = self._waiting[0]
            time = self._clock.time_of(waiting.beat)
            if time > now + ROUNDING:
                return None
            late = now - time > self._playing.late_after
            if late and isinstance(waiting.event, NoteOn):
                if self._playing.late_notes == "shift":
                    self._shift(self._clock.beat_at(now) - waiting.beat)
                    continue
                if self._playing.late_notes == "drop" or self._is_over(waiting.event.pitch, now):
                    self._waiting.pop(0)
                    continue
            self._waiting.pop(0)
            time = now if late else min(time, now)  # nothing is heard that is yet to come
            return Token(STAGED, time, self._ended_by(waiting.event, time), drawn=False)
        return None

    def until(self, time: float) -> list[NoteOn | NoteOff]:
        """All that is to sound up to a time, with the times at which it does."""
        events = []
        while self._waiting and (due := self._clock.time_of(self._waiting[0].beat)) <= time:
            events += self._ended_by(self._waiting.pop(0).event, due)
        return events

    def _shift(self, by: float) -> None:
        """All that is to come is put off by so many beats, on the grid by whole lines of it."""
        size = self._playing.grid
        if self._playing.quantize_strength:
            by = math.ceil(by / size) * size
        self._beat += by
        self._last += by
        for waiting in self._waiting:
            waiting.beat += by

    def _is_over(self, pitch: int, now: float) -> bool:
        """Whether the note that comes next on a pitch has its end behind it."""
        end = next((w.beat for w in self._waiting[1:] if _ends(w, pitch)), math.inf)
        return end <= self._clock.beat_at(now)

    def _ended_by(self, event: NoteOn | NoteOff, time: float) -> list[NoteOn | NoteOff]:
        """An event with its time; before a note that is one too many, the end of the oldest."""
        events: list[NoteOn | NoteOff] = []
        self._sounding.pop(event.pitch, None)
        if isinstance(event, NoteOn):
            while len(self._sounding) >= self._playing.polyphony:
                oldest = next(iter(self._sounding))
                del self._sounding[oldest]
                events.append(NoteOff(time, oldest, event.part))
            self._sounding[event.pitch] = None
        return [*events, replace(event, time=time)]


def _ends(waiting: Scheduled, pitch: int) -> bool:
    return isinstance(waiting.event, NoteOff) and waiting.event.pitch == pitch
