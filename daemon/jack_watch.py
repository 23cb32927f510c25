"""Seeing that a JACK server has died or hangs, without asking libjack, which does not tell.

What was seen (jackd2 1.9.21, python-rtmidi 1.5.8):
- After the server's death `is_port_open()`, `get_port_count()` and `get_ports()` answer as before,
  and `send_message` fills a ring of 16 kB and then spins for ever with the interpreter lock held.
- Opening a new client then raises, but libjack frees the old clients by the way, and closing those
  afterwards is a segmentation fault: whoever looks that way must have closed everything first.
- With a server that hangs (SIGSTOP, a stuck sound card) closing a port never returns.

So two witnesses from outside are asked. libjack's sockets to the server hang up when it goes: a
duplicate of each stays ours even when libjack closes its own. And the processor clock of the thread
that JACK calls for the output moves once in every period as long as it is called.
"""

import os
import select
import socket
import stat
import struct
import time
from collections.abc import Set

RING = 16384 - 1  # bytes of RtMidi's ring for the output (JACK_RINGBUFFER_SIZE)
RING_HEADER = 4  # bytes that it adds to each message
ASK_AFTER = RING // 2  # bytes that may be on their way before the witness is asked
PERIODS = 3  # clock changes that make sure of two whole periods, one being under way
FULL_PATIENCE = 0.25  # seconds
LONGEST_DRAIN = 1.0  # seconds; three of the longest periods (8192 frames at 44.1 kHz) are 0.56

_PEER = struct.Struct("=iIi")  # Linux's struct ucred: process, user, group
_NOBODY = 0xFFFFFFFF  # its user where nobody is connected
_THREAD_CLOCK = 0b110  # Linux: the low bits of a clock id that means one thread's processor time


class NoWatch:
    """For the backends whose sends neither block nor need watching (ALSA, CoreMIDI, WinMM)."""

    pause = 0.02  # seconds that the system gets to deliver what was sent

    def alive(self) -> bool:
        """Nothing is known against it."""
        return True

    def room(self, size: int) -> bool:
        """Always."""
        return True

    def drain(self, seconds: float = LONGEST_DRAIN) -> bool:
        """Give what was sent a moment."""
        time.sleep(min(seconds, self.pause))
        return True

    def close(self) -> None:
        """Nothing to give back."""


class JackWatch:
    """Watches the server through `sockets` and the output through its `threads`.

    Both are what appeared in this process while the clients were opened: see `unix_sockets` and
    `threads_now`. Where the system has no /proc they are empty, and nothing is known against the
    server. Used by the engine's thread only.
    """

    def __init__(self, sockets: Set[int], threads: Set[int]) -> None:
        self._sockets = [os.dup(fd) for fd in sockets]
        self._poll = select.poll()
        for fd in self._sockets:
            self._poll.register(fd, 0)  # hanging up and errors, which cannot be left out
        self._clocks = [(~thread << 3) | _THREAD_CLOCK for thread in threads]
        self._seen = self._calls()
        self._before = self._since = 0  # bytes sent between the last two moves seen, and since

    def alive(self) -> bool:
        """Whether the server is there. Costs 1.5 µs."""
        return not self._poll.poll(0)

    def room(self, size: int) -> bool:
        """Whether a message of `size` bytes fits the ring for certain; if so it is counted.

        0.3 µs; 1.5 µs more when over `ASK_AFTER` bytes went out since JACK called for certain. When
        the ring may be full (2,300 notes within a period) it waits for JACK, `FULL_PATIENCE` long.
        """
        size += RING_HEADER
        if self._before + self._since + size > ASK_AFTER:
            calls = self._calls()
            if calls != self._seen:  # the ring was emptied, at some time since the last look
                self._before, self._since, self._seen = self._since, 0, calls
            if self._before + self._since + size > RING:
                if not self.drain(FULL_PATIENCE):
                    return False
                self._before = self._since = 0
        self._since += size
        return True

    def drain(self, seconds: float = LONGEST_DRAIN) -> bool:
        """Wait until JACK has fetched what was sent; False when it does not within `seconds`."""
        deadline = time.monotonic() + seconds
        seen, moves = self._calls(), 0
        while moves < PERIODS:
            if time.monotonic() > deadline or not self.alive():
                return False
            time.sleep(0.001)
            calls = self._calls()
            moves += calls != seen
            seen = calls
        return True

    def close(self) -> None:
        """Give the duplicated sockets back. The watch is of no use afterwards."""
        for fd in self._sockets:
            self._poll.unregister(fd)
            os.close(fd)
        self._sockets.clear()

    def _calls(self) -> int:
        """A number that moves whenever JACK has called."""
        if not self._clocks:
            return time.monotonic_ns()
        try:
            return sum(time.clock_gettime_ns(clock) for clock in self._clocks)
        except OSError:  # a thread has ended: no more calls
            return self._seen


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
