"""Tempo and phase of a MIDI clock, from ticks that come early, late, twice or not at all.

A g-h filter (a tracker of position and speed). With n ticks in its memory its gains are those of
the straight line fitted by least squares to n ticks (Brookner, "Tracking and Kalman Filtering Made
Easy", 1998, 1.2), so it is as sure as it can be from the second tick on. n grows up to `LONG`, and
falls when the ticks lean to one side for longer than jitter would: then the tempo is changing.
Constant work a tick: 2 µs.
"""

from enum import Enum

LONG = 160  # ticks remembered of a steady clock: jitter of 3 ms leaves 0.02 % of error in the tempo
SURE = 12  # ticks from which on one that does not fit is not believed; while the tempo changes
PROOF = 6  # ticks in a row that do not fit, but fit each other: then they are right
CONFUSED = 48  # ticks in a row that fit nothing: then the newest are taken as they are
FASTEST = 60.0 / (24 * 600)  # seconds from tick to tick at 600 beats a minute
SLOWEST = 60.0 / (24 * 10)
MOST_LOST = 24  # ticks lost in one gap that are made good
TWICE = 0.001  # seconds: a copy of a tick comes so soon after it
SMALL = 0.0003  # seconds: what a mean of several ticks may lean without jitter

_GAINS = [(1.0, 1.0), (1.0, 1.0), (1.0, 1.0)] + [
    (2 * (2 * n - 1) / (n * (n + 1)), 6 / (n * (n + 1))) for n in range(3, LONG + 1)
]


class Tick(Enum):
    """What a tick turned out to be."""

    COUNTED = "counted"
    DUPLICATE = "a second copy of the last one"
    STRANGE = "counted, but where it came is not believed (yet)"


class TickTracker:
    """`period` in seconds from tick to tick; `time`, where tick number `count` really was.

    `count` is the caller's to set; each tick adds one, and ticks that were lost are added too.
    """

    def __init__(self, period: float) -> None:
        self.period = period
        self.time = 0.0
        self.count = 0
        self._last = 0.0  # when the last tick came
        self._n = 0  # ticks in the memory; 0: none was heard
        self._noise = 0.001  # seconds: standard deviation of the jitter
        self._bias = 0.0  # seconds: to which side the newest ticks lean
        self._before = 0.0  # the error of the last tick
        self._strange: list[float] = []
        self._confusion = 0

    @property
    def locked(self) -> bool:
        """Whether it has heard ticks since it began or was restarted."""
        return self._n > 0

    @property
    def patience(self) -> float:
        """Seconds without a tick after which the clock is lost."""
        return 0.3 + 6 * self.period

    def lost(self, now: float) -> bool:
        """Whether the clock, if there was one, has been silent for too long."""
        return self._n > 0 and now - self._last > self.patience

    def restart(self) -> None:
        """Forget the ticks, keep the period until two new ones have come."""
        self._n = self._confusion = 0
        self._strange.clear()
        self._bias = self._before = 0.0

    def tick(self, now: float) -> Tick:
        """A tick came. Time never goes back."""
        if self._n == 0:
            self.time = self._last = now
            self._n = 1
            self.count += 1
            return Tick.COUNTED
        since = now - self._last
        error = now - self.time - self.period * (1 + len(self._strange))
        if self._is_duplicate(since, error):
            return Tick.DUPLICATE
        self._last = now
        self.count += 1
        most = max(0.5, min(5 * self._noise / self.period, 0.9)) * self.period
        if self._n >= SURE and abs(error) > most:
            self._doubt(now)
            return Tick.STRANGE
        if self._strange:  # it fits again: what came in between was late or early, no more
            self.time += self.period * len(self._strange)
            self._strange.clear()
            self._confusion = 0
        self._learn(error)
        return Tick.COUNTED

    def _is_duplicate(self, since: float, error: float) -> bool:
        if self._n == 1:
            return since < FASTEST
        return since < max(TWICE, 0.05 * self.period) and error < -0.75 * self.period

    def _learn(self, error: float) -> None:
        self._n = min(self._n + 1, LONG)
        if self._n > 3:
            self._watch(error)
        if self._n > 2 * SURE:
            most = 3 * self._noise + 0.001
            error = min(max(error, -most), most)
        g, h = _GAINS[self._n]
        self.time += self.period + g * error
        self.period = min(max(self.period + h * error, FASTEST), SLOWEST)

    def _watch(self, error: float) -> None:
        """Jitter, and leaning to one side. Steps between errors show the one without the other."""
        step = min(abs(error - self._before) / 1.128, self.period)  # |step| of noise 1 is 1.128
        self._before = error
        self._noise += (step - self._noise) / 16
        self._bias += (error - self._bias) / 8
        # such a mean of noise 1 has a deviation of 0.26: 1.2 is 4.6 of them
        if self._n > SURE and abs(self._bias) > 1.2 * self._noise + SMALL:
            self._n = max(SURE, self._n // 3)
            self._bias = 0.0

    def _doubt(self, now: float) -> None:
        """A tick that does not fit. When enough of them fit each other, they are believed."""
        self._strange.append(now)
        self._confusion += 1
        if len(self._strange) < PROOF:
            return
        newest = self._strange[-PROOF:]
        period = (newest[-1] - newest[0]) / (PROOF - 1)
        fit = all(
            abs(time - newest[0] - i * period) <= 0.35 * period for i, time in enumerate(newest)
        )
        if not (fit and FASTEST <= period <= SLOWEST) and self._confusion < CONFUSED:
            return
        if abs(period - self.period) < 0.1 * self.period and fit:
            self._shift(newest)
        else:
            self.period = min(max(period, FASTEST), SLOWEST)
            self.time = (newest[0] + newest[-1] + (PROOF - 1) * self.period) / 2
            self._n = PROOF
        self._strange.clear()
        self._confusion = 0
        self._bias = self._before = 0.0

    def _shift(self, newest: list[float]) -> None:
        """The tempo is the same, but all ticks come so much later or earlier than expected.

        By whole ticks: some were lost, or too many. Otherwise the clock has halted and gone on.
        """
        first = len(self._strange) - PROOF + 1
        errors = [time - self.time - self.period * (first + i) for i, time in enumerate(newest)]
        error = sum(errors) / PROOF
        lost = round(error / self.period)
        self.time += self.period * len(self._strange)
        if lost and abs(lost) <= MOST_LOST and abs(error - lost * self.period) < 0.2 * self.period:
            self.count += lost
            self.time += self.period * lost
        else:
            self.time += error
            self._n = min(self._n, 2 * SURE)
