"""Tempo and phase of a MIDI clock, from ticks that come early, late, together or not at all.

When a tick comes is noise; how many come is not. Each tick is counted, wherever it comes, unless
the whole clock is heard twice (`copies.py`). A program that computes audio a buffer at a time sends
the ticks of a buffer together at its end: each tick is late by 0 to one buffer. The last of those
that come together is the least late, by less than a tick, so it alone is measured.

A g-h filter (a tracker of position and speed). With n measurements in its memory its gains are
those of the straight line fitted by least squares to n points (Brookner, "Tracking and Kalman
Filtering Made Easy", 1998, 1.2), so it is as sure as it can be from the second on. n grows up to
`LONG`, and falls when the ticks lean to one side by more than their spread: then the tempo is
changing. Constant work a tick: 8 µs.
"""

from enum import Enum
from typing import NamedTuple

from .tick_copies import CopyDetector, is_audio_buffer

LONG = 160  # ticks remembered of a steady clock: jitter of 3 ms leaves 0.02 % of error in the tempo
SURE = 12  # ticks from which on one that does not fit is not believed; while the tempo changes
PROOF = 6  # ticks in a row that do not fit, but fit each other: then they are right
CONFUSED = 48  # ticks in a row that fit nothing: then the newest are taken as they are
FASTEST = 60.0 / (24 * 600)  # seconds from tick to tick at 600 beats a minute
SLOWEST = 60.0 / (24 * 10)
MOST_LOST = 24  # ticks lost in one gap that are made good
TOGETHER = 0.4  # of a period: ticks so close to the first of a group came together
SMALL = 0.1  # of a period: what a mean of several ticks may lean without any spread
COARSE = 0.4  # of a period: with more spread than this a lost tick cannot be told from a late one
ALONE = 150  # ticks after a gap of one tick, in which a buffer would have brought another such gap
SPREAD_OVER = 192  # ticks; the spread is that of the last one to two times so many

_GAINS = [(1.0, 1.0), (1.0, 1.0), (1.0, 1.0)] + [
    (2 * (2 * n - 1) / (n * (n + 1)), 6 / (n * (n + 1))) for n in range(3, LONG + 1)
]


class Tick(Enum):
    """What a tick turned out to be."""

    COUNTED = "counted"
    COPY = "not counted: each tick comes twice, and this is the second"
    RECOUNTED = "counted; now it is known whether each comes twice, and `count` was corrected"
    STRANGE = "counted, but where it came is not believed (yet)"


class Fit(NamedTuple):
    """The line through the ticks: number `number` really was at `time`. Never changed."""

    number: int  # of ticks heard
    time: float
    period: float
    n: int = 0  # measurements in the memory; 0: none
    lost: int = 0  # ticks that got lost and were made good
    error: float = 0.0  # seconds by which the newest tick was late
    step: float = 0.0  # by how much more than the one before it
    bias: float = 0.0  # seconds: to which side the newest ticks lean
    gap: int = 0  # the number of the last tick that followed upon a gap
    strange: tuple[tuple[int, float], ...] = ()  # number and time of ticks that do not fit
    confusion: int = 0


class Spread:
    """How unevenly ticks come: by how much the intervals differ at most, in the last while."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Nothing is known."""
        self._low = self._high = self._low_before = self._high_before = 0.0
        self._count = 0

    def add(self, step: float) -> None:
        """An interval was longer (shorter: below 0) by so much than was expected."""
        self._low, self._high = min(self._low, step), max(self._high, step)
        self._count += 1
        if self._count >= SPREAD_OVER:
            self._low_before, self._high_before = self._low, self._high
            self._low = self._high = 0.0
            self._count = 0

    @property
    def seconds(self) -> float:
        """With audio buffers of up to a tick it is the buffer."""
        low, high = min(self._low, self._low_before), max(self._high, self._high_before)
        return high - low


