"""What each command of `segue-export` does, from its parsed options.

torch and matplotlib are imported only by the commands that need them.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from daemon.errors import DataError

from . import seed
from .corpus import Pieces, Source, encode_file, join_all, read_folder, shown
from .dataset import Augmentation, Stream, velocity_scale

PARITY_FILES = 16  # validation files that a run remembers, for the comparison of its model files


def encode(options: argparse.Namespace) -> int:
    """`encode`: the token ids of one file."""
    ids = encode_file(options.file)
    if isinstance(ids, str):
        raise DataError(ids)
    print(json.dumps(ids.tolist()))
    return 0


def train(options: argparse.Namespace) -> int:
    """`train`: corpus to checkpoint."""
    if options.preset == "seed":
        return seed.train(options, *_read_sources(seed.sources(options), options))
    sources = [Source.parse(text) for text in options.data]
    training, valid = _read_sources(sources, options)
    streams = []
    for source, pieces in zip(sources, training, strict=True):
        scale = velocity_scale(pieces) if source.normalise else (1.0, 0.0)
        weight = source.weight or len(pieces.tokens)
        streams.append(Stream(pieces, weight, source.jitter_ms / 1000, scale))
    together = join_all([pieces for _, pieces in valid])
    paths = [str(folder.resolve() / name) for folder, p in valid for name in p.names]
    longest = np.argsort([-len(p) for p in together], kind="stable")[:PARITY_FILES]
    about = {
        "data": [shown(text) for text in options.data],
        "pieces": sum(len(s.pieces) for s in streams),
        "tokens": sum(len(s.pieces.tokens) for s in streams),
        "valid": [paths[i] for i in longest],
    }
    return _train(options, streams, together, about)


def _train(options: argparse.Namespace, streams: list[Stream], valid: Pieces, about: dict) -> int:
    import torch

    from .network import NetworkConfig
    from .train import TrainConfig, Trainer

    torch.set_num_threads(options.threads)
    network = NetworkConfig(
        embedding=options.embedding, layers=options.layers, dense=options.dense,
        dropout=options.dropout,
    )  # fmt: skip
    config = TrainConfig(
        updates=options.updates, batch=options.batch, time=options.time,
        learning_rate=options.learning_rate, validate_every=options.validate_every,
        patience=options.patience, seed=options.seed, bf16=options.bf16,
    )  # fmt: skip
    limits = Augmentation(options.transpose, options.tempo, options.velocity)
    trainer = Trainer(options.out, network, config, limits, streams, valid, about)
    if options.init and not trainer.update:
        trainer.begin_with(options.init)
    return trainer.run()


def onnx(options: argparse.Namespace) -> int:
    """`onnx`: checkpoint to model file."""
    import torch

    from daemon.model import Model

    from .to_onnx import step_time, to_onnx

    torch.set_num_threads(options.threads)
    parity = to_onnx(options.run, options.out, options.precision, options.licence, options.valid)
    milliseconds = 1000 * step_time(Model.load(options.out))
    print(f"{options.out}: {options.precision}, {options.out.stat().st_size / 1e6:.1f} MB")
    print(
        f"parity over {parity.tokens} tokens, {parity.steps} steps of carried state: largest logit "
        f"difference {parity.logits:.2g}; nats per token {parity.torch_nll:.4f} torch, "
        f"{parity.model_nll:.4f} this file ({100 * (parity.ratio - 1):+.3f} %)"
    )
    print(f"one step here: {milliseconds:.3f} ms")
    return 0


def compare(options: argparse.Namespace) -> int:
    """`compare`: models of both vocabularies on pitches alone."""
    pieces = read_folder(options.folder, options.cache, options.workers)
    _report_broken(pieces)
    return seed.compare(options, pieces)


def roll(options: argparse.Namespace) -> int:
    """`roll`: a picture of a MIDI file."""
    from .roll import draw_file

    draw_file(options.file, options.picture)
    return 0


def _read_sources(
    sources: list[Source], options: argparse.Namespace
) -> tuple[list[Pieces], list[tuple[Path, Pieces]]]:
    """The training pieces of each source, and the validation pieces with their folders.

    Validation is `--valid` if given; else each folder's own `train` and `valid`; else whole
    compositions are kept out of what has no such folders.
    """
    training: list[Pieces] = []
    valid = [(folder, _read(folder, options)) for folder in options.valid]
    unsplit = []
    for i, source in enumerate(sources):
        own = [source.folder / side for side in ("train", "valid")]
        if not options.valid and all(side.is_dir() for side in own):
            training.append(_read(own[0], options))
            valid.append((own[1], _read(own[1], options)))
        else:
            training.append(_read(source.folder, options))
            unsplit.append(i)
    if unsplit and not options.valid:
        from .split import split_parts

        parts = split_parts([training[i] for i in unsplit], options.valid_share, options.seed)
        for i, (kept, held_out) in zip(unsplit, parts, strict=True):
            if not len(kept):
                raise DataError(
                    f"{sources[i].folder}: too little to keep any out: give --valid DIR"
                )
            training[i] = kept
            valid.append((sources[i].folder, held_out))
            print(f"{sources[i].folder}: {len(held_out)} pieces kept out for validation")
    if not any(len(pieces) for _, pieces in valid):
        raise DataError("nothing to validate on, all pieces are one composition: give --valid DIR")
    return training, valid


def _read(folder: Path, options: argparse.Namespace) -> Pieces:
    pieces = read_folder(folder, options.cache, options.workers)
    notes = int((pieces.tokens < 128).sum())
    print(f"{folder}: {len(pieces)} pieces, {len(pieces.tokens)} tokens, {notes} notes")
    _report_broken(pieces)
    return pieces


def _report_broken(pieces: Pieces) -> None:
    for line in pieces.broken:
        print(f"left out: {line}", file=sys.stderr)
