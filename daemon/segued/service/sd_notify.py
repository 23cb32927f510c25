"""Notifies the service manager (sd_notify(3)): one datagram to NOTIFY_SOCKET per message.

Without a service manager every call does nothing. Nothing here blocks or raises: a manager that
does not read must not delay the music.
"""

import os
import socket
import time
from collections.abc import Callable, MutableMapping

SHARE = 3  # watchdog messages per period of the watchdog
MICROSECONDS = 1e6


class Notifier:
    """The connection to the service manager that the environment names.

    The variables are removed from the environment, so that child processes do not use them. A
    watchdog that is meant for another process is ignored.
    """

    def __init__(
        self,
        environment: MutableMapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        address = environment.pop("NOTIFY_SOCKET", "")
        period = environment.pop("WATCHDOG_USEC", "")
        process = environment.pop("WATCHDOG_PID", "")
        self._socket: socket.socket | None = None
        self._status = ""
        self._next = float("inf")  # the first message starts the watchdog: none before `ready`
        self._period = 0  # microseconds; 0: no watchdog
        self.every = float("inf")
        """Seconds between watchdog messages; infinite without a watchdog."""
        if not address or not hasattr(socket, "AF_UNIX"):
            return
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._address = "\0" + address[1:] if address.startswith("@") else address
        if period.isdecimal() and int(period) > 0 and process in ("", str(os.getpid())):
            self._period = int(period)
            self.every = self._period / MICROSECONDS / SHARE

    @property
    def present(self) -> bool:
        """Whether there is a service manager."""
        return self._socket is not None

    def ready(self, status: str) -> None:
        """Notify that startup or a reload is complete, with a status text."""
        self._status = status
        if self._period:
            self._next = 0.0
        self.send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Notify that a reload has begun; `ready` ends it."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.send(f"RELOADING=1\nMONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """Notify that the shutdown has begun."""
        self.send("STOPPING=1\nSTATUS=stopping")

    def patience(self, seconds: float) -> None:
        """Ask for a longer timeout, because something may take this many seconds; 0: it is over."""
        lines = []
        if seconds:
            lines.append(f"EXTEND_TIMEOUT_USEC={round(seconds * MICROSECONDS)}")
        if self._next < float("inf"):
            period = max(self._period, round(seconds * MICROSECONDS))
            lines += [f"WATCHDOG_USEC={period}", "WATCHDOG=1"]
        if lines:
            self.send("\n".join(lines))

    def alive(self, status: str) -> None:
        """Send a watchdog message if one is due, and the status text if it has changed.

        For the hot loop, at any rate: one comparison, and 4 µs when something is sent.
        """
        now = self._clock()
        if now >= self._next:
            self._next = now + self.every
            self.send("WATCHDOG=1")
        if status != self._status:
            self._status = status
            self.send(f"STATUS={status}")

    def close(self) -> None:
        """Close the connection. Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, text: str) -> bool:
        """Send a message; return whether it was sent."""
        if self._socket is None:
            return False
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError:  # the manager's queue is full, or it restarts: the next message will do
            return False
        return True
