"""Motifs: finds rhythms and figures of the performer that a reply repeats, and what followed them.

A motif is described by its inter-onset intervals (IOIs) and by the scale steps between its highest
notes. So it matches at any pitch. IOIs are quantized to the performer's tatum, so uneven playing
matches too.

At each onset of a reply, each onset of the performer is compared with it: how many of the latest
IOIs agree, and how many of the latest steps. What followed at an onset of the performer is expected
to follow again, with a weight that grows with the number of agreements. This is a variable-order
Markov model (Begleiter et al., "On prediction using variable order Markov models", 2004) of rhythm
and melody, over about the last minute of one performer.

The beginning of a reply matches the beginning of each phrase, so a phrase heard once can be
answered.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Integers

CHORD = 0.035  # seconds within which note-ons count as one onset
REST = 1.2, 3.0  # a phrase begins after an IOI above both: seconds, and multiples of the median IOI
IOI_TOLERANCE = 0.25  # octaves within which two IOIs agree
QUICK = 0.7  # tatums; shorter IOIs (grace notes) are not quantized
LEGATO = 0.85  # share of the IOI from which on a note counts as lasting until the next onset
SCALE_SIZE = 5  # the least number of pitch classes from which a scale is derived
MAX_ORDER = 3  # the most IOIs, and the most steps, that are compared: the order of the model
AGREEMENT_FACTOR = 3.0  # weight of a place, for each IOI or step that agrees
PITCH_FACTOR = 2.0  # weight of a place at the same pitch
ESCAPE = 1.5  # the weight of "something else follows", so that few onsets are no certainty
BEYOND = 2  # semitones outside the performer's range to which a motif may be transposed
MAX_INTERVAL = 28  # half steps of the scale; larger intervals count as this one
GOLDEN = 0.618  # spreads fractions evenly
NO_GAP, NO_STEP = -99.0, 999  # IOI and step before a phrase's first onset, which agree with none


@dataclass(slots=True)
class Onset:
    """One onset of the performer: a note or a chord.

    `time`: of its first note-on, in seconds. `top`: its highest pitch. `keys`: its number of notes.
    `held`: how many earlier notes still sound. `begins`: whether it begins a phrase. `released`:
    the time at which `top` was released.
    """

    time: float
    top: int
    keys: int
    held: int
    begins: bool
    released: float = math.inf


class Match(NamedTuple):
    """For each place, how many of the latest IOIs (n,) and steps (n,) of a reply agree."""

    gaps: Integers
    steps: Integers


class Motifs:
    """The performer's n onsets, called places, and what followed each. All arrays are (n,).

    `gaps`: seconds to the next onset. `releases`: seconds until the highest note was released, at
    most `gaps`. `steps`: the interval to the next highest note, see `interval`. `keys`: the number
    of notes of the next onset; `held`: how many earlier notes it sounds with. Nothing follows the
    last onset of a phrase. `range`: lowest and highest pitch to which motifs are transposed.
    """

    def __init__(
        self, onsets: Sequence[Onset], tatum: float | None, times_the_keys: float = 1.0
    ) -> None:
        """`tatum`: seconds of the performer's shortest pulse; None: there is no pulse.
        `times_the_keys`: a factor on `keys` and `held`."""
        self._tatum = tatum
        tops = [onset.top for onset in onsets]
        self._tops, self._scale = np.array(tops), scale_of({top % 12 for top in tops})
        self.range = min(tops) - BEYOND, max(tops) + BEYOND
        gaps = [self.on_grid(after.time - onset.time) for onset, after in pairwise(onsets)]
        rest = max(REST[0], REST[1] * median(gaps))
        begins = [gap > rest or on.begins for gap, on in zip(gaps, onsets[1:], strict=True)]
        steps = [self.interval(before, after) for before, after in pairwise(tops)]
        self._gaps_before = np.array([NO_GAP, *map(math.log2, gaps)])
        self._steps_before = np.array([NO_STEP, *steps])
        self._gaps_before[1:][begins], self._steps_before[1:][begins] = NO_GAP, NO_STEP
        self._follows = np.array([*(not new for new in begins), False], np.float32)
        self.gaps, self.steps = np.array([*gaps, 0.0], np.float32), np.array([*steps, 0])
        self.keys, self.held = _keys(onsets[1:], times_the_keys)
        lasted = np.array([onset.released - onset.time for onset in onsets], np.float32)
        self.releases = np.where(lasted < LEGATO * self.gaps, lasted, self.gaps)
        nothing = np.zeros(len(onsets), np.int64)
        self._nowhere = Match(nothing, nothing)

    def on_grid(self, seconds: float) -> float:
        """An IOI in seconds, quantized to the tatum."""
        if self._tatum is None or seconds < QUICK * self._tatum:
            return max(seconds, 0.01)
        return round(seconds / self._tatum) * self._tatum

    def interval(self, pitch: int, after: int) -> int:
        """The interval between two pitches in half steps of the performer's scale; a step is 2."""
        interval = int(self._scale[after] - self._scale[pitch])
        return max(-MAX_INTERVAL, min(MAX_INTERVAL, interval))

    def intervals(self, pitch: int) -> Integers:
        """The interval from one pitch to each pitch (128,), plus `MAX_INTERVAL`."""
        intervals: Integers = self._scale - (self._scale[pitch] - MAX_INTERVAL)
        return intervals.clip(0, 2 * MAX_INTERVAL)

    def begun(self) -> Match:
        """The match after the first onset of a reply."""
        return self._after(self._nowhere, NO_GAP, NO_STEP)

    def after(self, match: Match, seconds: float, pitch: int, top: int) -> Match:
        """The match after one more onset: `seconds` later, from highest pitch `pitch` to `top`."""
        return self._after(match, math.log2(self.on_grid(seconds)), self.interval(pitch, top))

    def _after(self, match: Match, gap: float, step: int) -> Match:
        return Match(
            _longer(match.gaps, np.abs(self._gaps_before - gap) < IOI_TOLERANCE),
            _longer(match.steps, self._steps_before == step),
        )

    def weights(self, match: Match, top: int) -> Floats:
        """The weights (n,) of what follows each place, after an onset with highest pitch `top`."""
        agree = np.minimum(match.gaps, MAX_ORDER) + np.minimum(match.steps, MAX_ORDER)
        weights: Floats = _COUNTS[agree] * self._follows
        return np.where(self._tops == top, np.float32(PITCH_FACTOR) * weights, weights)


