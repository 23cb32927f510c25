"""What each command of `segue-export` does, from its parsed options; `train` and those that judge
a model file have files of their own.

torch and matplotlib are imported only by the commands that need them.
"""

import argparse
import json

from segued.errors import DataError

from .corpus.encoding import encode_file
from .sources import read, sides


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


def onnx(options: argparse.Namespace) -> int:
    """`onnx`: checkpoint to model file."""
    import torch
    from segued.model.session import Model

    from .onnx_export.exporter import TrainedRun, export, step_time

    torch.set_num_threads(options.threads)
    parity = export(options.run, options.out, options.precision, options.licence, options.valid)
    milliseconds = 1000 * step_time(Model.load(options.out))
    print(f"{options.out}: {options.precision}, {options.out.stat().st_size / 1e6:.1f} MB")
    print(
        f"parity over {parity.tokens} tokens, {parity.steps} steps of carried state: largest logit "
        f"difference {parity.logits:.2g}; nats per token {parity.torch_nll:.4f} torch, "
        f"{parity.model_nll:.4f} this file ({100 * (parity.ratio - 1):+.3f} %)"
    )
    print(f"one step here: {milliseconds:.3f} ms")
    if line := TrainedRun.load(options.run).origin:
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
    from .onnx_export.reader import average

    average(options.models, options.run)
    print(f"{options.run}: the average; segue-export onnx {options.run} OUT.onnx --valid DIR")
    return 0
