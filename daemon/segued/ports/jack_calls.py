"""Whether JACK calls our two clients: by the sleep of their threads, which Linux counts.

jackd2 may never call a client that has just opened, though it lists its ports and calls the others:
- libjack has one table of semaphores in each process, with a place for each client of the server.
- If a client leaves while ours is being opened, libjack does not clear its place (seen in 1.9.21).
- If our second client then gets that place, its thread waits for the semaphore of the client that
  has left. An asynchronous server goes on without our client, and nobody hears what it sends; a
  synchronous one stands still for five seconds at a time.

The semaphore that is left is a file in memory that has been deleted: that shows before the second
client is opened (`left_behind`). Should it show too late, the thread sleeps and never wakes up.
"""

import os
import time
from collections.abc import Callable, Sequence, Set
from enum import Enum

ENOUGH = 8  # calls of both clients that are enough for a judgement
SHARE = 4  # called less than this fraction as often as the other: left out, the rest is news
LOOK = 0.002  # seconds
WINDOW = 0.5  # seconds in which both are compared: a busy machine keeps a thread waiting for 0.1
LONGEST_WINDOW = 1.0  # seconds; if there were hardly any calls: 5 of the longest periods

_SEMAPHORE = "/jack_sem."
_DELETED = "(deleted)"
_STATE = b"\nState:\t"
_SLEEPS = b"\nvoluntary_ctxt_switches:\t"


class Called(Enum):
    """Which of the two clients the server calls."""

    BOTH = "both"
    ONE = "one"
    """It leaves the other out: other clients help."""
    NONE = "none"
    """It hangs."""


class Threads:
    """Some threads of this process, by the kernel's numbers."""

    def __init__(self, numbers: Set[int]) -> None:
        self._files = [os.open(f"/proc/self/task/{n}/status", os.O_RDONLY) for n in numbers]

    def __len__(self) -> int:
        return len(self._files)

    def sleeps(self) -> list[int]:
        """How often each has gone to sleep; -1 when it has ended. 20 µs a thread."""
        return [int(_field(file, _SLEEPS) or -1) for file in self._files]

    def rest(self, seconds: float) -> bool:
        """Wait until each has been asleep, or has ended; False if one has not within `seconds`.

        A thread that sleeps is in none of RtMidi's callbacks: they do not wait for anything.
        """
        deadline = time.monotonic() + seconds
        busy = list(self._files)
        while busy := [file for file in busy if _field(file, _STATE)[:1] not in (b"S", b"")]:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK)
        return True

    def close(self) -> None:
        """Close the descriptors. Idempotent."""
        while self._files:
            os.close(self._files.pop())


def left_behind() -> bool:
    """Whether libjack has kept the semaphore of a client that has left. Takes 0.3 ms."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            return any(_SEMAPHORE in line and line.rstrip().endswith(_DELETED) for line in maps)
    except OSError:  # no Linux
        return False


def most(before: Sequence[int], now: Sequence[int]) -> int:
    """The most sleeps of one thread in between: the other threads only carry news."""
    return max((after - ago for ago, after in zip(before, now, strict=True)), default=0)


def judge(calls: tuple[int, int], seconds: float) -> Called | None:
    """Which of the clients are called, by the calls of each in so many seconds; None: too early."""
    fewer, more = sorted(calls)
    if fewer >= ENOUGH and 2 * fewer >= more:
        return Called.BOTH
    if seconds < (WINDOW if more >= ENOUGH else LONGEST_WINDOW):
        return None
    if not more:
        return Called.NONE
    return Called.BOTH if SHARE * fewer >= more else Called.ONE


def watch(inputs: Threads, outputs: Threads, alive: Callable[[], bool]) -> Called:
    """Which of both clients are called; none if the server is no longer `alive`.

    Takes 8 periods, or half a second and up to one if one is left out.
    """
    before, began, called = (inputs.sleeps(), outputs.sleeps()), time.monotonic(), None
    while called is None and alive():
        time.sleep(LOOK)
        now, seconds = (inputs.sleeps(), outputs.sleeps()), time.monotonic() - began
        called = judge((most(before[0], now[0]), most(before[1], now[1])), seconds)
    return called or Called.NONE


def _field(status: int, name: bytes) -> bytes:
    """A field of a file /proc/self/task/N/status; b"" when the thread has ended."""
    try:
        text = os.pread(status, 8192, 0)
    except OSError:
        return b""
    start = text.index(name) + len(name)
    return text[start : text.index(b"\n", start)]
