"""MIDI clock as the master: Start, then 24 ticks a beat, then Stop. Pure: it is told the time.

The first tick is beat 0 of the song, as the specification wants it. A tick's time is asked of the
clock at the last moment, so that the ticks follow a tempo that is tapped or turned.
"""

from collections.abc import Callable

from ..midi.messages import START, STOP, TIMING_CLOCK
from .clock import TICKS_PER_BEAT, Clock

AT_ONCE = 0.0  # a time that has always come
FAR = 4 * TICKS_PER_BEAT  # ticks behind from which on whole bars are left out, not made good


class ClockSender:
    """The ticks of a clock that follows nobody, handed to `send` when their time has come."""

    def __init__(self, clock: Clock, send: Callable[[bytes], None]) -> None:
        self._clock, self._send = clock, send
        self._next: int | None = None  # the number of the next tick; None: it stands
        self.wanted = True
        """Whether it is to start at the next tick."""

    def start(self, now: float) -> None:
        """The song begins, whatever was before."""
        self._clock.receive(now, bytes((START,)))
        self._next, self.wanted = 0, False
        self._send(bytes((START,)))

    def stop(self) -> None:
        """The song ends, if it ran."""
        ran = self._next is not None
        self._next, self.wanted = None, False
        if ran:
            self._send(bytes((STOP,)))

    @property
    def next_due(self) -> float | None:
        """When there is something to send; None: not in sight."""
        if self._next is None:
            return AT_ONCE if self.wanted else None
        return self._clock.time_of(self._next / TICKS_PER_BEAT)

    def tick(self, now: float) -> None:
        """Send Start, and the ticks whose time has come.

        After a long halt of the machine the ticks of whole bars are left out, so that the listener
        is on the right beat of the bar.
        """
        if self.wanted:
            self.start(now)
        while self._next is not None and self._clock.time_of(self._next / TICKS_PER_BEAT) <= now:
            behind = int(self._clock.beat_at(now) * TICKS_PER_BEAT) - self._next
            if behind > FAR:
                bar = self._clock.beats_per_bar * TICKS_PER_BEAT
                self._next += behind // bar * bar
            self._next += 1
            self._send(bytes((TIMING_CLOCK,)))


class NoClockSender(ClockSender):
    """Where no clock is sent: nothing is ever due."""

    @property
    def next_due(self) -> float | None:
        """See ClockSender."""
        return None

    def tick(self, now: float) -> None:
        """See ClockSender."""
