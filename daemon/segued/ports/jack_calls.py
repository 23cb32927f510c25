"""How often JACK calls each of our two clients: by the sleep of their threads, which Linux counts.

What was seen (jackd2 1.9.21, two busy cores): in one restart of the server in thirty a client that
has just opened is never called, though the server lists it and the others play on. A synchronous
server then stands still for 5 s at a time; an asynchronous one goes on without it, and whatever
that client sends is heard by nobody. Two plain RtMidi clients without Segue meet it as well. To
close that client and open another one helps.
"""

import os
from collections.abc import Sequence, Set

ENOUGH = 16  # calls of one of the two after which both are compared
SHARE = 4  # called less than this fraction as often as the other one: not called; the rest is news
IN_A_ROW = 2  # comparisons

_SLEEPS = b"\nvoluntary_ctxt_switches:\t"


class ThreadSleeps:
    """How often each of some threads of this process has gone to sleep."""

    def __init__(self, threads: Set[int]) -> None:
        self._files = [os.open(f"/proc/self/task/{n}/status", os.O_RDONLY) for n in threads]

    def __len__(self) -> int:
        return len(self._files)

    def read(self) -> list[int]:
        """Of each thread; -1 when it has ended. 20 µs a thread."""
        return [_sleeps_of(file) for file in self._files]

    def close(self) -> None:
        """Give the descriptors back."""
        while self._files:
            os.close(self._files.pop())


def most(before: Sequence[int], now: Sequence[int]) -> int:
    """The most sleeps of one thread meanwhile: the others of a client only carry news."""
    return max((after - ago for ago, after in zip(before, now, strict=True)), default=0)


class Comparison:
    """Whether JACK calls the output about as often as the input. Pure."""

    def __init__(self, inputs: list[int], outputs: list[int]) -> None:
        self._inputs, self._outputs = inputs, outputs
        self._missed = 0

    def look(self, inputs: list[int], outputs: list[int]) -> bool:
        """Whether the output is called, by the sleeps of the threads of both clients until now.

        An input that is not called tells nothing: its keyboard may be what keeps it waiting.
        """
        heard, served = most(self._inputs, inputs), most(self._outputs, outputs)
        if max(heard, served) >= ENOUGH:
            self._missed = self._missed + 1 if SHARE * served < heard else 0
            self._inputs, self._outputs = inputs, outputs
        return self._missed < IN_A_ROW


def _sleeps_of(status: int) -> int:
    try:
        text = os.pread(status, 8192, 0)
    except OSError:
        return -1
    start = text.index(_SLEEPS) + len(_SLEEPS)
    return int(text[start : text.index(b"\n", start)])
