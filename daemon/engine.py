"""The one real-time loop: ports to player to ports.

Hot path: no logging, no locks, no thread but this one. Between any two model steps it looks at the
input and at what is due.
"""

import gc
import time
from collections.abc import Callable

from .active_notes import PERFORMER
from .player import Player
from .statistics import Percentiles
from .transport import Transport

MAX_WAIT = 0.02  # seconds; how long a signal may wait for the loop
MAX_BURST = 32  # messages taken from the input before what is due is looked at again
TIDY_AFTER = 5.0  # seconds of rest after which garbage may be collected
ALIVE_EVERY = 1.0  # seconds between looks at whether the MIDI system is still there


class Engine:
    """Drives a player in real time until `stop` is called (from a signal handler, say).

    `on_note(now)` and the statistics are for whoever watches; `lateness` holds how late planned
    messages were sent, in seconds.
    """

    def __init__(
        self,
        transport: Transport,
        make_player: Callable[[Callable[[int, bytes], None]], Player],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._transport, self._clock = transport, clock
        self._start = clock()
        self._stopping = False
        self._due: float | None = None  # when what is being sent was due; None: at no set time
        self.lateness = Percentiles()
        self.sent = 0
        self.received = 0
        self.lost = False
        self.player = make_player(self._send)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def take(self, transport: Transport) -> None:
        """Go on with another transport: everything on it is silenced first."""
        self._transport, self.lost = transport, False
        self.player.go_on(self._now())

    def stop(self) -> None:
        """End the loop at its next turn. Safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Play until stopped or the MIDI system goes away; every note is closed on the way out."""
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            self._loop()
        finally:
            gc.enable()
            gc.unfreeze()
            self.player.silence(self._now())

    def _loop(self) -> None:
        player, transport = self.player, self._transport
        last_busy = last_look = self._now()
        tidy = False
        while not self._stopping:
            busy = self._take_input()
            now = self._now()
            due = player.next_due()
            self._due = now if due is None else due
            player.tick(now)
            self._due = None
            if player.think(now):
                busy = True
            if busy:
                last_busy, tidy = now, False
                continue
            if now - last_look > ALIVE_EVERY:
                last_look = now
                if not transport.alive():
                    self.lost = True
                    return
            due = player.next_due()
            if due is None and not tidy and now - last_busy > TIDY_AFTER:
                gc.collect()
                tidy = True
            transport.wait(min(MAX_WAIT, max(0.0, due - self._now())) if due else MAX_WAIT)

    def _take_input(self) -> bool:
        for taken in range(MAX_BURST):
            message = self._transport.receive()
            if message is None:
                return taken > 0
            self.received += 1
            self.player.receive(self._now(), message)
        return True

    def _now(self) -> float:
        return self._clock() - self._start

    def _send(self, owner: int, message: bytes) -> None:
        self._transport.send(message)
        self.sent += 1
        if self._due is not None and owner != PERFORMER:
            self.lateness.add(max(0.0, self._now() - self._due))
