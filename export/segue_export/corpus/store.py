"""A folder of MIDI files of any size to a store of token shards: in parallel, and never twice.

Each run encodes what has no shard yet: everything the first time, the rest after an interrupt,
later new files, changed files, and all of them when the encoder itself has changed.
"""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from segued.errors import DataError

try:
    import fcntl
except ImportError:  # Windows: there it is up to the user that only one process prepares
    fcntl = None  # type: ignore[assignment]

from .encoding import KEY, Exact
from .pieces import Pieces, join_exact
from .shards import FileKey, Shard, ShardWriter, open_shards, remove_strays, write_whole
from .workers import FILES, encode_into

SMALL, MANY = 64, 16  # a shard of fewer files is small; more small ones than this are put together

ABOUT = "segue.corpus"
"""The file of a store that describes its content. A folder with it is ready for training."""

MIDI_SUFFIXES = (".mid", ".midi")
TOLD = 20  # broken files that are named; of more the number is

BROKEN = "broken.txt"
"""The file of a store with a line for each file that was left out."""


def store_of(folder: Path, cache: Path) -> Path:
    """The directory of a folder's shards: named after the folder's last names and a path digest."""
    path = folder.resolve()
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    return cache / "-".join([*path.parts[1:][-2:], digest])


def prepare(folder: Path, store: Path, workers: int = 1) -> Pieces:
    """All pieces of a folder, from its store, which is brought up to date first.

    Another process that does the same waits until this one is done. DataError when there is no
    file that can be used. An interrupt leaves what is done, for the next time.
    """
    files, key, store = listing(folder), KEY, store.absolute()
    store.mkdir(parents=True, exist_ok=True)
    with _alone(store):
        unread = not _read_elsewhere(store)
        shards = open_shards(store, key)
        if unread:
            remove_strays(store, shards)
        known = {file for shard in shards for file in shard.files}
        todo = [file for file in files if file not in known]
        if todo:
            encode_into(store, folder, todo, key, workers)
            shards = open_shards(store, key)
        if unread:
            shards = _tidy(store, key, shards, files)
        _read_here(store)
        pieces, unreadable = _view(shards, files)
        pieces.broken += [f"{folder / name}: cannot be read (permissions?)" for name in unreadable]
        about = {"folder": str(folder.resolve()), "key": key, "files": files}
        contents = json.dumps(about | {"unreadable": unreadable}).encode()
        lines = "".join(f"{line}\n" for line in pieces.broken).encode(errors="replace")
        for name, data in ((ABOUT, contents), (BROKEN, lines)):
            if not _same(store / name, data):
                write_whole(store / name, data)
    if not len(pieces):
        raise DataError(
            f"{folder}: none of its {len(files)} MIDI files can be used: {pieces.broken[0]}"
        )
    return pieces


def is_store(folder: Path) -> bool:
    """Whether a folder is a prepared corpus rather than one of MIDI files."""
    return (folder / ABOUT).is_file()


