"""Many pieces as token arrays, in memory or in memory-mapped shards."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from segued.tokens.vocabulary import NOTE_ON, PERFORMANCE

from .encoding import Exact, fingerprint, on_the_step

STORE, START, LENGTH, NOTES, GRAMS_START, GRAMS = range(6)
"""Columns of `Pieces.places`."""


class Store(Protocol):
    """Storage of pieces: tokens uint16 and their offsets int8 end to end, fingerprints uint64."""

    def tokens(self, start: int, stop: int) -> np.ndarray:
        """The tokens of a range; read-only."""

    def offsets(self, start: int, stop: int) -> np.ndarray:
        """The offsets of a range of tokens, see `Exact`; read-only."""

    def grams(self, start: int, stop: int) -> np.ndarray:
        """The fingerprint entries of a range; read-only."""


@dataclass(frozen=True)
class Memory:
    """Pieces in memory."""

    ids: np.ndarray
    parts: np.ndarray
    hashes: np.ndarray

    def tokens(self, start: int, stop: int) -> np.ndarray:
        return self.ids[start:stop]

    def offsets(self, start: int, stop: int) -> np.ndarray:
        return self.parts[start:stop]

    def grams(self, start: int, stop: int) -> np.ndarray:
        return self.hashes[start:stop]


@dataclass
class Pieces:
    """The tokens of many pieces, uint16 arrays, which are read on access.

    `places` is int64 (pieces, 6): for each piece its store, where it starts there, its length in
    tokens, its notes, and where its fingerprint starts and how long that is. `broken` holds one
    line for each file that could not be read. `folders` are where the MIDI files of each store were
    when they were read, None where there were none.
    """

    names: list[str]
    places: np.ndarray
    stores: Sequence[Store]
    broken: list[str] = field(default_factory=list)
    folders: Sequence[Path | None] = ()

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < len(self):  # IndexError ends a loop over the pieces
            raise IndexError(index)
        store, start, length = self._place(index, START, LENGTH)
        return self.stores[store].tokens(start, start + length)

    def exact(self, index: int) -> Exact:
        """A piece with the exact times of its events."""
        store, start, length = self._place(index, START, LENGTH)
        return Exact(self[index], self.stores[store].offsets(start, start + length))

    def path(self, index: int) -> Path | None:
        """Where the MIDI file of a piece was when it was read; None if that is not known."""
        store = int(self.places[index, STORE])
        folder = self.folders[store] if store < len(self.folders) else None
        return None if folder is None else folder / self.names[index]

    def _place(self, index: int, start: int, length: int) -> tuple[int, int, int]:
        row = self.places[index]
        return int(row[STORE]), int(row[start]), int(row[length])

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each piece, int64 (pieces,)."""
        return self.places[:, LENGTH]

    @property
    def total(self) -> int:
        """Tokens of all pieces."""
        return int(self.lengths.sum())

    @property
    def notes(self) -> int:
        """Notes of all pieces."""
        return int(self.places[:, NOTES].sum())

    @property
    def tokens(self) -> np.ndarray:
        """All tokens end to end, uint16 (total,): all in memory, so not for large corpora."""
        return np.concatenate([np.zeros(0, np.uint16), *self])

    @property
    def digest(self) -> str:
        """A digest of all pieces, 16 hex digits."""
        table = [self.names, self.lengths.tolist()]
        return hashlib.sha256(json.dumps(table).encode()).hexdigest()[:16]

    def fingerprint(self, index: int) -> np.ndarray:
        """See `encoding.fingerprint`."""
        store, start, length = self._place(index, GRAMS_START, GRAMS)
        return self.stores[store].grams(start, start + length)

    def select(self, indices: Sequence[int]) -> "Pieces":
        """Some of the pieces, in the given order."""
        rows = np.array(indices, np.int64).reshape(-1)
        names = [self.names[i] for i in rows]
        return Pieces(names, self.places[rows], self.stores, folders=self.folders)


def join(names: Sequence[str], arrays: Sequence[np.ndarray]) -> Pieces:
    """Pieces from one array of ids each, in memory."""
    return join_exact(names, [on_the_step(ids) for ids in arrays])


def join_exact(names: Sequence[str], pieces: Sequence[Exact], broken: Sequence[str] = ()) -> Pieces:
    """The same from ids with exact times."""
    arrays = [piece.ids for piece in pieces]
    grams = [fingerprint(ids) for ids in arrays]
    rows = [[len(a), notes_in(a), len(g)] for a, g in zip(arrays, grams, strict=True)]
    store = Memory(
        np.concatenate([np.zeros(0, np.uint16), *arrays]).astype(np.uint16),
        np.concatenate([np.zeros(0, np.int8), *(piece.offsets for piece in pieces)]),
        np.concatenate([np.zeros(0, np.uint64), *grams]),
    )
    return Pieces(list(names), places_of(rows), [store], list(broken))


def join_all(parts: Sequence[Pieces]) -> Pieces:
    """The pieces of several folders, in order. Nothing is read."""
    places = [np.zeros((0, 6), np.int64)]
    stores: list[Store] = []
    folders: list[Path | None] = []
    for part in parts:
        places.append(part.places.copy())
        places[-1][:, STORE] += len(stores)
        stores += part.stores
        folders += part.folders or [None] * len(part.stores)
    names = [name for part in parts for name in part.names]
    return Pieces(names, np.concatenate(places), stores, folders=folders)


def places_of(rows: Sequence[Sequence[int]] | np.ndarray, store: int = 0) -> np.ndarray:
    """Places of pieces end to end in one store, from (tokens, notes, grams) of each."""
    lengths, notes, grams = np.array(rows, np.int64).reshape(-1, 3).T
    starts = [np.cumsum(column) - column for column in (lengths, grams)]
    which = np.full(len(lengths), store, np.int64)
    return np.stack([which, starts[0], lengths, notes, starts[1], grams], axis=1)


def notes_in(ids: np.ndarray) -> int:
    """The number of notes that begin."""
    on = PERFORMANCE.ids(NOTE_ON)
    return int(((ids >= on.start) & (ids < on.stop)).sum())
