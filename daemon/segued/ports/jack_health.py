"""Detects that a JACK server has died or hangs, which libjack does not tell.

What was observed (jackd2 1.9.21 with its libjack, python-rtmidi 1.5.8 and supriya-midi 26.10b4):
- After the server's death `is_port_open()`, `get_port_count()` and `get_ports()` answer as before,
  and `send_message` fills a ring of 16 kB and then spins for ever with the interpreter lock held.
- Opening a new client then raises, but it also frees libjack's old clients, and closing those
  afterwards is a segmentation fault. So all clients must be closed before a new one is opened.
- With a server that hangs (SIGSTOP, a stuck sound card) closing a port never returns.
- A client that closes a port while it is notified of a change of the graph (another client came
  or went) may crash: libjack's thread iterates over a list that the other thread changes
  (`HandleLatencyCallback`, `PortUnRegister`; jack2's issues 216 and 340).

So two other sources are used. libjack's sockets to the server hang up when it goes; we keep a
duplicate of each, in case libjack closes its own. And the thread that JACK calls for the output
sleeps after each period, which Linux counts. (Its CPU time also increases, but even in the middle
of a call.)
"""

import os
import select
import socket
import stat
import struct
import time
from collections.abc import Set

from . import jack_calls
from .jack_calls import Called, Threads, most
from .jack_witness import UNKNOWN, JackWitness

RING = 16384 - 1  # bytes of RtMidi's ring for the output (JACK_RINGBUFFER_SIZE)
RING_HEADER = 4  # bytes that it adds to each message
ASK_AFTER = RING // 2  # bytes that may be in the ring before the thread's sleeps are counted
ASK_AGAIN = 1024  # bytes until they are counted again
FETCHED = 2  # sleeps that guarantee a whole call: the first may end one that had begun before
PERIODS = FETCHED + 1  # one more for the clients after ours in the graph
QUIET = 0.05  # seconds without a notification after which none is on its way
FULL_PATIENCE = 0.25  # seconds
LONGEST_DRAIN = 1.0  # seconds; three of the longest periods (8192 frames at 44.1 kHz) are 0.56

_PEER = struct.Struct("=iII")  # Linux's struct ucred: process, user, group
_NOBODY = 0xFFFFFFFF  # its user where nobody is connected


