"""Tempo, beat and bar of a performer, from onsets alone. Pure: the caller passes the time.

It answers two questions, one after the other:

- *What is the tatum*, the shortest pulse to which all onsets keep? A bank of comb filters, one for
  each period, sums a unit vector for each onset, rotated by its phase in that period. If the
  vectors agree, the onsets keep to that period.
- *Which tatums are beats, and which beats begin a bar?* For each likely tatum a phase-locked loop
  numbers the onsets, and the most likely metre and phase are found (see `metre`). So accents and
  the sequence of durations tell double and half tempo apart.

A line fitted to the latest onsets then gives the exact tempo and phase, so drift is followed. If
the vectors do not agree (rubato, a single note, a drum roll), there is no pulse.
"""

import math
from collections import deque
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from .grid_fit import fitted_line, half_life_weights, number
from .metre import Floats, Metre, metres
from .pulse import Pulse, swung
from .swing import swing_of

CHORD = 0.035  # seconds within which onsets count as one
SHORTEST, LONGEST = 0.09, 0.95  # seconds of a tatum
PER_OCTAVE = 160  # comb filters
MEMORY = 2.2  # seconds after which an onset's weight in the combs is 1/e
SLOW = 0.4  # a longer gap counts as this many seconds there, so that slow music does not fade
ENOUGH = 4.5  # effective number of onsets needed for a pulse
COHERENT = 0.4  # agreement of the onsets (0 chance, 1 perfect) from which on there is a pulse
STILL_COHERENT = 0.25  # agreement below which it is lost again
LIKELY = 0.5  # tatums are compared if their agreement is at least this share of the best one's
CANDIDATES = 5  # the most tatums that are compared
SWUNG = 32  # onsets in which swing is looked for
HISTORY, HALF_LIFE = 64, 24.0  # onsets for beats and bars, and the half-life of their weight
LITTLE, MOST = -0.3, 0.5  # thresholds between the levels of accent
LEARN = 0.1  # learning rate of the means of accents

PERIODS = SHORTEST * np.exp2(
    np.arange(math.ceil(PER_OCTAVE * math.log2(LONGEST / SHORTEST))) / PER_OCTAVE
)  # seconds, of each comb filter
TURN = -2j * math.pi / PERIODS


@dataclass(slots=True)
class Onset:
    """Notes struck together: the first and the mean time, the highest velocity, the lowest pitch,
    the number of keys, and the level of accent (0 to 2)."""

    first: float
    time: float
    velocity: int
    lowest: int
    keys: int
    level: int = 0


class TempoFollower:
    """Follows one performer.

    The pulse is a function of the onsets before it. When and how often `pulse` is asked changes
    nothing, nor does `settle`, which does the work of later answers early.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Forget all onsets."""
        self._settled = Estimate()
        self._waiting: deque[Onset] = (
            deque()
        )  # onsets that are not in `_settled`; the last may grow
        self._ahead: Estimate | None = None  # after all of these, if it was needed

    def note_on(self, time: float, pitch: int, velocity: int) -> None:
        """Add a note-on. `time` must not be before that of earlier ones. Takes a microsecond."""
        chord = self._waiting[-1] if self._waiting else None
        if chord is not None and time - chord.first < CHORD:
            chord.keys += 1
            chord.time += (time - chord.time) / chord.keys
            chord.velocity = max(chord.velocity, velocity)
            chord.lowest = min(chord.lowest, pitch)
            self._ahead = None
            return
        if self._ahead is not None:
            self._settled, self._ahead = self._ahead, None
            self._waiting.clear()
        self._waiting.append(Onset(time, time, velocity, pitch, 1))

    def settle(self) -> None:
        """Work through the oldest complete chord, if there is one. Takes 0.3 ms."""
        if len(self._waiting) > 1:
            self._settled = self._settled.after(self._waiting.popleft())

    def pulse(self, now: float, swing: bool = False) -> Pulse | None:
        """The pulse at `now`; None if there is none. A chord that may still grow is left out.

        `now` may be later than the latest note-on: then nothing is played until `now`. `swing`:
        with the swing and its beats, where the performer swings.
        """
        estimate = self._estimate(now)
        return estimate.swung if swing and estimate.swung is not None else estimate.pulse

    def _estimate(self, now: float) -> "Estimate":
        """What is known at `now`."""
        while len(self._waiting) > 1:
            self.settle()
        if not self._waiting or now - self._waiting[0].first < CHORD:
            return self._settled
        if self._ahead is None:
            self._ahead = self._settled.after(self._waiting[0])
        return self._ahead


