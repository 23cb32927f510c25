"""Prepared corpora on disk: shards of tokens that are mapped into memory, never read as a whole.

A store is a folder. A shard in it is four files: `ID.tokens` (uint16, pieces end to end),
`ID.offsets` (int8, one for each token: see `encoding`), `ID.grams` (uint64, their fingerprints) and
`ID.json`, which tells what lies where, and which is written last: a shard without it does not
exist. The ID is a digest of that table, so writing the same shard twice is writing it once. Numbers
are little-endian.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from .encoding import Exact, fingerprint, on_the_step
from .pieces import notes_in, places_of

MAPS = 64  # files mapped at a time: a corpus of any size keeps that many open
TOKENS, OFFSETS, GRAMS = np.dtype("<u2"), np.dtype("i1"), np.dtype("<u8")
KINDS = ("tokens", "offsets", "grams")

FileKey = tuple[str, int, int]
"""A MIDI file: path relative to its folder, size in bytes, modification time in ns."""


@dataclass(frozen=True)
class Shard:
    """A complete shard.

    `files` are the keys of its MIDI files, `sizes` int64 (files, 3) their tokens, notes and
    entries in the fingerprint, `broken` the line of each file (by its index) that has none.
    """

    path: Path  # of its files, without suffix
    files: list[FileKey]
    sizes: np.ndarray
    broken: dict[int, str]

    @classmethod
    def open(cls, table: Path, key: str) -> "Shard | None":
        """The shard of a `.json` file; None if it is truncated or was made with another key."""
        try:
            about = json.loads(table.read_bytes())
            if about["key"] != key:
                return None
            files = [(name, size, time) for name, size, time, *_ in about["files"]]
            sizes = np.array([row[3:] for row in about["files"]], np.int64).reshape(-1, 3)
            broken = {int(index): line for index, line in about["broken"].items()}
            shard = cls(table.with_suffix(""), files, sizes, broken)
            whole = os.stat(shard._file("tokens")).st_size == TOKENS.itemsize * sizes[:, 0].sum()
            whole &= os.stat(shard._file("offsets")).st_size == sizes[:, 0].sum()
            whole &= os.stat(shard._file("grams")).st_size == GRAMS.itemsize * sizes[:, 2].sum()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return shard if whole else None

    def places(self, store: int) -> np.ndarray:
        """The places of its pieces, as `Pieces.places`, if this is store number `store`."""
        return places_of(self.sizes, store)

    def tokens(self, start: int, stop: int) -> np.ndarray:
        return _mapped(self._file("tokens"), TOKENS)[start:stop]

    def offsets(self, start: int, stop: int) -> np.ndarray:
        return _mapped(self._file("offsets"), OFFSETS)[start:stop]

    def grams(self, start: int, stop: int) -> np.ndarray:
        return _mapped(self._file("grams"), GRAMS)[start:stop]

    def remove(self) -> None:
        """Delete it, the table first."""
        for kind in ("json", *KINDS):
            Path(self._file(kind)).unlink(missing_ok=True)

    def _file(self, kind: str) -> str:
        return f"{self.path}.{kind}"


@lru_cache(MAPS)
def _mapped(path: str, dtype: np.dtype) -> np.ndarray:
    if not os.path.getsize(path):
        return np.zeros(0, dtype)  # nothing cannot be mapped
    return np.memmap(path, dtype, "r")


@dataclass
class ShardWriter:
    """Collects pieces for one shard; nothing is written before `commit`."""

    store: Path
    key: str
    rows: list[list[str | int]] = field(default_factory=list)
    broken: dict[int, str] = field(default_factory=dict)
    pieces: list[Exact] = field(default_factory=list)
    hashes: list[np.ndarray] = field(default_factory=list)

    def add(self, file: FileKey, piece: Exact | str, grams: np.ndarray | None = None) -> None:
        """Add a file: its ids and their offsets, or the reason why it has none."""
        if isinstance(piece, str):
            self.broken[len(self.rows)] = piece
            piece = on_the_step(np.zeros(0, np.uint16))
        grams = fingerprint(piece.ids) if grams is None else grams
        self.rows.append([*file, len(piece.ids), notes_in(piece.ids), len(grams)])
        self.pieces.append(piece)
        self.hashes.append(grams)

    def commit(self) -> Path | None:
        """Write the shard atomically. Returns its path without suffix, or None if it is empty."""
        if not self.rows:
            return None
        table = json.dumps({"key": self.key, "files": self.rows, "broken": self.broken}).encode()
        path = self.store / hashlib.sha256(table).hexdigest()[:20]
        for kind, data in (
            ("tokens", np.concatenate([p.ids for p in self.pieces]).astype(TOKENS).tobytes()),
            ("offsets", np.concatenate([p.offsets for p in self.pieces]).tobytes()),
            ("grams", np.concatenate(self.hashes).astype(GRAMS).tobytes()),
            ("json", table),
        ):
            write_whole(path.with_name(f"{path.name}.{kind}"), data)
        return path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file atomically: after a power failure it has either the old or the new content."""
    write_with(path, lambda part: part.write_bytes(data))


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """The same, with a function that writes to the path it gets."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        write(part)
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def open_shards(store: Path, key: str) -> list[Shard]:
    """All shards of a store that were made with this key, in a fixed order."""
    shards = (Shard.open(table, key) for table in sorted(store.glob("*.json")))
    return [shard for shard in shards if shard is not None]


def remove_strays(store: Path, shards: Iterable[Shard]) -> None:
    """Delete files of no valid shard: interrupted ones, and those made with another key."""
    known = {shard.path.name for shard in shards}
    for file in store.iterdir():
        if file.suffix == ".part" or (
            file.suffix[1:] in ("json", *KINDS) and file.stem not in known
        ):
            file.unlink()
