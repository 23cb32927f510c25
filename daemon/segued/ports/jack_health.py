"""Seeing that a JACK server has died or hangs, without asking libjack, which does not tell.

What was seen (jackd2 1.9.21 with its own libjack, python-rtmidi 1.5.8 and supriya-midi 26.10b4):
- After the server's death `is_port_open()`, `get_port_count()` and `get_ports()` answer as before,
  and `send_message` fills a ring of 16 kB and then spins for ever with the interpreter lock held.
- Opening a new client then raises, but libjack frees the old clients by the way, and closing those
  afterwards is a segmentation fault: whoever looks that way must have closed everything first.
- With a server that hangs (SIGSTOP, a stuck sound card) closing a port never returns.
- A client that gives up a port while news of the graph reach it (another client came or went) may
  crash: libjack's thread walks the list that the other changes (`HandleLatencyCallback`,
  `PortUnRegister`). Closing two clients in a row did it once in 200 times.

So two witnesses from outside are asked. libjack's sockets to the server hang up when it goes: a
duplicate of each stays ours even when libjack closes its own. And the thread that JACK calls for
the output goes to sleep after each period, which Linux counts. (Its processor time moves too, but
also while it is still in the midst of a call.)
"""

import os
import select
import socket
import stat
import struct
import time
from collections.abc import Set

from .jack_witness import UNKNOWN, JackWitness

RING = 16384 - 1  # bytes of RtMidi's ring for the output (JACK_RINGBUFFER_SIZE)
RING_HEADER = 4  # bytes that it adds to each message
ASK_AFTER = RING // 2  # bytes that may be on their way before the witness is asked
ASK_AGAIN = 1024  # bytes until it is asked again
FETCHED = 2  # sleeps that make sure of one whole call: the first may end one that had begun before
PERIODS = FETCHED + 1  # one more for those that come after us in the graph
QUIET = 0.05  # seconds without news after which none is under way
FULL_PATIENCE = 0.25  # seconds
LONGEST_DRAIN = 1.0  # seconds; three of the longest periods (8192 frames at 44.1 kHz) are 0.56

_PEER = struct.Struct("=iII")  # Linux's struct ucred: process, user, group
_NOBODY = 0xFFFFFFFF  # its user where nobody is connected
_SLEEPS = b"\nvoluntary_ctxt_switches:\t"


class NoHealth:
    """For the backends whose sends neither block nor need watching (ALSA, CoreMIDI, WinMM)."""

    def alive(self) -> bool:
        """Nothing is known against it."""
        return True

    def room(self, size: int) -> bool:
        """Always."""
        return True

    def drain(self, seconds: float = LONGEST_DRAIN) -> bool:
        """The system has it already."""
        return True

    def settle(self) -> None:
        """Give the system a moment to deliver."""
        time.sleep(QUIET)

    def peers(self) -> tuple[int, int]:
        """How many ports are connected to our input and to our output; -1: cannot be known."""
        return UNKNOWN

    def follow(self, input_port: str, output_port: str) -> None:
        """Nothing needs their names."""

    def look_away(self) -> None:
        """Nobody looks."""

    def close(self) -> None:
        """Nothing to give back."""