def _keys(onsets: Sequence[Onset], times: float) -> tuple[Integers, Integers]:
    """The number of notes of each onset and of none after the last, and of notes held into it.

    Both are multiplied by `times`. Fractions of a note become a note at some of the onsets.
    """
    struck = np.array([*(onset.keys for onset in onsets), 0])
    held = np.array([*(onset.held for onset in onsets), 0])
    if times == 1.0:
        return struck, held
    parts = np.arange(len(struck)) * GOLDEN % 1.0
    keys = np.floor(times * struck + parts).astype(np.int64).clip(1)
    keys[-1] = 0
    down = np.floor(times * (struck + held) + parts).astype(np.int64)
    return keys, (down - keys).clip(0)


_COUNTS = (AGREEMENT_FACTOR ** np.arange(2 * MAX_ORDER + 1)).astype(np.float32)


def _longer(agree: Integers, agrees: NDArray[np.bool_]) -> Integers:
    """Lengths (n,) of the runs of agreement up to each place; `agree`: those one onset ago."""
    longer = np.ones_like(agree)
    longer[1:] += agree[:-1]
    return longer * agrees


def scale_of(classes: set[int]) -> Integers:
    """The position of each pitch (128,) in the scale of these pitch classes, in half steps.

    Pitches outside the scale lie half a step from its notes. With fewer than `SCALE_SIZE` classes
    the scale is chromatic.
    """
    if len(classes) < SCALE_SIZE:
        return 2 * np.arange(128)
    inside = np.isin(np.arange(128) % 12, list(classes))
    places: Integers = 2 * inside.cumsum() - inside
    return places
