"""Motifs: rhythms and figures that were played, and how far the present takes them up.

A motif is known by its shape: the times between its onsets, and the steps of the scale between
their highest notes. So it is recognized from any pitch and, on the performer's grid, however uneven
their playing is. At each onset of a reply every place in what the performer played is compared with
the last onsets: how many times between onsets agree, one after the other, and how many steps. What
followed at a place is expected to follow again, the more the more agrees there. That is a
variable-order Markov model (Begleiter et al., "On prediction using variable order Markov models",
2004) of rhythm and melody at once, over the last minute or so of one performer.

A reply begins as a phrase does, so the beginnings of phrases agree with it at once: a phrase heard
once can be answered.
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

CHORD = 0.035  # seconds within which onsets are one
REST = 1.2, 3.0  # seconds, and times the usual time between onsets, after which a phrase begins
ALIKE = 0.25  # octaves within which two times between onsets agree
QUICK = 0.7  # tatums below which a time between onsets is no whole number of them
LEGATO = 0.85  # of the time to the next onset, from which on a note lasts until then
ENOUGH = 5  # pitch classes that make a scale
DEEPEST = 3  # onsets in a row that are compared
AGREES = 3.0  # how much more a place counts for each time between onsets, or step, that agrees
AT_PITCH = 2.0  # and for its pitch: what was heard comes again rather there than elsewhere
UNKNOWN = 1.5  # places of which nobody knows what follows, so that a few onsets make nothing sure
BEYOND = 2  # semitones beyond the performer's highest notes to which a motif may be moved
WIDEST = 28  # half steps of the scale between two notes that are told apart
GOLDEN = 0.618  # spreads parts of a whole evenly
NO_GAP, NO_STEP = -99.0, 999  # what stands for both before the first onset of a phrase


@dataclass(slots=True)
class Onset:
    """What was struck together: the first time, the highest pitch, how many keys; how many were
    held into it; whether it begins a phrase; when its highest note was released."""

    time: float
    top: int
    keys: int
    held: int
    begins: bool
    released: float = math.inf


class Match(NamedTuple):
    """How many times between onsets (n,), and how many steps (n,), agree with the last onsets of a
    reply up to each place."""

    gaps: Integers
    steps: Integers


class Motifs:
    """Onsets as n places at which a reply may stand, and what came next at each. All arrays are
    (n,).

    `gaps`: seconds to the next onset. `releases`: seconds until the highest note was released, or
    the next onset came. `steps`: the interval to the next highest note, see `interval`. `keys`: how
    many were struck then; `held`: how many were held. What comes after the last onset of a phrase
    counts nothing. `range`: the lowest and the highest pitch to which motifs are moved.
    """

    def __init__(
        self, onsets: Sequence[Onset], tatum: float | None, times_the_keys: float = 1.0
    ) -> None:
        """`tatum`: seconds of the shortest pulse that they keep to; None: they keep to none.
        `times_the_keys`: how many times as many keys are struck and held as were."""
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
        """A time between onsets without the unevenness of who played it."""
        if self._tatum is None or seconds < QUICK * self._tatum:
            return max(seconds, 0.01)
        return round(seconds / self._tatum) * self._tatum

    def interval(self, pitch: int, after: int) -> int:
        """From one pitch to another in half steps of the scale in which the performer plays, at
        most `WIDEST` either way: 2 is a step."""
        return max(-WIDEST, min(WIDEST, int(self._scale[after] - self._scale[pitch])))

    def intervals(self, pitch: int) -> Integers:
        """The interval from one pitch to each (128,), plus `WIDEST`."""
        intervals: Integers = self._scale - (self._scale[pitch] - WIDEST)
        return intervals.clip(0, 2 * WIDEST)

    def begun(self) -> Match:
        """After the first onset of a reply."""
        return self._after(self._nowhere, NO_GAP, NO_STEP)

    def after(self, match: Match, seconds: float, pitch: int, top: int) -> Match:
        """After an onset more, with `top` the highest pitch, so many seconds after one whose
        highest was `pitch`."""
        return self._after(match, math.log2(self.on_grid(seconds)), self.interval(pitch, top))

    def _after(self, match: Match, gap: float, step: int) -> Match:
        return Match(
            _longer(match.gaps, np.abs(self._gaps_before - gap) < ALIKE),
            _longer(match.steps, self._steps_before == step),
        )

    def weights(self, match: Match, top: int) -> Floats:
        """How much what follows at each place is expected after the highest pitch `top`."""
        agree = np.minimum(match.gaps, DEEPEST) + np.minimum(match.steps, DEEPEST)
        weights: Floats = _COUNTS[agree] * self._follows
        return np.where(self._tops == top, np.float32(AT_PITCH) * weights, weights)


def _keys(onsets: Sequence[Onset], times: float) -> tuple[Integers, Integers]:
    """How many keys are struck at each onset and at none more, and how many held into it.

    Of `times` as many as were, parts of a key are a key at some of the onsets.
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


_COUNTS = (AGREES ** np.arange(2 * DEEPEST + 1)).astype(np.float32)


def _longer(agree: Integers, agrees: NDArray[np.bool_]) -> Integers:
    """One more than at the place before where it agrees, else nothing."""
    longer = np.ones_like(agree)
    longer[1:] += agree[:-1]
    return longer * agrees


def scale_of(classes: set[int]) -> Integers:
    """The place of each pitch (128,) in a scale of these pitch classes, in half steps: what is not
    in it is between. Of few of them nobody knows the scale: then it is chromatic."""
    if len(classes) < ENOUGH:
        return 2 * np.arange(128)
    inside = np.isin(np.arange(128) % 12, list(classes))
    places: Integers = 2 * inside.cumsum() - inside
    return places
