"""What each command of `segue-export` does, from its parsed options.

torch and matplotlib are imported only by the commands that need them.
"""

import argparse
import json

from daemon.errors import DataError, UsageError

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

    from daemon.model import Model

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


def evaluate(options: argparse.Namespace) -> int:
    """`evaluate`: how well a model file predicts a folder."""
    from daemon.model import Model

    from .evaluate import evaluate as evaluate_pieces

    model = Model.load(options.model, threads=options.threads)
    pieces = read_folder(options.folder, options.cache, options.workers)
    report_broken(pieces)
    if model.notes is not None:
        return seed.evaluate(options, model, pieces)
    if options.way:
        raise UsageError("--way is for models of train --preset seed: others have no windows")
    result = evaluate_pieces(model, pieces)
    if options.json:
        print(json.dumps(result.to_dict()))
        return 0
    values = result.to_dict()
    print(f"{values['nats_per_token']:.4f} nats per token, {values['nats_per_note']:.3f} per note")
    print(f"{values['unigram_nats_per_token']:.4f} nats per token by counting tokens alone")
    print(f"{result.tokens} tokens, {result.notes} notes, {result.files} files")
    if result.broken:
        print(f"{result.broken} files left out")
    return 0


def compare(options: argparse.Namespace) -> int:
    """`compare`: models of both vocabularies on pitches alone."""
    pieces = read_folder(options.folder, options.cache, options.workers)
    report_broken(pieces)
    return seed.compare(options, pieces)


def continuation(options: argparse.Namespace) -> int:
    """`continuation`: replies against what really came next."""
    from daemon.model import Model
    from daemon.shaping import Playing

    from .continuation import continuation_test

    playing = Playing(options.temperature, options.top_p, seed=options.seed)
    model = Model.load(options.model)
    result = continuation_test(model, options.folder, options.passages, playing, options.seed)
    if options.json:
        print(json.dumps(result))
        return 0
    heads = ("overlap with the real", "reply", "(95 %)", "floor", "ceiling", "share")
    print("{:22}{:>7} {:15}{:>7}{:>9}{:>7}".format(*heads))
    for name, row in result.items():
        interval = f"({row['low']:.3f}-{row['high']:.3f})"
        print(
            f"{name:22}{row['reply']:7.3f} {interval:15}{row['floor']:7.3f}{row['ceiling']:9.3f}"
            f"{row['share']:7.2f}"
        )
    passages = next(iter(result.values()))["passages"]
    print(f"{passages:.0f} passages; floor: another piece, ceiling: the same piece ten seconds on")
    return 0


def roll(options: argparse.Namespace) -> int:
    """`roll`: a picture of a MIDI file."""
    from .roll import draw_file

    draw_file(options.file, options.picture)
    return 0
