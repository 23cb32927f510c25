"""MIDI clock as the master: Start, then 24 ticks a beat, then Stop. Pure: it is told the time.

The first tick is beat 0 of the song, as the specification wants it. A tick's time is asked of the
clock at the last moment, so that the ticks follow a tempo that is tapped or turned.
"""

from .clock import START, STOP, TICK, TICKS_PER_BEAT, Clock

AT_ONCE = 0.0  # a time that has always come
FAR = 4 * TICKS_PER_BEAT  # ticks behind from which on whole bars are left out, not made good


class ClockOut:
    """The ticks of a clock that follows nobody."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next: int | None = None  # the number of the next tick; None: it stands
        self.wanted = True
        """Whether it is to start at the next look at it."""

    def start(self, now: float) -> bytes:
        """The song begins, whatever was before; what to send."""
        self._clock.receive(now, bytes((START,)))
        self._next, self.wanted = 0, False
        return bytes((START,))

    def stop(self) -> bytes | None:
        """The song ends; what to send, if it ran."""
        ran = self._next is not None
        self._next, self.wanted = None, False
        return bytes((STOP,)) if ran else None

    @property
    def next_due(self) -> float | None:
        """When there is something to send; None: not in sight."""
        if self._next is None:
            return AT_ONCE if self.wanted else None
        return self._clock.time_of(self._next / TICKS_PER_BEAT)

    def due(self, now: float) -> bytes | None:
        """Start or the next tick, if its time has come.

        After a long halt of the machine the ticks of whole bars are left out, so that the listener
        is on the right beat of the bar.
        """
        if self.wanted:
            return self.start(now)
        due = self.next_due
        if due is None or self._next is None or due > now:
            return None
        behind = int(self._clock.beat_at(now) * TICKS_PER_BEAT) - self._next
        if behind > FAR:
            bar = self._clock.beats_per_bar * TICKS_PER_BEAT
            self._next += behind // bar * bar
        self._next += 1
        return bytes((TICK,))


class NoClockOut(ClockOut):
    """Where no clock is sent: nothing is ever due."""

    @property
    def next_due(self) -> float | None:
        """See ClockOut."""
        return None

    def due(self, now: float) -> bytes | None:
        """See ClockOut."""
        return None
