"""The symbols that were played, and where passages of them occurred before."""

from zlib import crc32

import numpy as np

KEPT = 1 << 16  # symbols: an hour and a half of playing
SLOTS = 1 << 17  # entries of the hash table for each length of passage
MOST = 24  # the most symbols that are compared when a passage is looked up


class History:
    """The last `KEPT` symbols (numbers below 2**16) of a sequence, and an index of its passages.

    The index has the last position of each passage of some lengths. Its memory is of fixed size. A
    passage that is found is compared with the symbols, so hash collisions do no harm.
    """

    def __init__(self, lengths: tuple[int, ...]) -> None:
        """`lengths`: those of the passages that can be found, longest first."""
        self._lengths = lengths
        self._symbols = zeros(np.uint16, KEPT)
        self._tables = [zeros(np.int32, SLOTS) for _ in lengths]  # position after a passage, plus 1
        self._tail = b""
        self._first = 0
        self.count = 0

    def add(self, symbol: int) -> None:
        """Append a symbol. From now on it is found after each passage that ends before it."""
        tail = self._tail
        for length, table in zip(self._lengths, self._tables, strict=True):
            if len(tail) >= 2 * length:
                table[crc32(tail[-2 * length :]) % SLOTS] = self.count + 1
        self._symbols[self.count % KEPT] = symbol
        self.count += 1
        self._tail = (tail + symbol.to_bytes(2, "little"))[-2 * self._lengths[0] :]

    @property
    def kept(self) -> int:
        """The number of stored symbols."""
        return self.count - self.oldest

    @property
    def oldest(self) -> int:
        """The position of the oldest stored symbol."""
        return max(self._first, self.count - KEPT)

    def at(self, place: int) -> int:
        """The symbol at a position; -1 if it is not stored."""
        if not self.oldest <= place < self.count:
            return -1
        return self._symbols[place % KEPT]

    def find(self, tail: bytes, longer: int = 0) -> tuple[int, int]:
        """The position after the longest passage that matches the end of `tail`, and its length.

        `tail` has two bytes per symbol and at most `MOST` symbols. (-1, 0) if no match is longer
        than `longer`.
        """
        best = (-1, 0)
        for length, table in zip(self._lengths, self._tables, strict=True):
            if len(tail) < 2 * length or longer >= MOST:
                continue
            place = table[crc32(tail[-2 * length :]) % SLOTS] - 1
            agree = self._agree(tail, place)
            if agree >= length and agree > longer:
                best, longer = (place, agree), agree
        return best

    def _agree(self, tail: bytes, place: int) -> int:
        symbols, oldest, agree = self._symbols, self.oldest, 0
        for i in range(len(tail) - 2, -1, -2):
            place -= 1
            if place < oldest or symbols[place % KEPT] != tail[i] | tail[i + 1] << 8:
                break
            agree += 1
        return agree

    def cut(self) -> None:
        """Begin a passage: the next symbol does not continue the last ones."""
        self._tail = b""

    def clear(self) -> None:
        """Forget all symbols."""
        self._tail, self._first = b"", self.count


def zeros(dtype: type[np.generic], count: int) -> memoryview:
    """Zeros in lazily allocated memory, whose items are read as Python ints."""
    return np.zeros(count, dtype).data
