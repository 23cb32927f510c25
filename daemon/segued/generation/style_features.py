"""Features of a style of playing, to compare the candidates with the performer."""

import math
from bisect import bisect
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

from ..tokens.events import Event, NoteOn
from .shaping import Playing

WINDOW = 20.0  # seconds of the performer's playing that candidates are compared with
REMEMBERED = 128  # the most notes in that window
FEWEST = 4  # notes needed for a comparison
CHORD = 0.03  # seconds within which notes are one chord: pianists' asynchrony (Goebl, 2001)
STEPS = (
    -7,
    -4,
    -2,
    0,
    1,
    3,
    5,
    8,
)  # semitones at which a melody's intervals are divided into kinds


@dataclass(frozen=True, slots=True)
class StyleFeatures:
    """Features of some notes.

    `density`: notes per second. `pitch`, `spread`: mean and standard deviation of the pitches.
    `velocity`, `swell`: the same of the velocities. `classes`: the share of each pitch class (12,).
    `steps`: the share of each kind of interval (`STEPS`) between the highest notes of successive
    chords; all 0 if there is none.
    """

    density: float
    pitch: float
    spread: float
    velocity: float
    swell: float
    classes: tuple[float, ...]
    steps: tuple[float, ...]

    @classmethod
    def of(cls, notes: Collection[NoteOn], seconds: float) -> "StyleFeatures":
        """The features of at least one note, in order of time, played within `seconds`."""
        count, classes = len(notes), [0.0] * 12
        for note in notes:
            classes[note.pitch % 12] += 1.0 / count
        pitch = sum(note.pitch for note in notes) / count
        spread = (sum((note.pitch - pitch) ** 2 for note in notes) / count) ** 0.5
        velocity = sum(note.velocity for note in notes) / count
        swell = (sum((note.velocity - velocity) ** 2 for note in notes) / count) ** 0.5
        return cls(count / seconds, pitch, spread, velocity, swell, tuple(classes), _steps(notes))

    def similarity(self, wanted: "StyleFeatures", playing: Playing) -> float:
        """Similarity to `wanted`, shifted by the steering knobs; 0 is identical, negative is worse.

        These differences all count as 1: an octave in pitch, an octave in its spread, 12 in
        velocity, 12 in its spread, half the pitch classes, all intervals, a factor of e in density.
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
    """The notes of the last `WINDOW` seconds of the performer's playing."""

    def __init__(self) -> None:
        self._notes: deque[NoteOn] = deque(maxlen=REMEMBERED)

    def hear(self, event: Event) -> None:
        """Process an event of the performer."""
        if isinstance(event, NoteOn):
            self._notes.append(event)
            while self._notes[0].time <= event.time - WINDOW:
                self._notes.popleft()

    def forget(self) -> None:
        """Forget all notes."""
        self._notes.clear()

    @property
    def pace(self) -> float:
        """Onsets a second; 0 when there are too few. A chord is one onset."""
        times = [note.time for note in self._notes]
        onsets = [time for before, time in pairwise(times) if time - before >= CHORD]
        seconds = onsets[-1] - times[0] if onsets else 0.0
        return len(onsets) / seconds if len(times) >= FEWEST and seconds > 0.0 else 0.0

    @property
    def features(self) -> StyleFeatures | None:
        """The features of these notes; None when there are too few."""
        count = len(self._notes)
        seconds = self._notes[-1].time - self._notes[0].time if count else 0.0
        if count < FEWEST or seconds <= 0.0:
            return None
        return StyleFeatures.of(self._notes, seconds * count / (count - 1))


def _steps(notes: Collection[NoteOn]) -> tuple[float, ...]:
    """The share of each kind of interval between the highest notes of successive chords."""
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
    """0 if two melodies have the same kinds of intervals, or one has none; -1 at worst."""
    if not any(some) or not any(wanted):
        return 0.0
    return sum(map(min, some, wanted)) - 1.0
