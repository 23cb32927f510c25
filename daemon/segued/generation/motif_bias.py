"""A logit bias towards the performer's motifs: their rhythms, and their figures on any step.

At each onset of a reply it is known how far what followed at each place in the performer's playing
is expected now (`recall.motifs`): when the next onset comes, how many keys it has and how many are
held into it, and how many steps its highest note goes up or down. What leads there is made
likelier, within bounds: what the network holds for improbable stays so. That time passes at all
stays as likely as it was; among the pitches near the melody the sum stays.
"""

import math
from collections.abc import Collection, Iterable
from copy import copy
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..recall.motifs import CHORD, UNKNOWN, WIDEST, Match, Motifs
from ..timing.tempo_follower import Pulse
from ..tokens.vocabulary import NOTE_OFF, NOTE_ON, TIME_SHIFT, VELOCITY, Vocabulary
from .shaping import Playing

TIMES = 0.8  # share of the time shifts that go where something is expected, at most
LIKED = 0.4  # exponent of the network's own probability in that: 0 any place, 1 only likely ones
PLAUSIBLE = 0.2  # of the likeliest time shift, to that exponent: what is liked less counts less
PITCHES = 3.0  # nats, at most, by which a pitch that is expected becomes likelier
OUTSIDE, MOST_OUTSIDE = 0.5, 4.0  # nats less for each semitone beyond the performer's range
ONSETS, BETWEEN = 1.0, 1.2  # nats more for a note where one is expected, less where none is
HELD, RELEASES = 2.5, 1.0  # nats less for one while too many are held, more for releasing them
KEYS = 2.0  # nats more or less for another note of a chord
STEEP = 20.0  # how soon a small expectation counts
NEAR = 12  # semitones around the highest note, among which the next one is
SAME = 6  # steps by which a time between onsets may miss an expected one
AGREES = 3.0  # how much more a place counts whose next onset came after the same time
LONGEST = 400  # steps after an onset up to which the next one is expected
LEAST = 0.02  # of what is expected, below which nothing is
OFF_GRID = 0.3  # tatums beside a line of the grid, from which on an onset is not on it
TINY = 1e-6

_BLUR = np.exp(-0.5 * (np.arange(-4, 5) / 1.6) ** 2).astype(np.float32)  # steps around an onset
_FLAT = np.float32(1.0 / _BLUR.sum())
_STEEPEST = math.log1p(STEEP)


class Expected(NamedTuple):
    """How far something is expected so many steps after an onset, and how far later than that."""

    here: Floats
    later: Floats