class JackHealth:
    """Watches the server through `sockets` and the output through its `threads`.

    Both are what appeared in this process while the clients were opened: see `unix_sockets` and
    `threads_now`. Where the system has no /proc they are empty, and nothing is known against the
    server. `witness` counts who is connected. Used by the engine's thread only.
    """

    def __init__(
        self, sockets: Set[int], threads: Set[int], witness: JackWitness | None = None
    ) -> None:
        self._sockets = [os.dup(fd) for fd in sockets]
        self._poll = select.poll()
        for fd in self._sockets:
            self._poll.register(fd, 0)  # hanging up and errors, which cannot be left out
        self._threads = [os.open(f"/proc/self/task/{n}/status", os.O_RDONLY) for n in threads]
        self._opened = self._seen = self._sleeps()
        self._before = 0  # bytes that were sent before the last look and may still be in the ring
        self._since = 0  # bytes sent since
        self._ask_at = ASK_AFTER
        self._witness = witness

    def alive(self) -> bool:
        """Whether the server is there. Costs 1.5 µs."""
        return not self._poll.poll(0)

    def follow(self, input_port: str, output_port: str) -> None:
        """From now on look who is connected to these ports of ours, by their full names."""
        if self._witness is not None:
            self._witness.follow(input_port, output_port)

    def peers(self) -> tuple[int, int]:
        """How many ports are connected to our input and to our output; -1: not known (yet)."""
        return UNKNOWN if self._witness is None else self._witness.counts()

    def look_away(self) -> None:
        """No longer look who is connected: before the ports are given up."""
        if self._witness is not None and self._witness.taken:
            self._witness.close()

    def room(self, size: int) -> bool:
        """Whether a message of `size` bytes fits the ring for certain; if so it is counted.

        0.3 µs, and 40 µs more once in 1,100 notes; in a burst of more within a period once in 140.
        When the ring may be full (2,300) it waits for JACK, `FULL_PATIENCE` long.
        """
        size += RING_HEADER
        if self._before + self._since + size > self._ask_at and not self._ask(size):
            return False
        self._since += size
        return True

    def drain(self, seconds: float = LONGEST_DRAIN) -> bool:
        """Wait until JACK has fetched what was sent; False when it does not within `seconds`."""
        deadline = time.monotonic() + seconds
        begin = self._sleeps()
        while self._calls(begin, self._sleeps()) < PERIODS:
            if time.monotonic() > deadline or not self.alive():
                return False
            time.sleep(0.001)
        return True

    def settle(self) -> None:
        """Wait until the server has told no news for `QUIET` seconds, at most `LONGEST_DRAIN`.

        Before the first message after connecting, which takes effect some periods later, and before
        a port is given up.
        """
        deadline = time.monotonic() + LONGEST_DRAIN
        last = time.monotonic()
        while time.monotonic() < min(last + QUIET, deadline) and self.alive():
            if select.select(self._sockets, (), (), 0.002)[0]:
                last = time.monotonic()
                time.sleep(0.001)  # libjack reads them

    def close(self) -> None:
        """Give the descriptors back. The watch is of no use afterwards."""
        for fd in self._sockets:
            self._poll.unregister(fd)
        for fd in (*self._sockets, *self._threads):
            os.close(fd)
        self._sockets.clear()
        self._threads.clear()

    def _ask(self, size: int) -> bool:
        sleeps = self._sleeps()
        if self._calls(self._seen, sleeps) >= FETCHED:  # what was sent before the last look is gone
            self._before, self._since, self._seen = self._since, 0, sleeps
        elif self._before + self._since + size > RING:
            if not self.drain(FULL_PATIENCE):
                return False
            self._before, self._since, self._seen = 0, 0, self._sleeps()
        self._ask_at = min(RING, max(ASK_AFTER, self._before + self._since + ASK_AGAIN))
        return True

    def _sleeps(self) -> list[int]:
        """How often each thread has gone to sleep; -1 when it has ended."""
        if not self._threads:
            return [time.monotonic_ns()]
        return [_sleeps_of(fd) for fd in self._threads]

    def _calls(self, begin: list[int], now: list[int]) -> int:
        """How often the busiest thread went to sleep meanwhile: the others only carry news."""
        ran = [n - opened for opened, n in zip(self._opened, now, strict=True)]
        busiest = ran.index(max(ran))
        return now[busiest] - begin[busiest]


def _sleeps_of(status: int) -> int:
    try:
        text = os.pread(status, 8192, 0)
    except OSError:
        return -1
    start = text.index(_SLEEPS) + len(_SLEEPS)
    return int(text[start : text.index(b"\n", start)])


def unix_sockets() -> set[int]:
    """This process's Unix sockets that lead to another process."""
    return {fd for fd in _numbers("/proc/self/fd") if _leads_out(fd)}


def threads_now() -> set[int]:
    """The kernel's numbers of this process's threads."""
    return _numbers("/proc/self/task")


def _numbers(folder: str) -> set[int]:
    try:
        return {int(name) for name in os.listdir(folder)}
    except OSError:
        return set()


def _leads_out(fd: int) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
        with socket.socket(fileno=os.dup(fd)) as twin:
            if twin.family != socket.AF_UNIX:
                return False
            peer = twin.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    except OSError:  # closed since it was listed
        return False
    process, user, _ = _PEER.unpack(peer)
    return bool(user != _NOBODY and process != os.getpid())