class TickTracker:
    """`period` in seconds from tick to tick; `time`, where tick number `count` really was.

    `count` is the caller's to set; each tick adds one, and ticks that were lost are added too.
    """

    def __init__(self, period: float) -> None:
        self._fit = self._before = Fit(0, 0.0, period)  # now, and before the newest group of ticks
        self._offset = 0  # what the caller's count has more than the ticks heard and made good
        self._heard = 0
        self._first = self._last = 0.0  # when the newest group began, and its last tick came
        self._spread = Spread()
        self._copies = CopyDetector()

    @property
    def period(self) -> float:
        """Seconds from tick to tick."""
        return self._shown.period

    @period.setter
    def period(self, seconds: float) -> None:
        self._fit = self._fit._replace(period=seconds)
        self._before = self._before._replace(period=seconds)

    @property
    def count(self) -> int:
        """The number of the newest tick."""
        return self._offset + self._heard + self._fit.lost

    @count.setter
    def count(self, number: int) -> None:
        self._offset = number - self._heard - self._fit.lost

    @property
    def time(self) -> float:
        """When the newest tick really was."""
        fit = self._shown
        return fit.time + (self._heard - fit.number) * fit.period

    @property
    def _shown(self) -> Fit:
        """The line; without a tick that is late, while others may come together with it."""
        late = self._fit.n > 2 and self._fit.error > 0.5 * self._before.period
        return self._before if late else self._fit

    @property
    def expires(self) -> float:
        """When the clock is lost if no tick comes; infinite: there is none."""
        return self._last + 0.3 + 6 * self.period if self._fit.n else float("inf")

    def lost(self, now: float) -> bool:
        """Whether the clock, if there was one, has been silent for too long."""
        return now >= self.expires

    def restart(self) -> None:
        """Forget the ticks, keep the period until two new ones have come."""
        self._fit = self._before = self._anew(self.time, self.period, 0)
        self._spread.clear()
        self._copies.clear()

    def tick(self, now: float) -> Tick:
        """A tick came. Time never goes back."""
        self._last = now
        correction = self._copies.feed(now)
        if self._copies.is_copy:
            return Tick.COPY
        self._heard += 1
        if self._fit.n == 0:
            self._first = now
        elif now - self._first >= TOGETHER * self._before.period:
            if self._fit.n > 2:
                self._spread.add(self._fit.step)
            self._before, self._first = self._fit, now
        self._fit = self._measure(self._before, now)
        if correction:
            return self._recount(now, correction)
        return Tick.STRANGE if self._fit.strange else Tick.COUNTED

    def _recount(self, now: float, correction: int) -> Tick:
        """It is now known that each tick comes twice; or that it does not, after all."""
        self._offset += correction
        self._fit = self._before = self._anew(now, _possible(self._copies.period), SURE)
        self._first = now
        self._spread.clear()
        return Tick.RECOUNTED

    def _anew(self, time: float, period: float, n: int) -> Fit:
        return Fit(self._heard, time, period, n, self._fit.lost, gap=self._heard)

    def _measure(self, before: Fit, now: float) -> Fit:
        """The line, with the newest tick."""
        if before.n == 0:
            return before._replace(number=self._heard, time=now, n=1)
        spread = self._spread.seconds
        error = now - before.time - (self._heard - before.number) * before.period
        if before.n >= SURE and abs(error) > max(0.5 * before.period, 1.25 * spread):
            return self._doubt(before, now, spread)
        confusion = 0 if before.strange else before.confusion
        return _follow(before._replace(strange=(), confusion=confusion), self._heard, now, spread)

    def _doubt(self, before: Fit, now: float, spread: float) -> Fit:
        """A tick that does not fit. When enough of them fit each other, they are believed."""
        strange = (*before.strange, (self._heard, now))
        confusion = before.confusion + 1
        doubted = before._replace(strange=strange, confusion=confusion)
        if len(strange) < PROOF:
            return doubted
        newest = strange[-PROOF:]
        (first, begin), (last, end) = newest[0], newest[-1]
        period = (end - begin) / (last - first)
        most = max(0.35 * period, 0.7 * spread)
        fits = all(abs(t - begin - (number - first) * period) <= most for number, t in newest)
        if not (fits and FASTEST <= period <= SLOWEST) and confusion < CONFUSED:
            return doubted
        if fits and abs(period - before.period) < 0.1 * before.period:
            return self._shift(before, strange, spread)
        period = _possible(period)
        time = (begin + end + (last - first) * period) / 2
        return self._anew(time, period, PROOF)

    def _shift(self, before: Fit, strange: tuple[tuple[int, float], ...], spread: float) -> Fit:
        """The tempo is the same, but all ticks come so much later or earlier than expected.

        By whole ticks: some were lost. But a clock that comes by audio buffers as long as a tick
        skips one now and then: that is known by its coming again and again, and nothing is lost.
        Otherwise the clock has halted and gone on.
        """
        period = before.period
        errors = [t - before.time - (number - before.number) * period for number, t in strange]
        error = sum(errors[-PROOF:]) / PROOF
        lost = round(error / period)
        whole = bool(lost) and abs(error - lost * period) < 0.2 * period
        first, last = strange[0][0], strange[-1][0]
        skips = lost == 1 and (last - before.gap < ALONE or is_audio_buffer(period))
        fit = before._replace(strange=(), confusion=0, gap=first)
        if whole and (skips or lost < 0):
            self._spread.add(error)
            for number, time in strange:
                fit = _follow(fit, number, time, spread + period)
            return fit
        time = before.time + (last - before.number) * period
        fit = fit._replace(number=last, error=0.0, step=0.0, bias=0.0)
        if whole and lost <= MOST_LOST and spread < COARSE * period:
            return fit._replace(time=time + lost * period, lost=before.lost + lost)
        return fit._replace(time=time + error, n=min(before.n, 2 * SURE))


def _follow(before: Fit, number: int, now: float, spread: float) -> Fit:
    """The line, with a tick that is believed."""
    ticks = number - before.number
    error = now - before.time - ticks * before.period
    n = min(before.n + 1, LONG)
    step = error - before.error if n > 2 else 0.0
    bias = before.bias + (error - before.bias) / 8 if n > 3 else before.bias
    if n > SURE and abs(bias) > 0.75 * spread + SMALL * before.period:
        n, bias = max(SURE, n // 6), 0.0
    used = error
    if n > 2 * SURE:
        most = spread + 0.001
        used = min(max(error, -most), most)
    g, h = _GAINS[n]
    time = before.time + ticks * before.period + g * used
    period = _possible(before.period + h * used / ticks)
    return before._replace(
        number=number,
        time=time,
        period=period,
        n=n,
        error=error if n > 2 else 0.0,
        step=step,
        bias=bias,
    )


def _possible(period: float) -> float:
    """The nearest period of a clock."""
    return min(max(period, FASTEST), SLOWEST)
