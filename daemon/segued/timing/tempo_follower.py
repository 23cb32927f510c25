"""Tempo, beat and bar of a performer, from onsets alone. Pure: it is told the time.

Two questions, one after the other:

- *What is the tatum*, the shortest pulse that all onsets keep to? A bank of combs, one for each
  period, sums a unit vector for each onset, turned by its place in that period. Where the vectors
  agree, the onsets keep to that period.
- *Which tatums are beats, and which beats begin a bar?* For each likely tatum the onsets are
  numbered by a phase-locked loop, and the metre and place are found that explain them best (see
  `metre`). So double and half tempo are told apart by what stands out and by what follows what.

A straight line through the latest onsets then gives tempo and phase exactly, so drift is followed.
Where the vectors do not agree (rubato, one note, a drum roll) there is no pulse, and none is given.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from .metre import Floats, Integers, Metre, metres

CHORD = 0.035  # seconds within which onsets are one
SHORTEST, LONGEST = 0.09, 0.95  # seconds a tatum may last
PER_OCTAVE = 160  # combs
MEMORY = 2.2  # seconds after which an onset counts 1/e in the combs
SLOW = 0.4  # seconds that a gap counts at most there, so that slow music does not fade at once
ENOUGH = 4.5  # onsets that must count before there can be a pulse
COHERENT = 0.4  # agreement of the onsets (0 chance, 1 all) from which on there is a pulse
STILL_COHERENT = 0.25  # and below which it is lost again
LIKELY = 0.5  # tatums are compared whose agreement is this share of the best
CANDIDATES = 5  # so many at most
MISS = 0.03  # seconds by which onsets miss their tatum
WORST = 4.5  # nats that an onset can cost at most by missing
PULL = 0.5  # share of what an onset missed by that the grid follows
WINDOWS = (8, 16, 32, 64)  # onsets through which a line may be laid
NEWER = 0.75  # of a window: an onset so much older than the newest counts half
LEAST_ERROR = 0.002  # seconds by which onsets miss a line at least, besides what they are seen to
DOUBT = 2.0  # standard errors by which lines may differ and still agree
HISTORY, HALF_LIFE = 64, 24.0  # the same for beats and bars
LITTLE, MOST = -0.3, 0.5  # accents between which an onset stands out more than little
LEARN = 0.1  # share by which the means of accents follow


@dataclass(frozen=True, slots=True)
class Pulse:
    """The performer's time, as far as it is known.

    A beat is at `time` seconds and they are `beat` seconds apart; onsets keep to its `division`th
    parts. `bar` beats are a bar, and one begins at `downbeat`. `steady` is how far the onsets keep
    to that grid: 1 all, 0 chance.
    """

    time: float
    beat: float
    division: int
    bar: int
    downbeat: float
    steady: float

    @property
    def tempo(self) -> float:
        """Beats a minute."""
        return 60.0 / self.beat

    def next_beat(self, now: float) -> float:
        """The first beat at or after `now`."""
        return self.time + math.ceil((now - self.time) / self.beat - 1e-6) * self.beat


@dataclass(slots=True)
class Onset:
    """What was struck together: first and mean time, loudest, lowest, how many keys; its accent."""

    first: float
    time: float
    velocity: int
    lowest: int
    keys: int
    level: int = 0


class TempoFollower:
    """Follows one performer. `note_on` takes a microsecond; `pulse` 0.3 ms after new onsets."""

    def __init__(self) -> None:
        count = math.ceil(PER_OCTAVE * math.log2(LONGEST / SHORTEST))
        self._periods = SHORTEST * np.exp2(np.arange(count) / PER_OCTAVE)
        self._turn = (-2j * math.pi) / self._periods
        self.forget()

    def forget(self) -> None:
        """Nothing was played."""
        self._sums = np.zeros(len(self._periods), np.complex128)
        self._weight = self._squares = 0.0  # sums of the weights in the combs, and of their squares
        self._onsets: deque[Onset] = deque(maxlen=HISTORY)
        self._waiting: deque[Onset] = deque(maxlen=HISTORY)
        self._accents = Accents()
        self._pulse: Pulse | None = None
        self._metre: Metre | None = None

    def note_on(self, time: float, pitch: int, velocity: int) -> None:
        """A key is struck at `time` seconds, not before those already told."""
        chord = self._waiting[-1] if self._waiting else None
        if chord is not None and time - chord.first < CHORD:
            chord.keys += 1
            chord.time += (time - chord.time) / chord.keys
            chord.velocity = max(chord.velocity, velocity)
            chord.lowest = min(chord.lowest, pitch)
        else:
            self._waiting.append(Onset(time, time, velocity, pitch, 1))

    def pulse(self, now: float) -> Pulse | None:
        """The pulse at `now`; None where there is none. Chords that may get more keys do not count
        yet."""
        moved = False
        while self._waiting and (len(self._waiting) > 1 or now - self._waiting[0].first >= CHORD):
            self._add(self._waiting.popleft())
            moved = True
        if moved:
            self._pulse = self._find()
        return self._pulse

    @property
    def last(self) -> Pulse | None:
        """The pulse as it was when somebody last asked for one. Looking at it changes nothing."""
        return self._pulse

    def _add(self, onset: Onset) -> None:
        """A chord is complete: it counts in the combs."""
        onset.level = self._accents.level(onset)
        if self._onsets:
            passed = onset.time - self._onsets[-1].time
            fade = math.exp(-min(passed, SLOW) / MEMORY)
            self._sums *= np.exp(self._turn * passed) * fade
            self._weight *= fade
            self._squares *= fade * fade
        self._sums += 1.0
        self._weight += 1.0
        self._squares += 1.0
        self._onsets.append(onset)

    def _find(self) -> Pulse | None:
        """The pulse of the onsets so far."""
        if self._weight**2 / self._squares < ENOUGH:
            return None
        # the squared length of the mean vector, without what chance gives to few
        fit = (np.abs(self._sums) ** 2 - self._squares) / (self._weight**2 - self._squares)
        if fit.max() < (COHERENT if self._pulse is None else STILL_COHERENT):
            return None
        times = np.array([onset.time for onset in self._onsets])
        levels = np.array([onset.level for onset in self._onsets])
        weights = _weights(len(times), HALF_LIFE)
        best = -math.inf
        for place in _peaks(fit):
            period = float(self._periods[place])
            numbers, missed = number(times, period)
            score, metre = metres().best(numbers, levels, weights, period, self._metre)
            score -= float(missed @ weights)
            if score > best:
                best, found, steady = score, metre, float(fit[place])
                guess, counted = period, numbers
        self._metre = found
        tatum, last = _line(counted, times, guess)
        since_beat = (int(counted[-1]) - found.first) % found.division
        since_bar = (int(counted[-1]) - found.first) % (found.division * found.bar)
        return Pulse(
            time=last - since_beat * tatum,
            beat=found.division * tatum,
            division=found.division,
            bar=found.bar,
            downbeat=last - since_bar * tatum,
            steady=steady,
        )


class Accents:
    """How much an onset stands out among those before it: by loudness, bass and fullness."""

    def __init__(self) -> None:
        self._means: list[float] | None = None
        self._spreads = [8.0, 8.0, 1.0]  # the last one stays: a key more is a key more

    def level(self, onset: Onset) -> int:
        """0 little, 1 more, 2 most."""
        values = (float(onset.velocity), -float(onset.lowest), float(onset.keys))
        means = self._means = self._means or list(values)
        accent = 0.0
        for i, value in enumerate(values):
            off = value - means[i]
            accent += 0.5 * max(-2.0, min(2.0, off / max(self._spreads[i], 1.0)))
            means[i] += LEARN * off
            if i < 2:
                self._spreads[i] += LEARN * (abs(off) - self._spreads[i])
        return 0 if accent < LITTLE else 1 if accent < MOST else 2


def number(times: Floats, period: float) -> tuple[Integers, Floats]:
    """The number of the tatum that each onset is on, and what missing it costs, in nats.

    A phase-locked loop: the grid is drawn to each onset by a share of what it missed by, so that
    jitter makes no slip and drift is followed.
    """
    numbers, missed = [0], [0.0]
    grid = float(times[0])
    for time in times[1:].tolist():
        step = round((time - grid) / period)
        off = time - grid - step * period
        grid += step * period + PULL * off
        numbers.append(numbers[-1] + step)
        missed.append(min(0.5 * (off / MISS) ** 2, WORST))
    return np.array(numbers), np.array(missed)


def _weights(count: int, half_life: float) -> Floats:
    """1 for the newest, half as much for one that came `half_life` onsets before."""
    return np.exp2((np.arange(count) + 1 - count) / half_life)


def _peaks(fit: Floats) -> list[int]:
    """The places of the periods with which the onsets agree most."""
    inner = fit[1:-1]
    peaks = np.flatnonzero((inner >= fit[:-2]) & (inner >= fit[2:])) + 1
    peaks = peaks[fit[peaks] >= LIKELY * fit.max()]
    best = peaks[np.argsort(fit[peaks])[::-1][:CANDIDATES]]
    return best.tolist() or [int(fit.argmax())]


def _line(numbers: Integers, times: Floats, guess: float) -> tuple[float, float]:
    """Seconds a tatum, near the guess, and the time of the last number.

    The longest of some windows is taken whose straight line agrees with those of all shorter ones,
    within their errors (Lepski's rule): over a steady tempo jitter is averaged out, and where the
    tempo drifts only the latest onsets count.
    """
    x, y = (numbers - numbers[-1]).astype(float), times - times[-1]
    lowest, highest = np.full(2, -math.inf), np.full(2, math.inf)
    chosen = np.array([0.0, guess])
    for window in WINDOWS:
        line, error = _fitted(x[-window:], y[-window:], NEWER * window)
        if abs(math.log(max(line[1], 1e-9) / guess)) > 0.15:
            break
        lowest, highest = np.maximum(lowest, line - error), np.minimum(highest, line + error)
        if (lowest > highest).any():
            break
        chosen = line
        if window >= len(x):
            break
    return float(chosen[1]), float(times[-1] + chosen[0])


def _fitted(x: Floats, y: Floats, half_life: float) -> tuple[Floats, Floats]:
    """The straight line through some onsets by least squares, the newest counting most: its value
    at 0 and its slope, and how far each may be wrong."""
    weights = _weights(len(x), half_life)
    weights /= weights.sum()
    mean = weights @ x
    slope = weights * (x - mean)
    slope /= max(float(slope @ x), 1e-9)
    rules = np.stack([weights - mean * slope, slope])
    line = rules @ y
    off = y - line[0] - line[1] * x
    spread = LEAST_ERROR + math.sqrt(float(weights @ off**2))
    return line, DOUBT * spread * np.sqrt((rules**2).sum(axis=1))