def open_store(store: Path) -> Pieces:
    """The pieces of a prepared corpus whose MIDI files need not be here.

    DataError when it is broken or was prepared by another version of the encoder.
    """
    try:
        about = json.loads((store / ABOUT).read_bytes())
        folder = Path(about["folder"])
        key, files = about["key"], [(name, size, time) for name, size, time in about["files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{store}/{ABOUT} is broken ({error}): prepare the folder again") from None
    if key != KEY:
        raise DataError(
            f"{store}: prepared by another version of the encoder ({key}, here {KEY}): "
            "prepare the folder again"
        )
    pieces, missing = _view(open_shards(store.absolute(), key), files)
    missing = [name for name in missing if name not in about.get("unreadable", [])]
    if missing or not len(pieces):
        raise DataError(f"{store}: shards are missing here: copy them all, or prepare it again")
    return _from(folder, pieces)


def _view(shards: list[Shard], files: list[FileKey]) -> tuple[Pieces, list[str]]:
    """The pieces of these files, in their order, and the names of those that are in no shard."""
    found = {file: (s, i) for s, shard in enumerate(shards) for i, file in enumerate(shard.files)}
    places = [shard.places(s) for s, shard in enumerate(shards)]
    names, rows, broken, missing = [], [], [], []
    for file in files:
        if file not in found:
            missing.append(file[0])
            continue
        s, i = found[file]
        if i in shards[s].broken:
            broken.append(shards[s].broken[i])
        else:
            names.append(file[0])
            rows.append(places[s][i])
    return Pieces(names, np.array(rows, np.int64).reshape(-1, 6), shards, broken), missing


@contextmanager
def _alone(store: Path) -> Iterator[None]:
    """Lock the store against changes by other processes. The lock ends with its process."""
    lock = os.open(store / "lock", os.O_RDWR | os.O_CREAT)
    try:
        if not _lock(lock, "LOCK_EX", wait=False):
            print(f"{store}: waiting for another process that prepares it", file=sys.stderr)
            _lock(lock, "LOCK_EX")
        yield
    finally:
        os.close(lock)


_readers: dict[Path, int] = {}
"""Stores that this process reads until it ends, with the lock file of each."""


def _read_elsewhere(store: Path) -> bool:
    """Whether another process, such as a training, reads the store: then its files must stay."""
    if store not in _readers:
        _readers[store] = os.open(store / "readers", os.O_RDWR | os.O_CREAT)
    return not _lock(_readers[store], "LOCK_EX", wait=False)


def _read_here(store: Path) -> None:
    _lock(_readers[store], "LOCK_SH")


def release(store: Path) -> None:
    """This process will not read from the store again."""
    if store.absolute() in _readers:
        os.close(_readers.pop(store.absolute()))


def _lock(file: int, how: str, wait: bool = True) -> bool:
    """Lock an open file, or change its lock. Returns False if that would block."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, getattr(fcntl, how) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _tidy(store: Path, key: str, shards: list[Shard], files: list[FileKey]) -> list[Shard]:
    """Rewrite shards that mostly hold deleted files, and merge many small shards."""
    living = set(files)
    alive = [sum(file in living for file in shard.files) for shard in shards]
    small = [len(shard.files) < SMALL for shard in shards]
    many = sum(small) > MANY
    poor = [
        shard
        for shard, count, little in zip(shards, alive, small, strict=True)
        if 2 * count < len(shard.files) or (many and little)
    ]
    if not poor:
        return shards
    writer, written = ShardWriter(store, key), set()
    for shard in poor:
        places = shard.places(0)
        for i, file in enumerate(shard.files):
            if file in living:
                living.discard(file)  # it may be in two of them
                start, length, _, first, grams = places[i, 1:].tolist()
                stop = start + length
                piece = Exact(
                    *(np.array(part(start, stop)) for part in (shard.tokens, shard.offsets))
                )
                writer.add(
                    file, shard.broken.get(i) or piece, np.array(shard.grams(first, first + grams))
                )
        if len(writer.rows) >= FILES:
            written.add(writer.commit())
            writer = ShardWriter(store, key)
    written.add(writer.commit())
    for shard in poor:
        if shard.path not in written:
            shard.remove()
    return open_shards(store, key)


def _same(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def read_folder(folder: Path, cache: Path | None = None, workers: int = 1) -> Pieces:
    """All pieces of a folder of MIDI files, or of one that `segue-export prepare` made of it.

    With a `cache` they stay on disk, in a store below it that is brought up to date, and are mapped
    into memory; without one they are encoded into memory. `names` are paths below the folder.
    Broken files are listed in `broken` and left out; DataError when none is left.
    """
    if is_store(folder):
        return open_store(folder)
    if cache is not None:
        return _from(folder, prepare(folder, store_of(folder, cache), workers))
    with tempfile.TemporaryDirectory(prefix="segue-") as store:
        try:
            pieces = prepare(folder, Path(store), workers)
            exact = [pieces.exact(i) for i in range(len(pieces))]
            return _from(folder, join_exact(pieces.names, exact, pieces.broken))
        finally:
            release(Path(store))


def _from(folder: Path, pieces: Pieces) -> Pieces:
    """Pieces that know where their MIDI files are."""
    pieces.folders = [folder.resolve()] * len(pieces.stores)
    return pieces


def report_broken(pieces: Pieces, rest: Path | None = None) -> None:
    """Print a line on stderr for each skipped file, or for the first ones if there are many.

    `rest` is the file that has the lines of all.
    """
    for line in pieces.broken[:TOLD]:
        print(f"left out: {line}", file=sys.stderr)
    if len(pieces.broken) > TOLD:
        where = f", all in {rest}" if rest else ""
        print(f"left out: {len(pieces.broken) - TOLD} files more{where}", file=sys.stderr)


def broken_list(folder: Path, cache: Path | None) -> Path | None:
    """The file with the lines of all broken files of a folder."""
    if is_store(folder):
        return folder / BROKEN
    return store_of(folder, cache) / BROKEN if cache else None


def midi_files(folder: Path) -> list[Path]:
    """Every MIDI file below a folder, in a fixed order. Raises DataError if there is none."""
    return [folder / name for name, _, _ in listing(folder)]


def listing(folder: Path) -> list[tuple[str, int, int]]:
    """(path below the folder, bytes, time of change in ns) of its MIDI files, in a fixed order.

    Folders that are links are read as well, each folder once.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder (a folder of MIDI files is wanted)")
    found = []
    seen: set[str] = set()
    for above, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(above)
        if real in seen:  # a link back to where it was already
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for name in names:
            if name.lower().endswith(MIDI_SUFFIXES):
                path = os.path.join(above, name)
                if os.path.isfile(path):  # not a folder's name, not a link to nowhere
                    about = os.stat(path)
                    found.append((os.path.relpath(path, folder), about.st_size, about.st_mtime_ns))
    if not found:
        raise DataError(f"{folder}: no MIDI files (*.mid, *.midi) in this folder")
    return sorted(found, key=lambda row: row[0].split(os.sep))
