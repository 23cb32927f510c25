"""A logit bias towards the performer's motifs: their rhythms, and their figures on any scale step.

At each onset of a reply `recall.motifs` gives a weight to each onset of the performer. From what
followed these onsets it is estimated when the next onset comes, how many notes it has, how many
earlier notes are held into it, and by how many scale steps its highest note moves. Tokens that lead
there become more probable, within bounds: what the network finds improbable stays improbable.

The total probability of time shifts does not change, nor does that of the pitches near the melody.
"""

import math
from collections.abc import Collection, Iterable
from copy import copy
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..recall.motifs import CHORD, ESCAPE, MAX_INTERVAL, Match, Motifs
from ..timing.pulse import Pulse
from ..tokens.vocabulary import NOTE_OFF, NOTE_ON, TIME_SHIFT, VELOCITY, Vocabulary
from .shaping import Playing

MAX_MIXTURE = 0.8  # the largest weight of the motifs in the distribution of time shifts
NETWORK_EXPONENT = 0.4  # of the network's probability in the motifs' part: 0 ignores the network
PLAUSIBLE = 0.2  # mean of (p / p max) ** NETWORK_EXPONENT, below which the mixture weight decreases
MAX_PITCH_BIAS = 3.0  # nats for a pitch that is expected with certainty
OUT_OF_RANGE, MAX_OUT_OF_RANGE = 0.5, 4.0  # nats against each semitone beyond the performer's range
ONSET_BIAS, NO_ONSET_BIAS = 1.0, 1.2  # nats for a note where one is expected, against it elsewhere
HELD_BIAS, RELEASE_BIAS = 2.5, 1.0  # nats against notes while too many are held; for note-offs then
CHORD_BIAS = 2.0  # nats for or against another note of a chord
COMPRESSION = 20.0  # mu of the mu-law by which probabilities become biases
MELODY_RANGE = 12  # semitones around the highest note, in which the next one is expected
IOI_TOLERANCE = 6  # steps within which two IOIs agree
IOI_FACTOR = 3.0  # weight of a place, if its IOI agrees with the reply's
MAX_IOI = 400  # steps; longer IOIs are not expected
MIN_PROBABILITY = 0.02  # of an onset still to come, below which there is no bias
OFF_GRID = 0.3  # tatums from the grid, from which on an onset is not moved to it
TINY = 1e-6

_BLUR = np.exp(-0.5 * (np.arange(-4, 5) / 1.6) ** 2).astype(np.float32)  # steps around an onset
_BLUR_SCALE = np.float32(1.0 / _BLUR.sum())
_MAX_COMPRESSED = math.log1p(COMPRESSION)


class Expected(NamedTuple):
    """Probability of an event by steps after the last onset: `here` at, `later` after a step."""

    here: Floats
    later: Floats


