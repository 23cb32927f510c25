"""`segue-export train --preset seed`: the classic LSTM tutorial's recipe on the command line."""

import argparse
import os
from pathlib import Path

import numpy as np
from segued.errors import DataError, UsageError
from segued.tokens.chord_vocabulary import ChordVocabulary

from ..config import MachineConfig, NetworkConfig, TrainConfig
from ..corpus.pieces import Pieces, join_all
from ..options import add_bf16, add_options, add_reading, positive
from ..sources import Source, SourceConfig, read_sources, shown
from .windows import ChordPieces, SeedAugmentation, SeedConfig, gather

EMBEDDING = 128  # size of a symbol's vector
PARITY_FILES = 64  # validation files that a run remembers, for the comparison of its model files


def add_train(parser: argparse.ArgumentParser) -> None:
    """What `train --preset seed` takes; the defaults are the recipe."""
    group = parser.add_argument_group("corpus")
    group.add_argument(
        "--data", action="append", required=True, metavar="DIR",
        help="a folder of MIDI files; may be given again",
    )  # fmt: skip
    add_options(group, SourceConfig, valid_share=0.05)
    add_reading(group)
    group.add_argument(
        "--symbols", type=at_least_two, default=2000, metavar="N",
        help="the maximum size of the vocabulary: all single pitches, then the most frequent "
        "chords in all keys; any other chord is replaced by the nearest of them",
    )  # fmt: skip
    add_options(group, SeedConfig, "window", "stride", "targets")
    group = parser.add_argument_group("augmentation, drawn again for every window")
    add_options(group, SeedAugmentation)
    group = parser.add_argument_group("network")
    add_options(
        group, NetworkConfig, "layers", "embedding", "dense", "dropout",
        layers="256,512,256", embedding=None, dense=256, dropout=0.3,
    )  # fmt: skip
    add_options(group, SeedConfig, "input")
    group = parser.add_argument_group("training")
    group.add_argument("--out", required=True, type=Path, metavar="RUN", help="the run's folder")
    add_options(group, SeedConfig, "epochs", "batch", "learning_rate")
    add_options(group, TrainConfig, "seed", "precision")
    add_options(group, MachineConfig, threads=1)
    add_bf16(group)


def at_least_two(text: str) -> int:
    """An integer from 2: silence and one pitch."""
    if (value := positive(text)) < 2:
        raise argparse.ArgumentTypeError(f"must be 2 or more, not {value}")
    return value


def train(options: argparse.Namespace) -> int:
    """`train --preset seed`: corpus to checkpoint."""
    if options.input == "number" and options.embedding:
        raise UsageError("--embedding is a vector's size: it cannot be had with --input number")
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise UsageError("--preset seed trains in one process: start it without torchrun")
    training, valid = read_sources([_source(text) for text in options.data], options)
    together, held_out = join_all(training), join_all([pieces for _, pieces in valid])
    corpus = gather(together, len(together))
    notes = ChordVocabulary.of_corpus(corpus.counts(), options.symbols, options.transpose)
    pieces = corpus.symbols(notes)
    if not any(len(piece) > 1 for piece in pieces):
        raise DataError("nothing to learn from: no piece has two chords, one after the other")
    print(coverage(corpus, notes))
    paths = [str(folder.resolve() / name) for folder, p in valid for name in p.names]
    about = {
        "data": [shown(text) for text in options.data],
        "pieces": len(together),
        "symbols": sum(map(len, pieces)),
        "valid": _longest(paths, held_out),
    }
    unseen = gather(held_out).symbols(notes)
    if not any(len(piece) > 1 for piece in unseen):
        raise DataError(
            "nothing to validate on: no validation piece has two chords: give --valid DIR"
        )
    return _run(options, notes, pieces, unseen, about)


def _source(text: str) -> Source:
    source = Source.parse(text)
    if source != Source(source.folder):
        raise UsageError(
            f"--data {text}: with --preset seed a folder is all: its notes have no time or velocity"
        )
    return source


def coverage(corpus: ChordPieces, notes: ChordVocabulary) -> str:
    """How much of a corpus a vocabulary knows, in a line."""
    counts, played = np.array([*corpus.counts().values()]), corpus.sizes()
    kept = np.array([len(chord) for chord in notes.chords])[corpus.nearest(notes)]
    known = np.array([notes.id(chord) is not None for chord in corpus.chords])
    return (
        f"{counts.sum()} symbols, {len(counts)} different; n_vocab {len(notes)} knows "
        f"{100 * counts[known].sum() / counts.sum():.1f} % of them as they are and keeps "
        f"{100 * (counts * kept).sum() / (counts * played).sum():.1f} % of the notes"
    )


def _longest(paths: list[str], pieces: Pieces) -> list[str]:
    order = (-pieces.lengths).argsort(kind="stable")
    return [paths[i] for i in order[:PARITY_FILES]]


def _run(
    options: argparse.Namespace, notes: ChordVocabulary, pieces: list[np.ndarray],
    valid: list[np.ndarray], about: dict[str, object],
) -> int:  # fmt: skip
    import torch

    from ..process_group import ProcessGroup
    from ..train import Trainer
    from .task import SeedTask

    torch.set_num_threads(options.threads)
    network = NetworkConfig(
        vocabulary=len(notes), layers=options.layers, dense=options.dense, dropout=options.dropout,
        embedding=1 if options.input == "number" else options.embedding or EMBEDDING, latches=0,
    )  # fmt: skip
    stride = options.stride or (1 if options.targets == "last" else options.window)
    config = SeedConfig(
        epochs=options.epochs, batch=options.batch, window=options.window, stride=stride,
        targets=options.targets, input=options.input, learning_rate=options.learning_rate,
        seed=options.seed, device=options.device, precision=options.precision,
    )  # fmt: skip
    limits = SeedAugmentation(options.transpose, options.shift, options.noise)
    task = SeedTask(network, config, limits, notes, pieces, valid)
    processes = ProcessGroup.join(options.device)
    trainer = Trainer(options.out, task, task.train_config, about, processes)
    print(f"{len(task.windows)} windows of {config.window}, {config.epochs} epochs")
    if config.targets == "last":
        print(
            "each window teaches the one symbol after it, as in the tutorial; with --targets all "
            f"it teaches {config.window} in the same time"
        )
    return trainer.run()
