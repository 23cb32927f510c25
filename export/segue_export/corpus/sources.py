"""Which music a training hears, and which is kept out to judge it by."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from segued.errors import DataError

from ..data import Stream, velocity_scale
from .folders import Pieces, Source, broken_list, join_all, read_folder, report_broken, shown
from .split import split, split_parts

PARITY_FILES = 16  # validation files that a run remembers, for the comparison of its model files


@dataclass(frozen=True)
class Music:
    """The training streams, the validation pieces, and what a run's story says of them.

    `judges` are pieces that were kept out too, by which a model that is trained further is judged
    in the end and by which nothing is chosen: no others are to be judged by.
    """

    streams: list[Stream]
    valid: Pieces
    judges: Pieces
    about: dict

    @property
    def digest(self) -> str:
        """Changes with any piece: processes that train together must have the same one."""
        parts = [*(stream.pieces for stream in self.streams), self.valid]
        return " ".join(part.digest for part in parts)


def gather(options: argparse.Namespace, say: Callable[[str], object] = print) -> Music:
    """Read the folders of `--data` and `--valid`; what was found is said in a line each."""
    sources = [Source.parse(text) for text in options.data]
    training, valid = read_sources(sources, options, say)
    streams = []
    for source, pieces in zip(sources, training, strict=True):
        scale = velocity_scale(pieces) if source.normalise else (1.0, 0.0)
        streams.append(
            Stream(pieces, source.weight or pieces.total, source.jitter_ms / 1000, scale)
        )
    together = join_all([pieces for _, pieces in valid])
    paths = [str(folder.resolve() / name) for folder, p in valid for name in p.names]
    longest = np.argsort(-together.lengths, kind="stable")[:PARITY_FILES]
    about = {
        "data": [shown(text) for text in options.data],
        "pieces": sum(len(s.pieces) for s in streams),
        "tokens": sum(s.pieces.total for s in streams),
        "valid": [paths[i] for i in longest],
    }
    judges = together.select([])
    if options.origin is not None:
        together, judges = halves(together, options.seed)
        say(f"{len(together)} of these pieces choose the weights, {len(judges)} judge them")
    return Music(streams, together, judges, about)


def halves(pieces: Pieces, seed: int) -> tuple[Pieces, Pieces]:
    """Pieces in two, no composition on both sides; DataError if there is only one."""
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
    """The pieces of one folder, with the line that says how many."""
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
