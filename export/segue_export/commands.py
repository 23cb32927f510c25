"""What each command of `segue-export` does, from its parsed options.

torch and matplotlib are imported only by the commands that need them.
"""

import argparse
import json

from segued.errors import DataError

from . import seed, training
from .corpus import encode_file, read_folder, report_broken
from .sources import read, read_sources, sides


def encode(options: argparse.Namespace) -> int:
    """`encode`: the token ids of one file."""
    ids = encode_file(options.file)
    if isinstance(ids, str):
        raise DataError(ids)
    print(json.dumps(ids.tolist()))
    return 0


def prepare(options: argparse.Namespace) -> int:
    """`prepare`: folders to the shards that `train` would make of them."""
    for folder in options.folders:
        for side in sides(folder):
            read(side, options)
    return 0


def train(options: argparse.Namespace) -> int:
    """`train`: corpus to checkpoint."""
    if options.preset == "seed":
        return seed.train(options, *read_sources(seed.sources(options), options))
    return training.train(options)


def onnx(options: argparse.Namespace) -> int:
    """`onnx`: checkpoint to model file."""
    import torch
    from segued.model.session import Model

    from .fine_tune import origin_of
    from .to_onnx import Run, step_time, to_onnx

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
    if line := origin_of(Run.load(options.run).about):
        print(line)
    return 0


def weights(options: argparse.Namespace) -> int:
    """`weights`: what a run has learned so far, to begin others with."""
    from .checkpoint import save_trunk

    update, tokens = save_trunk(options.run, options.out)
    print(f"{options.out}: bf16, after {update} updates, {tokens / 1e6:.1f} M tokens")
    return 0


def average(options: argparse.Namespace) -> int:
    """`average`: several models to the folder of a run."""
    from .average import average

    average(options.models, options.run)
    print(f"{options.run}: the average; segue-export onnx {options.run} OUT.onnx --valid DIR")
    return 0


def compare(options: argparse.Namespace) -> int:
    """`compare`: models of both vocabularies on pitches alone."""
    pieces = read_folder(options.folder, options.cache, options.workers)
    report_broken(pieces)
    return seed.compare(options, pieces)


def roll(options: argparse.Namespace) -> int:
    """`roll`: a picture of a MIDI file."""
    from .roll import draw_file

    draw_file(options.file, options.picture)
    return 0
