"""Sends MIDI clock: Start, then 24 ticks per beat, then Stop. Pure: the caller passes the time.

The first tick is beat 0 of the song (MIDI 1.0). Each tick's time is computed at the last moment, so
that the ticks follow tempo changes.
"""

from collections.abc import Callable

from ..midi.messages import START, STOP, TIMING_CLOCK
from .clock import TICKS_PER_BEAT, Clock

AT_ONCE = 0.0  # a time that is always past
FAR = 4 * TICKS_PER_BEAT  # if more ticks are overdue, whole bars are skipped


class ClockSender:
    """Sends the ticks of a clock that does not follow another one."""

    def __init__(self, clock: Clock, send: Callable[[bytes], None]) -> None:
        self._clock, self._send = clock, send
        self._next: int | None = None  # the number of the next tick; None: stopped
        self.wanted = True
        """Whether the next `tick` is to start the song."""

    def start(self, now: float) -> None:
        """Start the song from its beginning."""
        self._clock.receive(now, bytes((START,)))
        self._next, self.wanted = 0, False
        self._send(bytes((START,)))

    def stop(self) -> None:
        """Stop the song, if it runs."""
        ran = self._next is not None
        self._next, self.wanted = None, False
        if ran:
            self._send(bytes((STOP,)))

    @property
    def next_due(self) -> float | None:
        """When `tick` is next needed; None: never."""
        if self._next is None:
            return AT_ONCE if self.wanted else None
        return self._clock.time_of(self._next / TICKS_PER_BEAT)

    def tick(self, now: float) -> None:
        """Send Start if wanted, and the ticks that are due.

        After a long halt of the machine the ticks of whole bars are skipped, so that the receiver
        stays on the right beat of the bar.
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
    """The null object for when no clock is sent."""

    @property
    def next_due(self) -> float | None:
        """See ClockSender."""
        return None

    def tick(self, now: float) -> None:
        """See ClockSender."""
