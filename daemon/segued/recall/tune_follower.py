"""Where in a tune that was played before the present stands, though nobody plays it twice alike.

When a refrain comes again its chords are struck in another order, a note is added, one left out. So
the present is followed along the past, as a score follower does (Dannenberg, "An on-line algorithm
for real-time accompaniment", 1984): each note that is played is looked for among the next few that
have not come yet; the wrong and the missing count against the place, and with too many of them it
is lost. Where to begin is looked up: passages of a few notes, in their order or in any.

Where the present stands (`Present`) is a value, like the recurrent state: a plan takes its own.
"""

from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple
from zlib import crc32

import numpy as np

KEPT = 1 << 16  # notes: an hour and a half of fast playing
SLOTS = 1 << 16  # places of passages that a table holds, for each kind of passage
PASSAGES = ((3, False), (5, False), (4, True), (6, True), (12, True))
"""Lengths of the passages that are looked up, and whether the notes must be in order."""
TAIL = max(length for length, _ in PASSAGES)  # notes of the longest of them

REACH = 6  # the next notes among which the one that is played is looked for
BEHIND = 4  # notes after one that did not come, from which on it counts as left out
THREADS = 3  # places that are followed at once
NEAR = 3  # notes between two places that are taken for one, unless a passage is in order
WRONG, LEFT_OUT, FORGIVEN = 1.0, 0.5, 0.75  # what a place is charged, and keeps after a right note
DOUBTED = 0.85  # what is left of the agreement after a wrong note
LOST = 2.5  # charges with which a place is given up
CLOSE = 8  # notes before the end of what was played: see `Tune.after`
SURE = 12  # notes that came in order, from which on no other place is looked for
WELL_KNOWN = 24  # notes that came, from which on more of them do not make a place better
QUOTED = 3  # of the next notes, those that are made likelier


class Thread(NamedTuple):
    """A place in the past that the present may be repeating.

    `base`: the first note there that has not come yet. Bit i of `came`: the note i after it has.
    `agree`: how many notes came there, less after wrong ones; `run`: how many came in order, up to
    now; `charge`: for the wrong and the missing.
    """

    base: int
    came: int
    agree: float
    run: int
    charge: float

    @property
    def worth(self) -> float:
        """By which the best of several is chosen."""
        return min(self.agree, WELL_KNOWN) + 3 * self.run - 4 * self.charge


class Present(NamedTuple):
    """Where the present stands: its last pitches, and the places that it may repeat, best first."""

    tail: bytes = b""
    threads: tuple[Thread, ...] = ()


NOWHERE, WORTH = Present(), attrgetter("worth")


class Tune:
    """The last `KEPT` pitches that were played, and where each passage of them last ended.

    Memory of fixed size. A passage that was looked up is compared with what is kept, so two that
    share a slot are never taken for each other.
    """

    def __init__(self) -> None:
        self._pitches = bytearray(KEPT)
        self._tables = [np.zeros(SLOTS, np.int32).data for _ in PASSAGES]  # places, plus 1
        self._tail = b""
        self._first = 0
        self.count = 0

    @property
    def oldest(self) -> int:
        """The place of the oldest pitch that is kept."""
        return max(self._first, self.count - KEPT)

    def add(self, pitch: int) -> None:
        """What comes next; from now on it is found after any passage that ends here."""
        for (length, ordered), table in zip(PASSAGES, self._tables, strict=True):
            if len(self._tail) >= length:
                table[_slot(_key(self._tail[-length:], ordered))] = self.count + 1
        self._pitches[self.count % KEPT] = pitch
        self.count += 1
        self._tail = (self._tail + bytes((pitch,)))[-TAIL:]

    def clear(self) -> None:
        """Nothing was ever played."""
        self._tail, self._first = b"", self.count

    def after(self, present: Present, pitch: int, close: int = 0) -> Present:
        """Where the present stands after one note more.

        A place that has come as `close` to the end of all that was played is given up: `CLOSE` for
        the player whose tune it is, who would be taken for repeating the last notes for ever.
        """
        tail = (present.tail + bytes((pitch,)))[-TAIL:]
        threads = [after for old in present.threads if (after := self._fed(old, pitch, close))]
        if not threads or threads[0].run < SURE:
            self._look_up(tail, threads)
        threads.sort(key=WORTH, reverse=True)
        best: list[Thread] = []
        for thread in threads:
            if len(best) < THREADS and all(thread.base != other.base for other in best):
                best.append(thread)
        return Present(tail, tuple(best))

    def next(self, thread: Thread) -> Iterator[int]:
        """The next pitches at a place that have not come yet, at most `QUOTED`."""
        place, came, left = thread.base, thread.came, QUOTED
        if place < self.oldest:
            return
        while left and place < self.count:
            if not came & 1:
                yield self._pitches[place % KEPT]
                left -= 1
            place += 1
            came >>= 1

    def _fed(self, thread: Thread, pitch: int, close: int) -> Thread | None:
        """A thread after a pitch; None if it is lost, or at an end."""
        base, came, agree, run, charge = thread
        if base < self.oldest:
            return None
        pitches, count, place, rank = self._pitches, self.count, base, 0
        if not came and base + 1 < count - close and pitches[base % KEPT] == pitch:
            return Thread(base + 1, 0, agree + 1, run + 1, charge * FORGIVEN)
        while rank < REACH and place < count:
            if not came >> (place - base) & 1:
                if pitches[place % KEPT] == pitch:
                    break
                rank += 1
            place += 1
        else:
            charge += WRONG
            return Thread(base, came, agree * DOUBTED, 0, charge) if charge < LOST else None
        came |= 1 << (place - base)
        charge *= FORGIVEN
        while came & 1 or place - base > BEHIND:
            if not came & 1:
                charge += LEFT_OUT
            base += 1
            came >>= 1
        if base >= count - close or charge >= LOST:
            return None
        return Thread(base, came, agree + 1, 0 if rank else run + 1, charge)

    def _look_up(self, tail: bytes, threads: list[Thread]) -> None:
        """Begin to follow the places where passages end that end as `tail` does."""
        for (length, ordered), table in zip(PASSAGES, self._tables, strict=True):
            if len(tail) >= length:
                base = self._find(_key(tail[-length:], ordered), ordered, table)
                if base >= 0:
                    _begin(threads, base, length, ordered)

    def _find(self, key: bytes, ordered: bool, table: memoryview) -> int:
        """After which place a passage is; -1 if it is not kept."""
        place, length = table[_slot(key)] - 1, len(key)
        if place - length < self.oldest:
            return -1
        start = (place - length) % KEPT
        found = self._pitches[start : start + length]
        if len(found) < length:
            found += self._pitches[: length - len(found)]
        return place if _key(found, ordered) == key else -1


def _begin(threads: list[Thread], base: int, length: int, ordered: bool) -> None:
    """A passage of `length` was found that ends before `base`: follow it, if none does."""
    near = 0 if ordered else NEAR
    there = [i for i, thread in enumerate(threads) if abs(thread.base - base) <= near]
    if not there:
        threads.append(Thread(base, 0, length, length if ordered else 0, 0.0))
    elif ordered:
        for i in there:
            thread = threads[i]
            run, agree = max(thread.run, length), max(thread.agree, length)
            threads[i] = thread._replace(run=run, agree=agree)


def _key(passage: bytes | bytearray, ordered: bool) -> bytes:
    return bytes(passage) if ordered else bytes(sorted(passage))


def _slot(key: bytes) -> int:
    return crc32(key) % SLOTS
