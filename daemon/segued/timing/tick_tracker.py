"""Tempo and phase of a MIDI clock whose ticks may be early, late, in groups or missing.

The times of ticks are noisy, but their number is exact. Each tick is counted, whenever it arrives,
unless the whole clock is received twice (`tick_copies`). A program that computes audio in buffers
sends the ticks of a buffer together at its end, so each tick is late by 0 to one buffer. The last
of such a group is late by less than a tick, so only that one is measured.

The estimate is a g-h filter (it tracks position and speed). After n measurements its gains are
those of a least squares line through n points (Brookner, "Tracking and Kalman Filtering Made Easy",
1998, 1.2), so the estimate is optimal from the second tick on. n grows up to `LONG`. It is reduced
when the errors are biased by more than their spread, because the tempo is then changing. The work
per tick is constant: 8 µs.
"""

from enum import Enum
from typing import NamedTuple

from .tick_copies import CopyDetector, is_audio_buffer

LONG = 160  # the largest n: with jitter of 3 ms the tempo's error is 0.02 %
SURE = 12  # n from which on outliers are rejected; also n while the tempo changes
PROOF = 6  # outliers in a row that are accepted if they fit each other
CONFUSED = 48  # outliers in a row after which the newest are accepted in any case
FASTEST = 60.0 / (24 * 600)  # the shortest period: seconds between ticks at 600 BPM
SLOWEST = 60.0 / (24 * 10)  # the longest period
MOST_LOST = 24  # the most lost ticks that are added to the count after a gap
TOGETHER = 0.4  # periods after its first tick within which a tick belongs to a group
SMALL = 0.1  # periods of bias that are allowed besides the spread
COARSE = 0.4  # periods of spread above which a lost tick cannot be told from a late one
ALONE = 150  # ticks after a gap of one tick, within which audio buffers cause another such gap
SPREAD_OVER = 192  # the spread is that of the last one to two times this many ticks

_GAINS = [(1.0, 1.0), (1.0, 1.0), (1.0, 1.0)] + [
    (2 * (2 * n - 1) / (n * (n + 1)), 6 / (n * (n + 1))) for n in range(3, LONG + 1)
]


class Tick(Enum):
    """The result of processing a tick."""

    COUNTED = "counted"
    COPY = "not counted: each tick arrives twice, and this is the second"
    RECOUNTED = "counted; it became known whether ticks arrive twice, and `count` was corrected"
    STRANGE = "counted, but its time was rejected as an outlier"


class Fit(NamedTuple):
    """The state of the filter, immutable: tick `number` is estimated to have been at `time`."""

    number: int  # of received ticks
    time: float
    period: float
    n: int = 0  # number of measurements; 0: none
    lost: int = 0  # lost ticks that were added to the count
    error: float = 0.0  # seconds by which the newest tick was late
    step: float = 0.0  # change of `error` from the previous tick
    bias: float = 0.0  # running mean of `error`
    gap: int = 0  # the number of the last tick after a gap
    strange: tuple[tuple[int, float], ...] = ()  # number and time of the latest outliers
    confusion: int = 0  # outliers in a row


class Spread:
    """The jitter of the ticks: the range of the recent intervals."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all intervals."""
        self._low = self._high = self._low_before = self._high_before = 0.0
        self._count = 0

    def add(self, step: float) -> None:
        """Add an interval that was longer than expected by `step` (negative: shorter)."""
        self._low, self._high = min(self._low, step), max(self._high, step)
        self._count += 1
        if self._count >= SPREAD_OVER:
            self._low_before, self._high_before = self._low, self._high
            self._low = self._high = 0.0
            self._count = 0

    @property
    def seconds(self) -> float:
        """The range in seconds. For audio buffers of up to a tick it is the buffer's length."""
        low, high = min(self._low, self._low_before), max(self._high, self._high_before)
        return high - low


class TickTracker:
    """Estimates the `period` in seconds, and the `time` of tick number `count`.

    The caller may set `count`. Each tick adds one, and so does each lost tick.
    """

    def __init__(self, period: float) -> None:
        self._fit = self._before = Fit(0, 0.0, period)  # now, and before the newest group of ticks
        self._offset = 0  # `count` minus the received and the lost ticks
        self._heard = 0  # received ticks
        self._first = self._last = 0.0  # when the newest group's first and last tick arrived
        self._spread = Spread()
        self._copies = CopyDetector()

    @property
    def period(self) -> float:
        """Seconds between ticks."""
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
        """The estimated time of the newest tick."""
        fit = self._shown
        return fit.time + (self._heard - fit.number) * fit.period

    @property
    def _shown(self) -> Fit:
        """The estimate; without a late newest tick, while more ticks of its group may arrive."""
        late = self._fit.n > 2 and self._fit.error > 0.5 * self._before.period
        return self._before if late else self._fit

    @property
    def expires(self) -> float:
        """When the clock counts as lost if no tick arrives; infinity: there is none."""
        return self._last + 0.3 + 6 * self.period if self._fit.n else float("inf")

    def lost(self, now: float) -> bool:
        """Whether the clock has been silent for too long."""
        return now >= self.expires

    def restart(self) -> None:
        """Forget the ticks. The period is kept until two new ones have arrived."""
        self._fit = self._before = self._new_fit(self.time, self.period, 0)
        self._spread.clear()
        self._copies.clear()

    def tick(self, now: float) -> Tick:
        """Process a tick that arrives `now`. Times must not decrease."""
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
        """Correct the count, because the decision whether ticks arrive twice has changed."""
        self._offset += correction
        self._fit = self._before = self._new_fit(now, _possible(self._copies.period), SURE)
        self._first = now
        self._spread.clear()
        return Tick.RECOUNTED

    def _new_fit(self, time: float, period: float, n: int) -> Fit:
        return Fit(self._heard, time, period, n, self._fit.lost, gap=self._heard)

    def _measure(self, before: Fit, now: float) -> Fit:
        """The estimate after the newest tick."""
        if before.n == 0:
            return before._replace(number=self._heard, time=now, n=1)
        spread = self._spread.seconds
        error = now - before.time - (self._heard - before.number) * before.period
        if before.n >= SURE and abs(error) > max(0.5 * before.period, 1.25 * spread):
            return self._doubt(before, now, spread)
        confusion = 0 if before.strange else before.confusion
        return _follow(before._replace(strange=(), confusion=confusion), self._heard, now, spread)

    def _doubt(self, before: Fit, now: float, spread: float) -> Fit:
        """The estimate after an outlier. Outliers that fit each other are accepted in the end."""
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
        return self._new_fit(time, period, PROOF)

    def _shift(self, before: Fit, strange: tuple[tuple[int, float], ...], spread: float) -> Fit:
        """The estimate when the tempo is the same but all ticks arrive earlier or later.

        If later by whole ticks, some were lost. But if the clock is sent in audio buffers as long
        as a tick, one tick is skipped now and then: that happens repeatedly, and nothing is lost.
        Otherwise the clock was halted and has resumed.
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
    """The estimate after an accepted tick."""
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
    """The period, limited to what a clock can have."""
    return min(max(period, FASTEST), SLOWEST)