class MotifBias:
    """The bias for one plan, whose seconds are `offset` less than those of the `pulse`.

    `strength`: 0 (nothing) to 1. The knobs count: at half the density a rhythm comes in
    augmentation, twice as long; the register moves the range of the melody.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        motifs: Motifs,
        playing: Playing,
        pulse: Pulse | None = None,
        offset: float = 0.0,
    ) -> None:
        self._motifs, self._pulse, self._offset = motifs, pulse, offset
        self._swing = None if pulse is None else pulse.swing
        parts = [vocabulary.ids(kind) for kind in (TIME_SHIFT, NOTE_ON, VELOCITY, NOTE_OFF)]
        parts_of = [slice(part.start, part.stop) for part in parts]
        self._shifts, self._ons, self._velocities, self._offs = parts_of
        self._longest_shift = vocabulary.max_shift()
        self._per_second = vocabulary.steps_per_second
        self._chord = math.ceil(CHORD * self._per_second)
        low, high = motifs.range
        pitches = np.arange(128) - playing.register
        outside = np.maximum(0, np.maximum(low - pitches, pitches - high))
        self._inside = (outside == 0).astype(np.float32)
        self._outside = np.minimum(OUTSIDE * outside, MOST_OUTSIDE).astype(np.float32)
        self._stretch = np.float32(1.0 / playing.density)
        self.strength = 1.0
        self._begun = False  # whether there was an onset
        self._onset = 0  # step of the last one
        self._top = self._top_before = 0  # the highest pitch of it, and of the one before
        self._keys = 0  # how many it has
        self._passed = 0  # steps from the one before to it
        self._sounding = 0  # how many notes sound
        self._top_sounds = False
        self._match: Match | None = None  # with the last onset, and before it
        self._match_before: Match | None = None
        self._times: tuple[Expected, Expected] | None = None  # of onset, and release or onset
        self._weights = self._weights_of_next = np.zeros(0, np.float32)
        self._unknown = 1.0  # share of what nobody knows
        self._row: Floats | None = None  # what is expected of the next onset's highest pitch

    def copy(self) -> "MotifBias":
        """One of its own, that stands where this one does."""
        return copy(self)

    def resume(self, notes: Iterable[tuple[float, int]], sounding: Collection[int]) -> None:
        """The reply has struck these notes, (seconds, pitch); some pitches are `sounding`."""
        for time, pitch in notes:
            self.note_on(math.floor(time * self._per_second + 0.5), pitch)
        self._sounding, self._top_sounds = len(sounding), self._top in sounding

    def note_off(self, pitch: int) -> None:
        """The reply released a note."""
        self._sounding -= 1
        self._top_sounds = self._top_sounds and pitch != self._top

    def note_on(self, step: int, pitch: int) -> None:
        """The reply struck a note at a step of the plan."""
        self._sounding += 1
        passed = step - self._onset
        if self._begun and passed < self._chord:
            self._keys += 1
            if pitch <= self._top:
                return
            passed = self._passed
        else:
            self._match_before, self._top_before = self._match, self._top
            self._onset, self._keys, self._passed = step, 1, passed
        self._begun, self._top, self._top_sounds, self._times = True, pitch, True, None
        if self._match_before is None:
            self._match = self._motifs.begun()
        else:
            steps = self._straight(step, passed)
            seconds = steps / self._per_second / float(self._stretch)
            self._match = self._motifs.after(self._match_before, seconds, self._top_before, pitch)

    def apply(self, logits: Floats, step: int) -> Floats:
        """Logits (V,) of what comes next at a step of the plan, with the bias. 50 µs."""
        if self._match is None or self.strength <= 0.0:
            return logits
        passed = step - self._onset
        biased = logits.copy()
        if self._times is None:
            self._times = self._expect(self._match)
        if passed < self._chord:
            self._bias_keys(biased, passed)
            self._bias_pitches(biased, self._top + 1, self._top_before + NEAR, 1.0)
        else:
            self._bias_onsets(biased, passed)
            single = self._expect_pitches(passed)
            self._bias_pitches(biased, self._top - NEAR, self._top + NEAR, single)
        self._bias_times(biased, passed)
        return biased

    def _expect(self, match: Match) -> tuple[Expected, Expected]:
        """When the next onset is expected; when the release of the highest note or, if that is not
        sooner, the onset."""
        motifs = self._motifs
        self._weights = motifs.weights(match, self._top)
        total = float(self._weights.sum()) + UNKNOWN
        self._unknown = UNKNOWN / total
        shares = self._weights / np.float32(total)
        onset = self._spread(self._after(motifs.gaps), shares)
        return onset, self._spread(self._after(motifs.releases), shares)

    def _after(self, gaps: Floats) -> Floats:
        """Seconds after the last onset at which straight times after it come."""
        after = gaps * self._stretch + self._ahead()
        if self._swing is None:
            return after
        onset = self._onset / self._per_second + self._offset
        swung = self._swing.swung(self._swing.straight(onset) + after) - onset
        return swung.astype(np.float32)

    def _straight(self, step: int, passed: int) -> float:
        """How many steps of straight time passed in so many up to `step`."""
        if self._swing is None:
            return passed
        steps = np.array([step - passed, step])
        before, now = self._swing.straight(steps / self._per_second + self._offset).tolist()
        return float(now - before) * self._per_second

    def _ahead(self) -> np.float32:
        """Seconds by which the last onset came before the line of the grid that it is on."""
        if self._pulse is None:
            return np.float32(0.0)
        tatum = self._pulse.beat / self._pulse.division
        onset = self._onset / self._per_second + self._offset
        if self._swing is not None:
            onset = float(self._swing.straight(onset))
        place = (onset - self._pulse.time) / tatum
        ahead = round(place) - place
        return np.float32(ahead * tatum if abs(ahead) < OFF_GRID else 0.0)

    def _spread(self, seconds: Floats, shares: Floats) -> Expected:
        """What is expected after some times, each by its share."""
        steps = np.minimum(seconds * self._per_second + 0.5, LONGEST).astype(np.int64)
        found = np.bincount(steps.clip(0), shares, LONGEST + 1 + self._longest_shift)
        here = np.convolve(found, _BLUR, "same").astype(np.float32)
        later = (found[::-1].cumsum()[::-1] - found).astype(np.float32)
        return Expected(here, later)

    def _expected_now(self, expected: Expected, passed: int) -> float:
        """From 0 to 1: how far that is expected now, of all times from now on."""
        here, later = float(expected.here[passed]), float(expected.later[passed])
        return math.log1p(STEEP * here / (here + later + self._unknown)) / _STEEPEST

    def _bias_times(self, biased: Floats, passed: int) -> None:
        """Time shifts go where the next onset, or the release before it, is expected. Those to
        another note of the chord stay as likely as they are."""
        assert self._times is not None
        here, later = self._times[1 if self._top_sounds else 0]
        if passed >= LONGEST or later[passed] < LEAST:
            return
        within = max(0, self._chord - passed - 1)
        shifts = biased[self._shifts][within:]
        most = shifts.max()
        if most == -np.inf:
            return
        likely = np.exp(shifts - most)
        wanted = here[passed + 1 + within : passed + 1 + self._longest_shift] * _FLAT
        wanted[-1] = later[passed + self._longest_shift]
        of_all = float(wanted.sum())
        wanted *= likely ** np.float32(LIKED)
        total = float(wanted.sum())
        if total < TINY:
            return
        liked = total / of_all
        sure = float(later[passed] / (later[passed] + self._unknown))
        share = TIMES * self.strength * sure * min(1.0, liked / PLAUSIBLE)
        wanted *= np.float32(share * float(likely.sum()) / total)
        likely *= np.float32(1.0 - share)
        likely += wanted
        with np.errstate(divide="ignore"):  # what cannot come still cannot
            shifts[:] = np.log(likely) + most

    def _bias_onsets(self, biased: Floats, passed: int) -> None:
        """A note comes where one is expected, and while as many are held as the performer holds."""
        assert self._times is not None
        onset, release = self._times
        bias = 0.0
        if passed < LONGEST and onset.here[passed] + onset.later[passed] > LEAST:
            bias = (ONSETS + BETWEEN) * self._expected_now(onset, passed) - BETWEEN
        if self._sounding:
            fewer = float(self._weights[self._motifs.held < self._sounding].sum())
            fewer *= (1.0 - self._unknown) / max(TINY, float(self._weights.sum()))
            bias = (bias if bias < 0.0 else bias * (1.0 - fewer)) - HELD * fewer
            if passed < LONGEST:
                more = RELEASES * fewer * self._expected_now(release, passed)
                biased[self._offs] += np.float32(self.strength * more)
        biased[self._ons] += np.float32(self.strength * bias)
        biased[self._velocities] += np.float32(self.strength * bias)

    def _bias_keys(self, biased: Floats, passed: int) -> None:
        """Another note of the chord comes where the performer's chords have more."""
        weights = self._weights_of_next
        if not len(weights):
            return
        more = float(weights[self._motifs.keys > self._keys].sum())
        enough = float(weights[self._motifs.keys == self._keys].sum())
        bias = np.float32(self.strength * KEYS * (more - enough) / (more + enough + UNKNOWN))
        biased[self._ons] += bias
        biased[self._velocities] += bias
        biased[self._shifts][: max(0, self._chord - passed - 1)] += bias

    def _expect_pitches(self, passed: int) -> float:
        """What is expected of the highest pitch of an onset now; how surely it is a note alone."""
        motifs = self._motifs
        straight = self._straight(self._onset + passed, passed)
        same = np.abs(motifs.gaps * self._stretch * self._per_second - straight) <= SAME
        weights = np.where(same, np.float32(AGREES) * self._weights, self._weights)
        total = float(weights.sum()) + UNKNOWN
        steps = np.bincount(motifs.steps + WIDEST, weights / total, 2 * WIDEST + 1)
        more = (np.log1p(STEEP * steps) * (PITCHES / _STEEPEST)).astype(np.float32)
        self._row = more[motifs.intervals(self._top)] * self._inside - self._outside
        self._weights_of_next = weights
        return float(weights[motifs.keys == 1].sum()) / total

    def _bias_pitches(self, biased: Floats, low: int, high: int, share: float) -> None:
        """Among some pitches those come that are expected; the sum of them stays."""
        low, high = max(0, low), min(127, high)
        if self._row is None or low > high:
            return
        some = biased[self._ons][low : high + 1]
        drawn = some + np.float32(self.strength * share) * self._row[low : high + 1]
        some[:] = drawn + np.float32(_log_sum(some) - _log_sum(drawn))


def _log_sum(values: Floats) -> float:
    """The logarithm of the sum of exponentials."""
    most = float(values.max())
    if most == -math.inf:
        return 0.0
    return most + math.log(float(np.exp(values - most).sum()))
