"""Musical time: beats and bars, from a MIDI clock, or at a tempo that was set or tapped.

The clock is a function from time to beat and its inverse. It always increases: corrections change
its slope for a while and never set it back. It jumps only when the DAW's transport does (Start,
Continue, Song Position), or when ticks turn out to be received twice. Pure: the caller passes the
time.
"""

import math

from ..midi.messages import CONTINUE, SONG_POSITION, START, STOP, TIMING_CLOCK
from .tick_tracker import Tick, TickTracker

TICKS_PER_BEAT = 24
TICKS_PER_SIXTEENTH = 6  # song position counts sixteenths
SLOWEST_TAP, FASTEST_TAP = 3.0, 0.2  # seconds between taps: 20 to 300 BPM
TAPS = 8  # taps from which the tempo is computed
UNEVEN = 0.3  # share by which a tap's interval may differ from the mean of those before
FAR_BEHIND = 0.05  # beats; in the first beat after a jump a larger error is corrected at once
NEAR = 1e-6  # beats; a time this little after a beat counts as on it
GRIDS = ("now", "beat", "bar")
"""The grids of `Clock.next`."""
AUTO = "auto"
GRID = {
    "quarter": 1.0,
    "quarter triplet": 2 / 3,
    "eighth": 1 / 2,
    "eighth triplet": 1 / 3,
    "sixteenth": 1 / 4,
    "sixteenth triplet": 1 / 6,
    "thirty-second": 1 / 8,
}
"""Quantization grids: name -> unit in beats."""


class Clock:
    """The beats of the song, past and expected.

    Times are in seconds, `tempo` in beats per minute. Beats are quarter notes since the beginning
    of the song (Start; without a transport, time 0). A bar begins at each multiple of
    `beats_per_bar`.
    """

    def __init__(self, tempo: float = 120.0, beats_per_bar: int = 4) -> None:
        self.beats_per_bar = beats_per_bar
        self.running = True
        """False after Stop until Start or Continue. Without a transport it is always true."""
        self.synced = False
        """Whether MIDI clock ticks arrive. Updated by `advance` and `receive`."""
        self.jumps = 0
        """How often the song position has jumped. Beats before and after are not comparable."""
        self._ticks = TickTracker(60.0 / (TICKS_PER_BEAT * tempo))
        self._line = Line(tempo / 60.0)
        self._ever = False  # whether a tick or the transport has ever set the position
        self._pending: int | None = None  # the number of the next tick, after a jump
        self._settled = 0  # up to this tick's number larger errors are corrected at once
        self._song = 0  # the number of the tick at which Continue resumes
        self._taps: list[float] = []

    @property
    def tempo(self) -> float:
        """Beats per minute."""
        return 60.0 / (TICKS_PER_BEAT * self._ticks.period)

    def beat_at(self, time: float) -> float:
        """The beat at a time. It increases also while the DAW is stopped."""
        return self._line.beat_at(time)

    def time_of(self, beat: float) -> float:
        """The time of a beat: the inverse of `beat_at`."""
        return self._line.time_of(beat)

    def next(self, now: float, grid: str) -> float:
        """The time of the next beat or bar at or after `now`; `now` itself for the grid "now"."""
        if grid == "now":
            return now
        size = self.beats_per_bar if grid == "bar" else 1
        beat = math.ceil(self.beat_at(now) / size - NEAR) * size
        return max(now, self.time_of(beat))

    def go_alone(self, now: float, tempo: float) -> None:
        """Stop following a MIDI clock, and run at this tempo."""
        self.running, self.synced = True, False
        self.set_tempo(now, tempo)

    def advance(self, now: float) -> None:
        """Advance the time to `now`. When no ticks arrive any more, the last tempo is kept."""
        if self.synced and self._ticks.lost(now):
            self.synced = False

    @property
    def expires(self) -> float | None:
        """When the MIDI clock counts as lost if no tick arrives; None: there is no MIDI clock."""
        return self._ticks.expires if self.synced else None

    def receive(self, now: float, message: bytes) -> None:
        """Process a tick or a transport message (MIDI 1.0: F8, FA, FB, FC, F2); ignore others."""
        self.advance(now)
        status = message[0] if message else 0
        if status == TIMING_CLOCK:
            self._tick(now)
        elif status == START:
            self._go(now, 0)
        elif status == CONTINUE:
            if not self.running or not self._ever:
                self._go(now, self._song)
        elif status == STOP:
            if self.running:
                self._song = self._next_tick(now)
            self.running = False
            self._ever = True
        elif status == SONG_POSITION and len(message) == 3:
            self._locate(now, (message[1] & 0x7F | (message[2] & 0x7F) << 7) * TICKS_PER_SIXTEENTH)

    def set_tempo(self, now: float, tempo: float) -> None:
        """Set the tempo. Ignored while a MIDI clock is followed."""
        self.advance(now)
        if self.synced or tempo <= 0:
            return
        self._ticks.period = 60.0 / (TICKS_PER_BEAT * tempo)
        self._line.steer(now, now, self.beat_at(now), tempo / 60.0)

    def tap(self, now: float) -> float | None:
        """Process a tap on the beat; return the new tempo, or None (first tap, or synced)."""
        self.advance(now)
        if self.synced:
            return None
        taps = self._taps
        if taps and not self._fits(now - taps[-1]):
            taps.clear()
        taps.append(now)
        del taps[:-TAPS]
        if len(taps) < 2:
            return None
        slope, last = _fit(taps)
        self._ticks.period = slope / TICKS_PER_BEAT
        self._line.steer(now, last, round(self.beat_at(now)), 1.0 / slope)
        return self.tempo

    def _fits(self, interval: float) -> bool:
        """Whether a tap continues the previous ones, rather than beginning a new tempo."""
        if not FASTEST_TAP <= interval <= SLOWEST_TAP:
            return False
        if len(self._taps) < 2:
            return True
        mean = (self._taps[-1] - self._taps[0]) / (len(self._taps) - 1)
        return abs(interval - mean) <= UNEVEN * mean

    def _tick(self, now: float) -> None:
        ticks = self._ticks
        if not self.synced:  # the first, or the first after the clock was lost
            beat = self.beat_at(now)
            ticks.restart()
            number = round(beat * TICKS_PER_BEAT) if self._ever else math.ceil(beat) * 24
            ticks.count = number - 1
            self._jump_forward(now, number)
        self.synced = self._ever = True
        what = ticks.tick(now)
        if self._pending is not None and what is not Tick.COPY:
            ticks.count, self._pending = self._pending, None
            self._settled = ticks.count + TICKS_PER_BEAT
            self._jump_forward(now, ticks.count)
        beat, speed = ticks.count / TICKS_PER_BEAT, self.tempo / 60.0
        if what is Tick.RECOUNTED:
            self._line.set(now, beat, speed)
            self.jumps += 1
        elif what is Tick.COUNTED:
            here = beat + (now - ticks.time) * speed
            if ticks.count < self._settled and here > self.beat_at(now) + FAR_BEHIND:
                self._line.set(now, here, speed)
            else:
                self._line.steer(now, ticks.time, beat, speed)

    def _next_tick(self, now: float) -> int:
        """The number of the next tick."""
        if self._pending is not None:
            return self._pending
        if self.synced:
            return self._ticks.count + 1
        return math.ceil(self.beat_at(now) * TICKS_PER_BEAT)

    def _go(self, now: float, tick: int) -> None:
        self.running = self._ever = True
        self._jump(now, tick)

    def _locate(self, now: float, tick: int) -> None:
        self._song = tick
        self._ever = True
        if self.running:  # not allowed by the specification, but it can only mean a jump
            self._jump(now, tick)

    def _jump(self, now: float, tick: int) -> None:
        """Jump so that the next tick is number `tick`, expected one period after the last one."""
        self._pending = tick
        self.jumps += 1
        due = now
        if self.synced:
            due = max(now, self._ticks.time + self._ticks.period)
        beat, speed = tick / TICKS_PER_BEAT, self.tempo / 60.0
        self._line.set(now, beat - min(due - now, self._ticks.period) * speed, speed)

    def _jump_forward(self, now: float, tick: int) -> None:
        """Jump to tick number `tick` at once, unless that would go back."""
        beat = tick / TICKS_PER_BEAT
        if beat > self.beat_at(now):
            self._line.set(now, beat, self.tempo / 60.0)