class MotifBias:
    """The bias for one plan. The plan's times plus `offset` are those of the `pulse`, in seconds.

    `strength`: 0 (no bias) to 1. The knob density stretches the rhythms: at half the density they
    last twice as long (augmentation). The knob register transposes the melody's range.
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
        self._outside = np.minimum(OUT_OF_RANGE * outside, MAX_OUT_OF_RANGE).astype(np.float32)
        self._stretch = np.float32(1.0 / playing.density)
        self.strength = 1.0
        self._begun = False  # whether there was an onset
        self._onset = 0  # step of the last onset
        self._top = self._top_before = 0  # the highest pitch of the last onset and the previous one
        self._keys = 0  # number of notes of the last onset
        self._passed = 0  # steps from the previous onset to the last one
        self._sounding = 0  # number of sounding notes
        self._top_sounds = False
        self._match: Match | None = None  # of the last onset
        self._match_before: Match | None = None  # of the previous onset
        self._times: tuple[Expected, Expected] | None = None  # of the onset, of release or onset
        self._weights = self._weights_of_next = np.zeros(0, np.float32)
        self._unknown = 1.0  # probability that something else follows
        self._row: Floats | None = None  # bias (128,) of the next onset's highest pitch

    def copy(self) -> "MotifBias":
        """An independent copy."""
        return copy(self)

    def resume(self, notes: Iterable[tuple[float, int]], sounding: Collection[int]) -> None:
        """Continue after `notes` of the reply, (seconds, pitch), of which some still sound."""
        for time, pitch in notes:
            self.note_on(math.floor(time * self._per_second + 0.5), pitch)
        self._sounding, self._top_sounds = len(sounding), self._top in sounding

    def note_off(self, pitch: int) -> None:
        """Process a note-off of the reply."""
        self._sounding -= 1
        self._top_sounds = self._top_sounds and pitch != self._top

    def note_on(self, step: int, pitch: int) -> None:
        """Process a note-on of the reply at a step of the plan."""
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
        """The biased logits (V,) of the next token at a step of the plan. Takes 50 µs."""
        if self._match is None or self.strength <= 0.0:
            return logits
        passed = step - self._onset
        biased = logits.copy()
        if self._times is None:
            self._times = self._expect(self._match)
        if passed < self._chord:
            self._bias_keys(biased, passed)
            self._bias_pitches(biased, self._top + 1, self._top_before + MELODY_RANGE, 1.0)
        else:
            self._bias_onsets(biased, passed)
            single = self._expect_pitches(passed)
            self._bias_pitches(biased, self._top - MELODY_RANGE, self._top + MELODY_RANGE, single)
        self._bias_times(biased, passed)
        return biased

    def _expect(self, match: Match) -> tuple[Expected, Expected]:
        """When the next onset is expected, and when the highest note's release or the onset is."""
        motifs = self._motifs
        self._weights = motifs.weights(match, self._top)
        total = float(self._weights.sum()) + ESCAPE
        self._unknown = ESCAPE / total
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
        """Seconds by which the last onset came before its grid line; 0 if it is off the grid."""
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
        """The distribution of times in seconds (n,) with probabilities `shares` (n,)."""
        steps = np.minimum(seconds * self._per_second + 0.5, MAX_IOI).astype(np.int64)
        found = np.bincount(steps.clip(0), shares, MAX_IOI + 1 + self._longest_shift)
        here = np.convolve(found, _BLUR, "same").astype(np.float32)
        later = (found[::-1].cumsum()[::-1] - found).astype(np.float32)
        return Expected(here, later)

    def _expected_now(self, expected: Expected, passed: int) -> float:
        """The compressed probability, 0 to 1, that an event that is still to come comes now."""
        here, later = float(expected.here[passed]), float(expected.later[passed])
        return math.log1p(COMPRESSION * here / (here + later + self._unknown)) / _MAX_COMPRESSED

    def _bias_times(self, biased: Floats, passed: int) -> None:
        """Mix the expected times of the next onset or release into the distribution of time shifts.

        Shifts to another note of the same chord keep their probability.
        """
        assert self._times is not None
        here, later = self._times[1 if self._top_sounds else 0]
        if passed >= MAX_IOI or later[passed] < MIN_PROBABILITY:
            return
        within = max(0, self._chord - passed - 1)
        shifts = biased[self._shifts][within:]
        most = shifts.max()
        if most == -np.inf:
            return
        likely = np.exp(shifts - most)
        wanted = here[passed + 1 + within : passed + 1 + self._longest_shift] * _BLUR_SCALE
        wanted[-1] = later[passed + self._longest_shift]
        of_all = float(wanted.sum())
        wanted *= likely ** np.float32(NETWORK_EXPONENT)
        total = float(wanted.sum())
        if total < TINY:
            return
        liked = total / of_all
        sure = float(later[passed] / (later[passed] + self._unknown))
        share = MAX_MIXTURE * self.strength * sure * min(1.0, liked / PLAUSIBLE)
        wanted *= np.float32(share * float(likely.sum()) / total)
        likely *= np.float32(1.0 - share)
        likely += wanted
        with np.errstate(divide="ignore"):  # masked tokens stay masked
            shifts[:] = np.log(likely) + most

    def _bias_onsets(self, biased: Floats, passed: int) -> None:
        """Bias notes to where one is expected, and to as many held notes as the performer has."""
        assert self._times is not None
        onset, release = self._times
        bias = 0.0
        if passed < MAX_IOI and onset.here[passed] + onset.later[passed] > MIN_PROBABILITY:
            bias = (ONSET_BIAS + NO_ONSET_BIAS) * self._expected_now(onset, passed) - NO_ONSET_BIAS
        if self._sounding:
            fewer = float(self._weights[self._motifs.held < self._sounding].sum())
            fewer *= (1.0 - self._unknown) / max(TINY, float(self._weights.sum()))
            bias = (bias if bias < 0.0 else bias * (1.0 - fewer)) - HELD_BIAS * fewer
            if passed < MAX_IOI:
                more = RELEASE_BIAS * fewer * self._expected_now(release, passed)
                biased[self._offs] += np.float32(self.strength * more)
        biased[self._ons] += np.float32(self.strength * bias)
        biased[self._velocities] += np.float32(self.strength * bias)

    def _bias_keys(self, biased: Floats, passed: int) -> None:
        """Bias another note of the chord by how many notes the performer's chords have."""
        weights = self._weights_of_next
        if not len(weights):
            return
        more = float(weights[self._motifs.keys > self._keys].sum())
        enough = float(weights[self._motifs.keys == self._keys].sum())
        bias = np.float32(self.strength * CHORD_BIAS * (more - enough) / (more + enough + ESCAPE))
        biased[self._ons] += bias
        biased[self._velocities] += bias
        biased[self._shifts][: max(0, self._chord - passed - 1)] += bias

    def _expect_pitches(self, passed: int) -> float:
        """Set the bias of the next highest pitch; return the probability of a single note."""
        motifs = self._motifs
        straight = self._straight(self._onset + passed, passed)
        same = np.abs(motifs.gaps * self._stretch * self._per_second - straight) <= IOI_TOLERANCE
        weights = np.where(same, np.float32(IOI_FACTOR) * self._weights, self._weights)
        total = float(weights.sum()) + ESCAPE
        steps = np.bincount(motifs.steps + MAX_INTERVAL, weights / total, 2 * MAX_INTERVAL + 1)
        more = (np.log1p(COMPRESSION * steps) * (MAX_PITCH_BIAS / _MAX_COMPRESSED)).astype(
            np.float32
        )
        self._row = more[motifs.intervals(self._top)] * self._inside - self._outside
        self._weights_of_next = weights
        return float(weights[motifs.keys == 1].sum()) / total

    def _bias_pitches(self, biased: Floats, low: int, high: int, share: float) -> None:
        """Bias the pitches `low` to `high`, without changing their total probability."""
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
