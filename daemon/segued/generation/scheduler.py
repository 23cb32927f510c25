"""Schedules planned notes on the clock: tempo, quantization, and the policy for late notes.

A plan's times are seconds at the tempo at which it was made. The scheduler converts them to beats
of the clock, so that a reply follows tempo changes, and quantizes onsets: each moves toward its
nearest grid line by the knob `quantize_strength`, but never before the beginning of the reply,
never into the past (then the next line is used), and never past another onset. A note keeps its
length; if its pitch is played again, it ends there. Beats are converted to time at the last moment.

A moved note enters the context as it sounds, encoded like the performer's notes, instead of the
plan's tokens, so that the context holds what was heard. This needs additional model steps, between
notes. The plan itself continues from its own tokens.
"""

import math
from bisect import insort
from dataclasses import dataclass, replace
from typing import Protocol

from ..tokens.events import NoteOff, NoteOn
from .reply import Token
from .shaping import Playing

MARGIN = 0.03  # seconds by which a note must get here before it may sound
SHORTEST = 0.01  # seconds of a note
NEAR = 1e-6  # grid units; a beat this little after a grid line counts as on it
ROUNDING = 1e-7  # seconds of rounding error of a conversion to beats and back
RESCHEDULED = -1  # the id of a token that the scheduler has made


class Timeline(Protocol):
    """Converts between seconds and beats: a Clock."""

    @property
    def tempo(self) -> float:
        """Beats per minute."""

    def beat_at(self, time: float) -> float:
        """The beat at a time."""

    def time_of(self, beat: float) -> float:
        """The time of a beat."""


class Seconds:
    """The timeline without a song: a beat is a second."""

    tempo = 60.0

    def beat_at(self, time: float) -> float:
        """The time itself."""
        return time

    def time_of(self, beat: float) -> float:
        """The beat itself."""
        return beat


@dataclass(slots=True)
class Scheduled:
    """A note-on or note-off that is due at a beat."""

    beat: float
    event: NoteOn | NoteOff


class Scheduler:
    """Schedules the tokens of a plan, whose time `anchor` is that of the clock.

    `sounding`: the model's sounding pitches, the oldest first. All times passed to it are times at
    which notes are to sound.
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
        """The plan's time that sounds at `time`, before quantization."""
        return self._anchor + (self._clock.beat_at(time) - self._beat) / self._speed

    def needed_until(self, now: float) -> float:
        """Up to which of the plan's times its tokens must have been passed to `take` by now."""
        return self.planned_at(now) + self._early + ROUNDING

    def next_due(self, planned: float | None) -> float | None:
        """When `take` or `due` is next needed; `planned`: the time of the plan's next token."""
        times = [] if planned is None else [self.sounds_at(planned - self._early)]
        if self._waiting:
            times.append(self._clock.time_of(self._waiting[0].beat))
        return min(times, default=None)

    @property
    def empty(self) -> bool:
        """Whether nothing is scheduled."""
        return not self._waiting

    def sounds_at(self, planned: float) -> float:
        """When a time of the plan sounds, before quantization: the inverse of `planned_at`."""
        return self._clock.time_of(self._beat_of(planned))

    def _beat_of(self, planned: float) -> float:
        return self._beat + (planned - self._anchor) * self._speed

    def take(self, token: Token, now: float) -> None:
        """Schedule the events of a token of the plan."""
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
        """The quantized beat of an onset."""
        strength, size = self._playing.quantize_strength, self._playing.grid
        beat = raw
        if strength:
            earliest = max(self._first, self._clock.beat_at(now))
            line = max(round(raw / size), math.ceil(earliest / size - NEAR)) * size
            beat += strength * (line - raw)
        self._last = max(self._last, beat)
        return self._last

    def _cut(self, on: NoteOn, beat: float) -> None:
        """End a note that is still sounding when its pitch is played again."""
        ends = [w for w in self._waiting if w.beat > beat and _ends(w, on.pitch)]
        for waiting in ends:
            self._waiting.remove(waiting)
        if ends or on.pitch in self._began:
            self._wait(Scheduled(beat, NoteOff(on.time, on.pitch, on.part)))

    def _wait(self, waiting: Scheduled) -> None:
        insort(self._waiting, waiting, key=lambda w: w.beat)

    def due(self, now: float) -> Token | None:
        """The next scheduled event as a token, if it is due."""
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
            time = now if late else min(time, now)  # never in the future
            return Token(RESCHEDULED, time, self._limited(waiting.event, time), drawn=False)
        return None

    def until(self, time: float) -> list[NoteOn | NoteOff]:
        """Remove and return all events that are due up to a time, with their times."""
        events = []
        while self._waiting and (due := self._clock.time_of(self._waiting[0].beat)) <= time:
            events += self._limited(self._waiting.pop(0).event, due)
        return events

    def _shift(self, by: float) -> None:
        """Delay everything by `by` beats; if quantized, by whole grid units."""
        size = self._playing.grid
        if self._playing.quantize_strength:
            by = math.ceil(by / size) * size
        self._beat += by
        self._last += by
        for waiting in self._waiting:
            waiting.beat += by

    def _is_over(self, pitch: int, now: float) -> bool:
        """Whether the next note of a pitch should already have ended."""
        end = next((w.beat for w in self._waiting[1:] if _ends(w, pitch)), math.inf)
        return end <= self._clock.beat_at(now)

    def _limited(self, event: NoteOn | NoteOff, time: float) -> list[NoteOn | NoteOff]:
        """The event at `time`, after the end of the oldest note if there would be too many."""
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
