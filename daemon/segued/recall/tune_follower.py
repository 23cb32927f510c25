"""Follows the present along a tune that was played before, though not played exactly alike.

When a refrain returns, its chords are struck in another order, a note is added or left out. So this
works like a score follower (Dannenberg, "An on-line algorithm for real-time accompaniment", 1984):
each note is searched among the next few notes of the tune that have not been matched. Wrong and
missing notes are charged, and with too many of them the place is given up. Places to start are
looked up by passages of a few notes, in their order or in any order.

The state (`Present`) is a value, like the recurrent state, so that each plan has its own.
"""

from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple
from zlib import crc32

import numpy as np

KEPT = 1 << 16  # notes: an hour and a half of fast playing
SLOTS = 1 << 16  # entries of the hash table for each kind of passage
PASSAGES = ((3, False), (5, False), (4, True), (6, True), (12, True))
"""Lengths of the passages that are looked up, and whether the notes must be in order."""
TAIL = max(length for length, _ in PASSAGES)  # notes of the longest passage

REACH = 6  # the next unmatched notes among which a note is searched
BEHIND = 4  # an unmatched note counts as left out after this many more notes
THREADS = 3  # places that are followed at once
NEAR = 3  # places this close count as one, unless a passage is in order
WRONG, LEFT_OUT, FORGIVEN = 1.0, 0.5, 0.75  # charges; the factor of the charge after a match
DOUBTED = 0.85  # the factor of `agree` after a wrong note
LOST = 2.5  # the charge at which a place is given up
CLOSE = 8  # notes before the end of what was played: see `Tune.after`
SURE = 12  # matching notes in a row from which on no other place is looked up
WELL_KNOWN = 24  # matching notes that count for the worth of a place
QUOTED = 3  # next notes that are made more likely


class Thread(NamedTuple):
    """A place in the past that the present may be repeating.

    `base`: the first unmatched note. Bit i of `came`: the note i after it is matched. `agree`: the
    number of matches, reduced by wrong notes; `run`: the matches in a row up to now; `charge`: for
    wrong and missing notes.
    """

    base: int
    came: int
    agree: float
    run: int
    charge: float

    @property
    def worth(self) -> float:
        """The score by which the best of several places is chosen."""
        return min(self.agree, WELL_KNOWN) + 3 * self.run - 4 * self.charge


class Present(NamedTuple):
    """The last pitches of the present, and the places that it may be repeating, best first."""

    tail: bytes = b""
    threads: tuple[Thread, ...] = ()


NOWHERE, WORTH = Present(), attrgetter("worth")


class Tune:
    """The last `KEPT` pitches that were played, and an index of their passages.

    Its memory is of fixed size. A passage that is found is compared with the pitches, so hash
    collisions do no harm.
    """

    def __init__(self) -> None:
        self._pitches = bytearray(KEPT)
        self._tables = [np.zeros(SLOTS, np.int32).data for _ in PASSAGES]  # positions, plus 1
        self._tail = b""
        self._first = 0
        self.count = 0

    @property
    def oldest(self) -> int:
        """The position of the oldest stored pitch."""
        return max(self._first, self.count - KEPT)

    def add(self, pitch: int) -> None:
        """Append a pitch. From now on it is found after each passage that ends before it."""
        for (length, ordered), table in zip(PASSAGES, self._tables, strict=True):
            if len(self._tail) >= length:
                table[_slot(_key(self._tail[-length:], ordered))] = self.count + 1
        self._pitches[self.count % KEPT] = pitch
        self.count += 1
        self._tail = (self._tail + bytes((pitch,)))[-TAIL:]

    def cut(self) -> None:
        """Begin a passage: the next pitch does not continue the last ones."""
        self._tail = b""

    def clear(self) -> None:
        """Forget all pitches."""
        self._tail, self._first = b"", self.count

    def after(self, present: Present, pitch: int, close: int = 0) -> Present:
        """The state after one more note.

        A place within `close` notes of the end of the tune is given up. `CLOSE` is for the
        performer, whose present notes would otherwise match the end of the tune, which they are.
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
        """The next unmatched pitches at a place, at most `QUOTED`."""
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
        """A thread after a pitch; None if it is given up."""
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
        """Start to follow the places after passages that match the end of `tail`."""
        for (length, ordered), table in zip(PASSAGES, self._tables, strict=True):
            if len(tail) >= length:
                base = self._find(_key(tail[-length:], ordered), ordered, table)
                if base >= 0:
                    _begin(threads, base, length, ordered)

    def _find(self, key: bytes, ordered: bool, table: memoryview) -> int:
        """The position after a passage; -1 if it is not found."""
        place, length = table[_slot(key)] - 1, len(key)
        if place - length < self.oldest:
            return -1
        start = (place - length) % KEPT
        found = self._pitches[start : start + length]
        if len(found) < length:
            found += self._pitches[: length - len(found)]
        return place if _key(found, ordered) == key else -1


def _begin(threads: list[Thread], base: int, length: int, ordered: bool) -> None:
    """Follow the place after a passage of `length`, unless a thread already does."""
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
