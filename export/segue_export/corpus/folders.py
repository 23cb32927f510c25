"""Folders of MIDI files to pieces, through the same encoder that the daemon plays with."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from segued.errors import UsageError

from .pieces import Pieces, encode_file, join, join_all, join_exact, midi_files
from .store import BROKEN, is_store, open_store, prepare, release, store_of

__all__ = [
    "Pieces",
    "Source",
    "broken_list",
    "encode_file",
    "join",
    "join_all",
    "midi_files",
    "read_folder",
    "report_broken",
    "shown",
]  # fmt: skip

TOLD = 20  # broken files that are named; of more the number is


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


def read_folder(folder: Path, cache: Path | None = None, workers: int = 1) -> Pieces:
    """All pieces of a folder of MIDI files, or of one that `segue-export prepare` made of it.

    With a `cache` they stay on disk, in a store below it that is brought up to date, and are mapped
    into memory; without one they are encoded into memory. `names` are paths below the folder.
    Broken files are listed in `broken` and left out; DataError when none is left.
    """
    if is_store(folder):
        return open_store(folder)
    if cache is not None:
        return prepare(folder, store_of(folder, cache), workers)
    with tempfile.TemporaryDirectory(prefix="segue-") as store:
        try:
            pieces = prepare(folder, Path(store), workers)
            exact = [pieces.exact(i) for i in range(len(pieces))]
            return join_exact(pieces.names, exact, pieces.broken)
        finally:
            release(Path(store))


def report_broken(pieces: Pieces, rest: Path | None = None) -> None:
    """One line on stderr for each file that was left out, the first of them if they are many.

    `rest` is the file that has the lines of all.
    """
    for line in pieces.broken[:TOLD]:
        print(f"left out: {line}", file=sys.stderr)
    if len(pieces.broken) > TOLD:
        where = f", all in {rest}" if rest else ""
        print(f"left out: {len(pieces.broken) - TOLD} files more{where}", file=sys.stderr)


def broken_list(folder: Path, cache: Path | None) -> Path | None:
    """Where the lines of all broken files of a folder are kept."""
    if is_store(folder):
        return folder / BROKEN
    return store_of(folder, cache) / BROKEN if cache else None
