"""What somebody's notes are like, so that the notes of another can be compared with them."""

import math
from bisect import bisect
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

from ..tokens.events import Event, NoteOn
from .shaping import Playing

WINDOW = 20.0  # seconds of the performer's playing that a candidate is compared with
REMEMBERED = 128  # notes of it, at most
FEWEST = 4  # notes that can be compared with
CHORD = 0.03  # seconds within which notes are one chord: what pianists spread one by (Goebl, 2001)
STEPS = (-7, -4, -2, 0, 1, 3, 5, 8)  # semitones from which on a step of a melody is of another kind


@dataclass(frozen=True, slots=True)
class StyleFeatures:
    """What some notes are like: notes a second, middle and spread of their pitches in semitones,
    mean and spread of their velocities, the share of each pitch class (12,), and what their melody
    does: the share of each kind of step between the highest notes of successive chords (`STEPS`;
    all 0 if there is none)."""

    density: float
    pitch: float
    spread: float
    velocity: float
    swell: float
    classes: tuple[float, ...]
    steps: tuple[float, ...]

    @classmethod
    def of(cls, notes: Collection[NoteOn], seconds: float) -> "StyleFeatures":
        """Of at least one note, in order of time, in so many seconds."""
        count, classes = len(notes), [0.0] * 12
        for note in notes:
            classes[note.pitch % 12] += 1.0 / count
        pitch = sum(note.pitch for note in notes) / count
        spread = (sum((note.pitch - pitch) ** 2 for note in notes) / count) ** 0.5
        velocity = sum(note.velocity for note in notes) / count
        swell = (sum((note.velocity - velocity) ** 2 for note in notes) / count) ** 0.5
        return cls(count / seconds, pitch, spread, velocity, swell, tuple(classes), _steps(notes))

    def likeness(self, wanted: "StyleFeatures", playing: Playing) -> float:
        """How like it is to another one, at which the knobs lean; 0 at best, less is worse.

        An octave, a spread of an octave more, a velocity of 12, a spread of velocities of 12 more,
        half the pitch classes, all of the steps and a factor of e in density count alike.
        """
        common = sum(map(min, self.classes, wanted.classes))
        return (
            2.0 * (common - 1.0)
            + _alike(self.steps, wanted.steps)
            - abs(math.log(self.density / (wanted.density * playing.density)))
            - abs(self.pitch - wanted.pitch - playing.register) / 12.0
            - abs(self.spread - wanted.spread) / 12.0
            - abs(self.velocity - wanted.velocity - playing.dynamics) / 12.0
            - abs(self.swell - wanted.swell) / 12.0
        )


class RecentNotes:
    """What the performer played lately: the notes of the last `WINDOW` seconds of it."""

    def __init__(self) -> None:
        self._notes: deque[NoteOn] = deque(maxlen=REMEMBERED)

    def hear(self, event: Event) -> None:
        """Something that was played."""
        if isinstance(event, NoteOn):
            self._notes.append(event)
            while self._notes[0].time <= event.time - WINDOW:
                self._notes.popleft()

    def forget(self) -> None:
        """Nothing was played."""
        self._notes.clear()

    @property
    def features(self) -> StyleFeatures | None:
        """None: too little to compare anything with."""
        count = len(self._notes)
        seconds = self._notes[-1].time - self._notes[0].time if count else 0.0
        if count < FEWEST or seconds <= 0.0:
            return None
        return StyleFeatures.of(self._notes, seconds * count / (count - 1))


def _steps(notes: Collection[NoteOn]) -> tuple[float, ...]:
    """Shares of the kinds of steps from chord to chord, each heard by its highest note."""
    tops: list[int] = []
    begun = -math.inf
    for note in notes:
        if note.time - begun >= CHORD:
            begun = note.time
            tops.append(note.pitch)
        elif note.pitch > tops[-1]:
            tops[-1] = note.pitch
    counts = [0.0] * (len(STEPS) + 1)
    for before, after in pairwise(tops):
        counts[bisect(STEPS, after - before)] += 1.0 / (len(tops) - 1)
    return tuple(counts)


def _alike(some: tuple[float, ...], wanted: tuple[float, ...]) -> float:
    """0 where two melodies move alike, or where one of them does not move; -1 at worst."""
    if not any(some) or not any(wanted):
        return 0.0
    return sum(map(min, some, wanted)) - 1.0