class NoHealth:
    """For the backends whose sends neither block nor need watching (ALSA, CoreMIDI, WinMM)."""

    def alive(self) -> bool:
        """Always true."""
        return True

    def room(self, size: int) -> bool:
        """Always true."""
        return True

    def drain(self, seconds: float = LONGEST_DRAIN) -> bool:
        """Always true: the system already has all messages."""
        return True

    def settle(self) -> None:
        """Give the system a moment to deliver."""
        time.sleep(QUIET)

    def called(self) -> Called:
        """Always both directions."""
        return Called.BOTH

    def hangs(self) -> bool:
        """Always false."""
        return False

    def rest(self) -> None:
        """Do nothing: closing is safe at any time."""

    def peers(self) -> tuple[int, int]:
        """The numbers of ports connected to our input and to our output; -1: unknown."""
        return UNKNOWN

    def follow(self, input_port: str, output_port: str) -> None:
        """Do nothing: the ports' names are not needed."""

    def unfollow(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class JackHealth:
    """Watches the server by its `sockets`, the output by its `threads`, the input by `inputs`.

    All are those that appeared in this process while the clients were opened: see `unix_sockets`
    and `threads_now`. On a system without /proc they are empty, and the server counts as alive.
    `witness` counts connections. For the engine's thread only.
    """

    def __init__(
        self,
        sockets: Set[int],
        threads: Set[int],
        inputs: Set[int] = frozenset(),
        witness: JackWitness | None = None,
    ) -> None:
        self._sockets = [os.dup(fd) for fd in sockets]
        self._poll = select.poll()
        for fd in self._sockets:
            self._poll.register(fd, 0)  # hang-ups and errors are always reported
        self._threads, self._inputs = Threads(threads), Threads(inputs)
        self._opened = self._seen = self._sleeps()
        self._before = 0  # bytes sent before the last check that may still be in the ring
        self._since = 0  # bytes sent since
        self._ask_at = ASK_AFTER
        self._witness = witness

    def alive(self) -> bool:
        """Whether the server is alive. 1.5 µs."""
        return not self._poll.poll(0)

    def follow(self, input_port: str, output_port: str) -> None:
        """Count the connections of these ports, given by their full names, from now on."""
        if self._witness is not None:
            self._witness.follow(input_port, output_port)

    def peers(self) -> tuple[int, int]:
        """The numbers of ports connected to our input and to our output; -1: unknown (yet)."""
        return UNKNOWN if self._witness is None else self._witness.counts()

    def unfollow(self) -> None:
        """Stop counting connections, before the ports are closed."""
        if self._witness is not None and self._witness.taken:
            self._witness.close()

    def room(self, size: int) -> bool:
        """Whether a message of `size` bytes certainly fits into the ring; if so, it is counted.

        This takes 0.3 µs, and 40 µs more once in 1,100 notes (once in 140 in a burst within one
        period). When the ring may be full (2,300 notes), it waits up to `FULL_PATIENCE` for JACK.
        """
        size += RING_HEADER
        if self._before + self._since + size > self._ask_at and not self._ask(size):
            return False
        self._since += size
        return True

    def called(self) -> Called:
        """Which of the two clients the server calls, once they are open: see `jack_calls`.

        Takes eight periods, and half a second or more if one is left out.
        """
        if not (self._threads and self._inputs):  # nothing is known
            return Called.BOTH
        return jack_calls.watch(self._inputs, self._threads, self.alive)

    def hangs(self) -> bool:
        """Whether the server is there and calls nobody. Waits until it has read all messages.

        Takes up to `LONGEST_DRAIN` seconds. Closing returns if it merely leaves the output out.
        """
        before = self._inputs.sleeps()
        fetched = self.drain()
        return not fetched and self.alive() and most(before, self._inputs.sleeps()) < PERIODS

    def rest(self) -> None:
        """Wait until no call of the output that has begun by now goes on."""
        self._threads.rest(LONGEST_DRAIN)

    def drain(self, seconds: float = LONGEST_DRAIN) -> bool:
        """Wait until JACK has read all messages; False if it does not within `seconds`."""
        deadline = time.monotonic() + seconds
        begin = self._sleeps()
        while self._calls(begin, self._sleeps()) < PERIODS:
            if time.monotonic() > deadline or not self.alive():
                return False
            time.sleep(0.001)
        return True

    def settle(self) -> None:
        """Wait until the server was quiet for `QUIET` seconds, at most `LONGEST_DRAIN`.

        Needed before the first message after connecting, which takes effect some periods later, and
        before a port is closed.
        """
        deadline = time.monotonic() + LONGEST_DRAIN
        last = time.monotonic()
        while time.monotonic() < min(last + QUIET, deadline) and self.alive():
            if select.select(self._sockets, (), (), 0.002)[0]:
                last = time.monotonic()
                time.sleep(0.001)  # libjack reads them

    def close(self) -> None:
        """Close the descriptors. The object cannot be used afterwards."""
        for fd in self._sockets:
            self._poll.unregister(fd)
            os.close(fd)
        self._sockets.clear()
        self._threads.close()
        self._inputs.close()

    def _ask(self, size: int) -> bool:
        sleeps = self._sleeps()
        if self._calls(self._seen, sleeps) >= FETCHED:  # JACK has read what was sent before
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
        return self._threads.sleeps()

    def _calls(self, begin: list[int], now: list[int]) -> int:
        """How often the busiest thread slept in between; the others only carry notifications."""
        ran = [n - opened for opened, n in zip(self._opened, now, strict=True)]
        busiest = ran.index(max(ran))
        return now[busiest] - begin[busiest]


def unix_sockets() -> set[int]:
    """This process's Unix sockets that are connected to another process."""
    return {fd for fd in _numbers("/proc/self/fd") if _leads_out(fd)}


def threads_now() -> set[int]:
    """The kernel's ids of this process's threads."""
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
