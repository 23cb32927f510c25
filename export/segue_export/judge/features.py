"""What two passages of music have in common: distributions of seven features, and their overlap.

Definitions follow Yang and Lerch, "On the evaluation of generative models in music" (2020), and
their toolbox mgeval, where they carry over to polyphonic piano; the overlap, too, is theirs: the
area under both of two smoothed densities. Three things differ, each for a reason:

- mgeval's intervals and inter-onset times are those between consecutive notes of one voice. In a
  chord on a piano the order of notes is chance, so here a chord is one event: notes that begin
  within CHORD of its first. An interval is that between the highest notes of successive chords,
  which is what is heard as the melody (Uitdenbogerd and Zobel, 1998).
- mgeval's kernel widths follow the data, so that a passage of few notes is smoothed more than one
  of many. Here each feature has one width, about the difference that listeners hardly notice.
- The fewer values there are, the smaller the overlap comes out, even with themselves. Whatever is
  to be compared with the same passage is therefore thinned to the same number of values at random.
  Overlaps of equal size are off by equally much, and their differences are not. A sparse reply
  loses in `density`, where it should, and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from segued.midi.notes import Note
from segued.tokens.events import Event, NoteOff, NoteOn

CHORD = 0.03  # seconds within which notes are one chord: what pianists spread one by (Goebl, 2001)
RING = 2.0  # seconds after a passage within which the lengths of its notes are still heard
DRAWS = 10  # random thinnings that are averaged
FEWEST = 8  # values below which nothing else is thinned: something that short is compared as it is

HOP, WINDOW = 0.25, 1.0  # seconds: density is the notes in windows of this length, so far apart

Values = dict[str, np.ndarray]
"""A feature's values in a passage, one array a feature."""


@dataclass(frozen=True)
class Feature:
    """A feature's values lie from `low` to `high`; `width` is its kernel's standard deviation."""

    name: str
    low: float
    high: float
    step: float
    width: float
    unit: str

    @property
    def grid(self) -> np.ndarray:
        """Where its density is computed, (points,)."""
        return np.arange(self.low, self.high + self.step / 2, self.step)

    def kernel(self) -> np.ndarray:
        """(points, points): how the weight of a value at each point is spread over all."""
        distance = self.grid[:, np.newaxis] - self.grid
        if not self.width:
            return np.eye(len(self.grid))
        spread = np.exp(-0.5 * (distance / self.width) ** 2)
        kernel: np.ndarray = spread / spread.sum(axis=1, keepdims=True)
        return kernel


FEATURES = (
    Feature("pitch class", 0, 11, 1, 0.0, "semitones above C"),
    Feature("pitch", 0, 127, 1, 2.0, "semitones"),
    Feature("interval", -24, 24, 0.5, 1.0, "semitones, between highest notes"),
    Feature("inter-onset", -5, 3, 0.05, 0.15, "octaves of seconds, between chords"),
    Feature("duration", -6.5, 4, 0.05, 0.25, "octaves of seconds"),
    Feature("velocity", 1, 127, 1, 4.0, "MIDI velocities"),
    Feature("density", 0, 7, 0.1, 0.5, "square root of notes in a second"),
)
"""Times are logarithmic, as they are heard; counts are square roots, whose spread is even."""

KERNELS = {feature.name: feature.kernel() for feature in FEATURES}


def notes_of(events: Sequence[Event]) -> list[Note]:
    """Notes of a decoded performance (no pedals, no overlaps), by onset."""
    begun: dict[int, NoteOn] = {}
    notes = []
    for event in events:
        if isinstance(event, NoteOn):
            begun[event.pitch] = event
        elif isinstance(event, NoteOff) and event.pitch in begun:
            on = begun.pop(event.pitch)
            notes.append(Note(on.time, event.time, on.pitch, on.velocity))
    return sorted(notes, key=lambda note: (note.start, note.pitch))


def values_of(notes: Sequence[Note], start: float, seconds: float) -> Values:
    """The values of each feature over the notes that begin in a passage; notes are by onset."""
    inside = [n for n in notes if start <= n.start < start + seconds]
    onsets = np.array([n.start for n in inside])
    pitches = np.array([n.pitch for n in inside], float)
    ends = np.array([min(n.end, start + seconds + RING) for n in inside])
    times, tops = chords(onsets, pitches)
    begin = np.arange(0.0, seconds - WINDOW + 1e-9, HOP) + start
    counts = np.searchsorted(onsets, begin + WINDOW) - np.searchsorted(onsets, begin)
    return {
        "pitch class": pitches % 12,
        "pitch": pitches,
        "interval": np.diff(tops),
        "inter-onset": np.log2(np.maximum(np.diff(times), CHORD)),
        "duration": np.log2(np.maximum(ends - onsets, 0.01)),
        "velocity": np.array([n.velocity for n in inside], float),
        "density": np.sqrt(counts) if len(inside) else np.zeros(0),
    }


def chords(onsets: np.ndarray, pitches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """When each chord begins and its highest pitch; `onsets` in order."""
    firsts: list[float] = []
    tops: list[float] = []
    for onset, pitch in zip(onsets.tolist(), pitches.tolist(), strict=True):
        if firsts and onset - firsts[-1] < CHORD:
            tops[-1] = max(tops[-1], pitch)
        else:
            firsts.append(onset)
            tops.append(pitch)
    return np.array(firsts), np.array(tops)


def overlaps(
    real: Values, others: Mapping[str, Sequence[Values]], rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """How much each of several groups of passages has in common with a real one, 0..1.

    The result has a group's mean for each feature. All passages are thinned to the same number of
    values; one without any has nothing in common with it.
    """
    result: dict[str, dict[str, float]] = {group: {} for group in others}
    for feature in FEATURES:
        name = feature.name
        size = min([len(values[name]) for group in others.values() for values in group])
        size = max(size, FEWEST)
        target = density(feature, real[name][np.newaxis])
        for group, passages in others.items():
            shared = [
                np.minimum(target, density(feature, _thinned(values[name], size, rng))).sum(axis=1)
                for values in passages
            ]
            result[group][name] = float(np.mean([part.mean() for part in shared]))
    return result


def density(feature: Feature, values: np.ndarray) -> np.ndarray:
    """Smoothed density of each row of values, (rows, points), each of sum 1 (0 without values)."""
    rows, size = values.shape
    points = len(feature.grid)
    places = np.clip(np.round((values - feature.low) / feature.step), 0, points - 1).astype(int)
    places += points * np.arange(rows)[:, np.newaxis]
    counts = np.bincount(places.ravel(), minlength=rows * points).reshape(rows, points)
    smoothed: np.ndarray = counts / max(1, size) @ KERNELS[feature.name]
    return smoothed


def _thinned(values: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Random parts of some values, (DRAWS, size), or all of them, (1, values)."""
    if len(values) <= size:
        return values[np.newaxis]
    return values[rng.random((DRAWS, len(values))).argpartition(size - 1)[:, :size]]
