"""The music of a training: what it learns from, and what it is validated on."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from segued.errors import DataError, UsageError

from .augment import Component, velocity_scale
from .corpus.pieces import Pieces, join_all
from .corpus.split import split, split_parts
from .corpus.store import broken_list, read_folder, report_broken
from .options import fraction, option

PARITY_FILES = 16  # validation files that a run remembers, for the comparison of its model files


@dataclass(frozen=True)
class SourceConfig:
    """Options that choose the validation pieces."""

    valid: tuple[Path, ...] = option(
        (), "a folder to validate on; may be given again (default: DIR/train and DIR/valid where "
        "DIR has both, otherwise whole compositions kept out of DIR)", Path, "DIR", shown=[],
        action="append",
    )  # fmt: skip
    valid_share: float = option(
        0.05, "share of the tokens to keep out where there is no validation folder", fraction,
        "X", further=0.3,
    )  # fmt: skip


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
        folder, options = _parts(text)
        values: dict[str, float] = {}
        for part in options:
            key, _, value = part.partition("=")
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


def _parts(argument: str) -> tuple[str, list[str]]:
    """The folder and the options of a `--data` argument. A folder may have commas in its name: the
    longest prefix that is a folder counts."""
    parts = argument.split(",")
    for count in range(len(parts), 1, -1):
        if Path(",".join(parts[:count])).is_dir():
            return ",".join(parts[:count]), parts[count:]
    return parts[0], parts[1:]


def shown(argument: str) -> str:
    """A `--data` argument with the last two names of its folder: the rest differs between disks."""
    folder, options = _parts(argument)
    names = [name for name in Path(folder).parts if name not in ("/", ".", "..")]
    return ",".join(["/".join(names[-2:]), *options])


@dataclass(frozen=True)
class Corpus:
    """The components of the training mixture, the validation pieces, and what `run.json` says.

    `test` are pieces that were kept out too, by which a model that is trained further is judged in
    the end, and by which nothing is chosen; None for a new model.
    """

    components: list[Component]
    valid: Pieces
    test: Pieces | None
    about: dict[str, Any]

    @property
    def digest(self) -> str:
        """A digest of all pieces: processes that train together must have the same one."""
        parts = [*(component.pieces for component in self.components), self.valid]
        return " ".join(part.digest for part in parts)


def gather(options: argparse.Namespace, say: Callable[[str], object] = print) -> Corpus:
    """Read the folders of `--data` and `--valid`, and print a line about each."""
    sources = [Source.parse(text) for text in options.data]
    training, valid = read_sources(sources, options, say)
    components = []
    for source, pieces in zip(sources, training, strict=True):
        scale = velocity_scale(pieces) if source.normalise else (1.0, 0.0)
        weight = source.weight or pieces.total
        components.append(Component(pieces, weight, source.jitter_ms / 1000, scale))
    together = join_all([pieces for _, pieces in valid])
    paths = [str(folder.resolve() / name) for folder, p in valid for name in p.names]
    longest = np.argsort(-together.lengths, kind="stable")[:PARITY_FILES]
    about = {
        "data": [shown(text) for text in options.data],
        "pieces": sum(len(c.pieces) for c in components),
        "tokens": sum(c.pieces.total for c in components),
        "valid": [paths[i] for i in longest],
    }
    test = None
    if options.pretrained is not None:
        together, test = halves(together, options.seed)
        say(f"{len(together)} of these pieces choose the weights, {len(test)} judge them")
    return Corpus(components, together, test, about)


def halves(pieces: Pieces, seed: int) -> tuple[Pieces, Pieces]:
    """Split pieces, with no composition on both sides. Raises DataError for one composition."""
    first, second = split(pieces, 0.5, seed)
    if not second:
        raise DataError(
            "one composition alone is kept out, but one must choose the weights and another judge "
            "them: give more music, a larger --valid-share or more --valid folders"
        )
    return pieces.select(first), pieces.select(second)


def sides(folder: Path) -> list[Path]:
    """The `train` and `valid` of a folder that has both, otherwise the folder."""
    own = [folder / side for side in ("train", "valid")]
    return own if all(side.is_dir() for side in own) else [folder]


def read(folder: Path, options: argparse.Namespace, say: Callable[[str], object] = print) -> Pieces:
    """The pieces of one folder, after printing how many they are."""
    pieces = read_folder(folder, options.cache, options.workers)
    say(f"{folder}: {len(pieces)} pieces, {pieces.total} tokens, {pieces.notes} notes")
    if say is print:
        report_broken(pieces, broken_list(folder, options.cache))
    return pieces


def read_sources(
    sources: list[Source], options: argparse.Namespace, say: Callable[[str], object] = print
) -> tuple[list[Pieces], list[tuple[Path, Pieces]]]:
    """The training pieces of each source, and the validation pieces with their folders.

    Validation is `--valid` if given; else each folder's own `train` and `valid`; else whole
    compositions are kept out of what has no such folders.
    """
    training: list[Pieces] = []
    valid = [(folder, read(folder, options, say)) for folder in options.valid]
    unsplit = []
    for i, source in enumerate(sources):
        own = sides(source.folder)
        if not options.valid and len(own) > 1:
            training.append(read(own[0], options, say))
            valid.append((own[1], read(own[1], options, say)))
        else:
            training.append(read(source.folder, options, say))
            unsplit.append(i)
    if unsplit and not options.valid:
        parts = split_parts([training[i] for i in unsplit], options.valid_share, options.seed)
        for i, (kept, held_out) in zip(unsplit, parts, strict=True):
            if not len(kept):
                raise DataError(
                    f"{sources[i].folder}: too little to keep any out: give --valid DIR"
                )
            training[i] = kept
            valid.append((sources[i].folder, held_out))
            say(f"{sources[i].folder}: {len(held_out)} pieces kept out for validation")
    if not any(len(pieces) for _, pieces in valid):
        raise DataError("nothing to validate on, all pieces are one composition: give --valid DIR")
    return training, valid
