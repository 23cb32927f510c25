"""Folders of MIDI files to token arrays, through the same encoder that the daemon plays with.

A folder is read once; its tokens are kept in a cache that knows each file's size and time and the
vocabulary's fingerprint, so a second run starts at once and a changed file is read anew.
"""

import json
import multiprocessing
import os
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from daemon.errors import DataError, UsageError
from daemon.music.midi import read_events
from daemon.music.tokenizer import encode
from daemon.music.vocabulary import PERFORMANCE

MIDI_SUFFIXES = {".mid", ".midi"}


@dataclass(frozen=True)
class Source:
    """One `--data` argument: a folder and how its pieces enter the mixture.

    `weight` is this source's share of the tokens seen (relative to the others), `jitter_ms` the
    standard deviation of the timing noise that humanizes quantized music, `normalise` whether
    velocities are mapped to mean 64 and deviation 18.
    """

    folder: Path
    weight: float | None = None
    jitter_ms: float = 0.0
    normalise: bool = False

    @classmethod
    def parse(cls, text: str) -> "Source":
        """`DIR[,weight=W][,jitter=MS][,normalise]`."""
        folder, *options = text.split(",")
        values: dict[str, float] = {}
        for option in options:
            key, _, value = option.partition("=")
            if key not in ("weight", "jitter", "normalise"):
                raise UsageError(f"--data {text}: {key!r} is none of weight=, jitter=, normalise")
            try:
                values[key] = float(value or 1)
            except ValueError:
                raise UsageError(f"--data {text}: {key} needs a number, not {value!r}") from None
        if values.get("weight", 1.0) <= 0 or values.get("jitter", 0.0) < 0:
            raise UsageError(f"--data {text}: weight must be above 0, jitter not below 0")
        return cls(
            Path(folder), values.get("weight"), values.get("jitter", 0.0), "normalise" in values
        )


def shown(argument: str) -> str:
    """A `--data` argument by its folder's last two names: the rest is of one disk only."""
    folder, *options = argument.split(",")
    names = [name for name in Path(folder).parts if name not in ("/", ".", "..")]
    return ",".join(["/".join(names[-2:]), *options])


@dataclass
class Pieces:
    """The tokens of many pieces, end to end.

    `tokens` is uint16 (total,), piece i is `tokens[starts[i]:starts[i + 1]]`. `broken` holds one
    line for each file that could not be read.
    """

    names: list[str]
    tokens: np.ndarray
    starts: np.ndarray
    broken: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.tokens[self.starts[index] : self.starts[index + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def select(self, indices: list[int]) -> "Pieces":
        """Some of the pieces, in the given order."""
        return join([self.names[i] for i in indices], [self[i] for i in indices])


def join(names: list[str], arrays: list[np.ndarray], broken: list[str] | None = None) -> Pieces:
    """Pieces from one array each."""
    starts = np.cumsum([0] + [len(a) for a in arrays])
    tokens = np.concatenate(arrays) if arrays else np.zeros(0, np.uint16)
    return Pieces(names, tokens, starts, broken or [])


def join_all(parts: list[Pieces]) -> Pieces:
    """The pieces of several folders, in order."""
    return join([n for p in parts for n in p.names], [a for p in parts for a in p])


def midi_files(folder: Path) -> list[Path]:
    """Every MIDI file below a folder, in a fixed order; DataError when there is none."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder (a folder of MIDI files is wanted)")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in MIDI_SUFFIXES)
    if not files:
        raise DataError(f"{folder}: no MIDI files (*.mid, *.midi) in this folder")
    return files


def encode_file(path: Path) -> np.ndarray | str:
    """The ids of one file, uint16 (tokens,), or the line that says why there are none."""
    try:
        return np.array(encode(read_events(path)), np.uint16)
    except DataError as error:
        return str(error)


def read_folder(folder: Path, cache: Path | None = None, workers: int = 1) -> Pieces:
    """All pieces of a folder, from the cache where it is up to date.

    `names` are paths below the folder. Broken files are listed in `broken` and left out; DataError
    when none is left.
    """
    files = midi_files(folder)
    stamp = [[str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns] for f in files]
    key = json.dumps([PERFORMANCE.fingerprint, stamp])
    name = str(folder.resolve()).strip(os.sep).replace(os.sep, "_") + ".npz"
    kept = _from_cache(cache / name, key) if cache else None
    if kept is None:
        kept = _encode_files(folder, files, workers)
        if cache:
            _to_cache(cache / name, key, kept)
    return kept


def _from_cache(path: Path, key: str) -> Pieces | None:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            if str(stored["key"]) != key:
                return None
            names, broken = stored["names"].tolist(), stored["broken"].tolist()
            return Pieces(names, stored["tokens"], stored["starts"], broken)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None  # there is none, or it is cut short


def _to_cache(path: Path, key: str, pieces: Pieces) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(
        part, key=key, names=np.array(pieces.names, dtype=str), tokens=pieces.tokens,
        starts=pieces.starts, broken=np.array(pieces.broken, dtype=str),
    )  # fmt: skip
    part.replace(path)


def _encode_files(folder: Path, files: list[Path], workers: int) -> Pieces:
    bar = tqdm(total=len(files), desc=f"reading {folder.name}", unit="file", leave=False)
    results = []
    with bar:
        for result in _encoded(files, workers):
            results.append(result)
            bar.update()
    good = [(f, r) for f, r in zip(files, results, strict=True) if not isinstance(r, str)]
    broken = [r for r in results if isinstance(r, str)]
    if not good:
        raise DataError(f"{folder}: none of its {len(files)} MIDI files can be used: {broken[0]}")
    return join([str(f.relative_to(folder)) for f, _ in good], [r for _, r in good], broken)


def _encoded(files: list[Path], workers: int) -> Iterator[np.ndarray | str]:
    if workers <= 1:
        yield from map(encode_file, files)
        return
    fresh = multiprocessing.get_context("spawn")  # a fork would copy torch's threads' locks
    with ProcessPoolExecutor(workers, fresh) as pool:
        yield from pool.map(encode_file, files, chunksize=4)