class Estimate:
    """What is known after some onsets. It never changes; `after` makes the next one.

    `pulse` is None when the onsets have none; `swung` is the same with the swing, None if the beats
    are even.
    """

    def __init__(self) -> None:
        self._sums = np.zeros(len(PERIODS), np.complex128)
        self._weight = self._squares = 0.0  # sums of the onsets' weights, and of their squares
        self._onsets: tuple[Onset, ...] = ()
        self._accents = Accents()
        self.pulse: Pulse | None = None
        self.swung: Pulse | None = None
        self._metre: Metre | None = None

    def after(self, onset: Onset) -> "Estimate":
        """What is known after one more onset."""
        after = copy(self)
        after._accents = self._accents.copy()
        after._add(replace(onset, level=after._accents.level(onset)))
        after.pulse = after._find()
        after.swung = None if after.pulse is None else after._swing(after.pulse)
        return after

    def _add(self, onset: Onset) -> None:
        """Add a complete chord to the comb filters."""
        fade, sums = 1.0, self._sums
        if self._onsets:
            passed = onset.time - self._onsets[-1].time
            fade = math.exp(-min(passed, SLOW) / MEMORY)
            sums = sums * (np.exp(TURN * passed) * fade)
        self._sums = sums + 1.0
        self._weight = self._weight * fade + 1.0
        self._squares = self._squares * (fade * fade) + 1.0
        self._onsets = (*self._onsets[1 - HISTORY :], onset)

    def _swing(self, pulse: Pulse) -> Pulse | None:
        """A pulse with the swing of the latest onsets; None: they are straight."""
        times = np.array([onset.time for onset in self._onsets[-SWUNG:]])
        # in half time what swings are the halves of a beat
        for beat in (pulse.beat, pulse.beat / 2) if pulse.division == 4 else (pulse.beat,):
            swing = swing_of(times, pulse.time, beat)
            if swing is not None:
                return swung(pulse, swing, times)
        return None

    def _find(self) -> Pulse | None:
        """The pulse of the onsets so far."""
        if self._weight**2 / self._squares < ENOUGH:
            return None
        # the squared length of the mean vector, corrected for its expectation by chance
        fit = (np.abs(self._sums) ** 2 - self._squares) / (self._weight**2 - self._squares)
        if fit.max() < (COHERENT if self.pulse is None else STILL_COHERENT):
            return None
        times = np.array([onset.time for onset in self._onsets])
        levels = np.array([onset.level for onset in self._onsets])
        weights = half_life_weights(len(times), HALF_LIFE)
        best = -math.inf
        for place in _peaks(fit):
            period = float(PERIODS[place])
            numbers, missed = number(times, period)
            score, metre, scores = metres().best(numbers, levels, weights, period, self._metre)
            score -= float(missed @ weights)
            if score > best:
                best, found, steady = score, metre, float(fit[place])
                guess, counted, of_all = period, numbers, scores
        self._metre = found
        tatum, last = fitted_line(counted, times, guess)
        since_beat = (int(counted[-1]) - found.first) % found.division
        since_bar = (int(counted[-1]) - found.first) % (found.division * found.bar)
        return Pulse(
            time=last - since_beat * tatum,
            beat=found.division * tatum,
            division=found.division,
            bar=found.bar,
            downbeat=last - since_bar * tatum,
            steady=steady,
            chances=metres().chances(of_all, int(counted[-1]) - since_beat),
        )


class Accents:
    """How much an onset stands out from the previous ones: by velocity, bass and number of keys."""

    def __init__(self) -> None:
        self._means: list[float] = []  # of the three; empty before the first onset
        self._spreads = [8.0, 8.0, 1.0]  # the last one is constant

    def copy(self) -> "Accents":
        """A copy that goes on by itself."""
        twin = Accents()
        twin._means, twin._spreads = self._means.copy(), self._spreads.copy()
        return twin

    def level(self, onset: Onset) -> int:
        """The level of accent: 0 little, 1 more, 2 most."""
        values = (float(onset.velocity), -float(onset.lowest), float(onset.keys))
        means = self._means = self._means or [*values]
        accent = 0.0
        for i, value in enumerate(values):
            off = value - means[i]
            accent += 0.5 * max(-2.0, min(2.0, off / max(self._spreads[i], 1.0)))
            means[i] += LEARN * off
            if i < 2:
                self._spreads[i] += LEARN * (abs(off) - self._spreads[i])
        return 0 if accent < LITTLE else 1 if accent < MOST else 2


def _peaks(fit: Floats) -> list[int]:
    """The indices of the periods with which the onsets agree best."""
    inner = fit[1:-1]
    peaks = np.flatnonzero((inner >= fit[:-2]) & (inner >= fit[2:])) + 1
    peaks = peaks[fit[peaks] >= LIKELY * fit.max()]
    best = peaks[np.argsort(fit[peaks])[::-1][:CANDIDATES]]
    return best.tolist() or [int(fit.argmax())]