class Line:
    """The beat as a piecewise linear function of time.

    The slope is `_speed` beats per second, except from `_time` to `_then`, where it is `_bent`.
    """

    def __init__(self, speed: float) -> None:
        self.set(0.0, 0.0, speed)

    def set(self, time: float, beat: float, speed: float) -> None:
        """Jump to a point, with a new slope."""
        self._time = self._then = time
        self._beat = self._there = beat
        self._speed = self._bent = speed

    def beat_at(self, time: float) -> float:
        """The beat at a time."""
        if time >= self._then:
            return self._there + (time - self._then) * self._speed
        if time >= self._time:
            return self._beat + (time - self._time) * self._bent
        return self._beat + (time - self._time) * self._speed

    def time_of(self, beat: float) -> float:
        """The time of a beat."""
        if beat >= self._there:
            return self._then + (beat - self._there) / self._speed
        if beat >= self._beat:
            return self._time + (beat - self._beat) / self._bent
        return self._time + (beat - self._beat) / self._speed

    def steer(self, now: float, time: float, beat: float, speed: float) -> None:
        """Change the slope for a while, to reach the line through a point without a jump.

        This takes half a beat for errors of jitter and tempo changes. After a larger error the
        speed is halved, or multiplied by 1.5, until it is corrected.
        """
        here = self.beat_at(now)
        error = beat + (now - time) * speed - here
        self._time, self._beat, self._speed = now, here, speed
        if error == 0.0:
            self._then, self._there, self._bent = now, here, speed
            return
        length = max(0.5, 2 * abs(error)) / speed  # seconds
        self._bent = speed + error / length
        self._then = now + length
        self._there = here + self._bent * length


def _fit(taps: list[float]) -> tuple[float, float]:
    """A line fitted to taps (least squares): seconds per beat, and the time of the last beat."""
    n = len(taps)
    middle, mean = (n - 1) / 2, sum(taps) / n
    slope = sum((i - middle) * (t - mean) for i, t in enumerate(taps)) * 12 / (n * (n * n - 1))
    return slope, mean + (n - 1 - middle) * slope
