"""What each command of `segue-export` does, from its parsed options."""

import argparse
import sys

import numpy as np

from .corpus import Pieces, Source, join, read_folder
from .dataset import Augmentation, Stream, velocity_scale
from .network import NetworkConfig
from .train import TrainConfig, Trainer


def _report(pieces: Pieces, what: str) -> None:
    notes = int((pieces.tokens < 128).sum())
    print(f"{what}: {len(pieces)} pieces, {len(pieces.tokens)} tokens, {notes} notes")
    for line in pieces.broken:
        print(f"  left out: {line}", file=sys.stderr)


def train(options: argparse.Namespace) -> int:
    """`train`: corpus to checkpoint."""
    streams, valid = [], []
    sources = [Source.parse(text) for text in options.data]
    for source in sources:
        pieces = read_folder(source.folder, options.cache)
        _report(pieces, str(source.folder))
        scale = velocity_scale(pieces) if source.normalise else (1.0, 0.0)
        weight = source.weight or len(pieces.tokens)
        streams.append(Stream(pieces, weight, source.jitter_ms / 1000, scale))
    for folder in options.valid:
        pieces = read_folder(Source.parse(folder).folder, options.cache)
        _report(pieces, folder)
        valid.append(pieces)
    together = join([n for p in valid for n in p.names], [a for p in valid for a in p])
    network = NetworkConfig(
        embedding=options.embedding, layers=tuple(int(n) for n in options.layers.split(",")),
        dense=options.dense, dropout=options.dropout,
    )  # fmt: skip
    config = TrainConfig(
        updates=options.updates, batch=options.batch, time=options.time,
        learning_rate=options.learning_rate, validate_every=options.validate_every,
        patience=options.patience, seed=options.seed, bf16=options.bf16,
    )  # fmt: skip
    about = {
        "data": options.data,
        "pieces": int(np.sum([len(s.pieces) for s in streams])),
        "tokens": int(np.sum([len(s.pieces.tokens) for s in streams])),
    }
    Trainer(options.out, network, config, Augmentation(), streams, together, about).run()
    return 0
