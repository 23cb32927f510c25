"""The classic LSTM tutorial's recipe on the command line: `segue-export train --preset seed`.

Its own options, what the command does with them, and what other commands do with its models.
"""

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
from segued.errors import DataError, UsageError
from segued.model.session import Model
from segued.tokens.chord_vocabulary import ChordVocabulary

from .corpus import Pieces, Source, join_all, shown
from .options import DEVICES, at_least_0, fraction, natural, positive, sizes
from .seed_corpus import TARGETS, ChordPieces, SeedAugmentation, gather
from .settings import MIXED
from .training import add_preparation

MODE_TABLE = ("carried", "window")  # to predict a symbol: from the state, from its window run anew
PARITY_FILES = 64  # validation files that a run remembers, for the comparison of its model files


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `train --preset seed` takes; the defaults are the recipe."""
    add = parser.add_argument_group("corpus").add_argument
    add("--data", action="append", required=True, metavar="DIR",
        help="a folder of MIDI files; may be given again")  # fmt: skip
    add("--valid", action="append", default=[], type=Path, metavar="DIR",
        help="a folder to validate on; may be given again (default: DIR/train and DIR/valid where "
        "DIR has both, otherwise whole compositions kept out of DIR)")  # fmt: skip
    add("--valid-share", type=fraction, default=0.05, metavar="X",
        help="share of the tokens to keep out where there is no validation folder")  # fmt: skip
    add_preparation(add)
    add("--symbols", type=at_least_two, default=2000, metavar="N",
        help="the size of the vocabulary at most: all single pitches, then the most frequent "
        "chords in all keys; others are taken for the nearest of them")  # fmt: skip
    add("--window", type=positive, default=100, metavar="N", help="symbols in a window")
    add(
        "--stride",
        type=positive,
        metavar="N",
        help="symbols from one window to the next (default: 1, or with --targets all the window)",
    )
    add("--targets", choices=TARGETS, default="last",
        help="predict the one symbol after each window, as the tutorial does, or all in it, which "
        "learns from a window's length of targets in the same time")  # fmt: skip
    add = parser.add_argument_group("augmentation, drawn anew for every window").add_argument
    add("--transpose", type=natural, default=5, metavar="N", help="semitones up or down")
    add("--shift", type=natural, default=50, metavar="N",
        help="symbols that a window begins earlier or later")  # fmt: skip
    add("--noise", type=fraction, default=0.02, metavar="X",
        help="share of input symbols replaced by others")  # fmt: skip
    add = parser.add_argument_group("network").add_argument
    add("--layers", type=sizes, default="256,512,256", metavar="N,N,...", help="LSTM layers")
    add(
        "--input",
        choices=("embedding", "number"),
        default="embedding",
        help="a vector for each symbol, or as in the tutorial its number divided by n_vocab",
    )
    add("--embedding", type=positive, metavar="N", help="size of that vector (default: 128)")
    add("--dense", type=positive, default=256, metavar="N", help="size of the dense layer")
    add("--dropout", type=fraction, default=0.3, metavar="X", help="after each layer")
    add = parser.add_argument_group("training").add_argument
    add("--out", required=True, type=Path, metavar="RUN", help="the folder of the run")
    add("--epochs", type=positive, default=50, metavar="N", help="length of the whole run")
    add("--batch", type=positive, default=64, metavar="N", help="windows in a batch")
    add("--learning-rate", type=at_least_0, default=1e-3, metavar="X", help="of RMSprop")
    add("--seed", type=natural, default=1, metavar="N", help="of weights, order and augmentation")
    add("--device", choices=DEVICES, default="auto", help="auto: a GPU if there is one")
    add("--precision", choices=("auto", "fp32", *MIXED), default="auto",
        help="auto: half on a GPU, fp32 on a CPU (bf16 is faster on recent ones)")  # fmt: skip
    add("--bf16", dest="precision", action="store_const", const="bf16",
        default=argparse.SUPPRESS, help="the same as --precision bf16")  # fmt: skip
    add("--threads", type=positive, default=1, metavar="N", help="threads of torch")


def at_least_two(text: str) -> int:
    """An integer from 2: silence and one pitch."""
    if (value := positive(text)) < 2:
        raise argparse.ArgumentTypeError(f"must be 2 or more, not {value}")
    return value


def sources(options: argparse.Namespace) -> list[Source]:
    """The folders of a `train --preset seed`; UsageError where options contradict each other."""
    if options.input == "number" and options.embedding:
        raise UsageError("--embedding is a vector's size: it cannot be had with --input number")
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise UsageError("--preset seed trains in one process: start it without torchrun")
    return [_source(text) for text in options.data]


def train(
    options: argparse.Namespace, training: list[Pieces], valid: list[tuple[Path, Pieces]]
) -> int:
    """`train --preset seed`, of the pieces of each source and of each validation folder."""
    together = join_all(training)
    corpus = gather(together, len(together))
    notes = ChordVocabulary.of_corpus(corpus.counts(), options.symbols, options.transpose)
    pieces = corpus.symbols(notes)
    if not any(len(piece) > 1 for piece in pieces):
        raise DataError("nothing to learn from: no piece has two chords, one after the other")
    told(corpus, notes)
    held_out = join_all([pieces for _, pieces in valid])
    paths = [str(folder.resolve() / name) for folder, p in valid for name in p.names]
    about = {
        "data": [shown(text) for text in options.data],
        "pieces": len(together),
        "symbols": sum(map(len, pieces)),
        "valid": _longest(paths, held_out),
    }
    unheard = gather(held_out).symbols(notes)
    if not any(len(piece) > 1 for piece in unheard):
        raise DataError(
            "nothing to validate on: no piece kept out has two chords: give --valid DIR"
        )
    return _train(options, notes, pieces, unheard, about)


def _train(
    options: argparse.Namespace, notes: ChordVocabulary, pieces: list, valid: list, about: dict
) -> int:
    import torch

    from .network import NetworkConfig
    from .seed_train import SeedConfig, SeedTrainer

    torch.set_num_threads(options.threads)
    network = NetworkConfig(
        vocabulary=len(notes), layers=options.layers, dense=options.dense, dropout=options.dropout,
        embedding=1 if options.input == "number" else options.embedding or 128,
    )  # fmt: skip
    stride = options.stride or (1 if options.targets == "last" else options.window)
    config = SeedConfig(
        epochs=options.epochs, batch=options.batch, window=options.window, stride=stride,
        targets=options.targets, input=options.input, learning_rate=options.learning_rate,
        seed=options.seed, device=options.device, precision=options.precision,
    )  # fmt: skip
    limits = SeedAugmentation(options.transpose, options.shift, options.noise)
    trainer = SeedTrainer(options.out, network, config, notes, limits, pieces, valid, about)
    print(f"{len(trainer.windows)} windows of {config.window}, {config.epochs} epochs")
    if config.targets == "last":
        print(
            "each window teaches the one symbol after it, as in the tutorial; with --targets all "
            f"it teaches {config.window} in the same time"
        )
    return trainer.run()


def evaluate(options: argparse.Namespace, model: Model, pieces: Pieces) -> int:
    """`evaluate` of a model of the note vocabulary."""
    from .evaluate_notes import evaluate_notes

    result = evaluate_notes(model, pieces, options.way)
    values = result.to_dict()
    if options.json:
        print(json.dumps(values))
        return 0
    print(
        f"{values['nats_per_symbol']:.4f} nats per symbol, {values['nats_per_note']:.3f} per note, "
        "pitches alone"
    )
    print(f"{values['unigram_nats_per_symbol']:.4f} nats per symbol by counting symbols alone")
    print(
        f"{result.symbols} symbols, {100 * values['known']:.1f} % of them known as they are; "
        f"{result.notes} notes, {result.left_out} more left out; {result.files} files"
    )
    if result.broken:
        print(f"{result.broken} files left out")
    return 0


def compare(options: argparse.Namespace, pieces: Pieces) -> int:
    """`compare`: a table of models, or the same as JSON."""
    from .compare import compare as compare_models

    rows, scored = compare_models(options.models, pieces)
    if options.json:
        print(json.dumps({"scored": scored, "rows": [asdict(row) for row in rows]}))
        return 0
    width = max(len(row.model) for row in rows)
    print(f"{'':{width}}  {'':24}{'nats a chord':>14}{'a note':>8}{'ms a chord':>12}")
    for row in rows:
        print(
            f"{row.model:{width}}  {row.way:24}{row.nats_per_chord:14.3f}"
            f"{row.nats_per_note:8.3f}{row.milliseconds:12.3f}"
        )
    print(
        f"pitches alone, of {scored['chords']} chords with {scored['notes']} notes, "
        f"{100 * scored['share']:.1f} % of all: those that every note vocabulary here knows; "
        "* is how the daemon plays it"
    )
    return 0


def told(corpus: ChordPieces, notes: ChordVocabulary) -> None:
    """Print what the vocabulary makes of a corpus."""
    counts, played = np.array([*corpus.counts().values()]), corpus.sizes()
    kept = np.array([len(chord) for chord in notes.chords])[corpus.nearest(notes)]
    known = np.array([notes.id(chord) is not None for chord in corpus.chords])
    print(
        f"{counts.sum()} symbols, {len(counts)} different; n_vocab {len(notes)} knows "
        f"{100 * counts[known].sum() / counts.sum():.1f} % of them as they are and keeps "
        f"{100 * (counts * kept).sum() / (counts * played).sum():.1f} % of the notes"
    )


def _source(text: str) -> Source:
    source = Source.parse(text)
    if source != Source(source.folder):
        raise UsageError(
            f"--data {text}: with --preset seed a folder is all: its notes have no time or velocity"
        )
    return source


def _longest(paths: list[str], pieces: Pieces) -> list[str]:
    order = (-pieces.lengths).argsort(kind="stable")
    return [paths[i] for i in order[:PARITY_FILES]]
