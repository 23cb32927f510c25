"""Options of the commands that measure a model file: evaluate, continuation, longrun, quality."""

import argparse
from pathlib import Path

from . import seed
from .markov import HIGHEST
from .options import natural, positive


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Options of `evaluate`."""
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="the model file")
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of MIDI files")
    add = parser.add_argument
    add("--json", action="store_true", help="one JSON object on the standard output")
    _add_baselines(parser)
    _add_reading(parser)
    add("--threads", type=positive, default=1, metavar="N", help="threads of onnxruntime")
    add("--way", choices=seed.MODE_TABLE,
        help="of a model of train --preset seed: predict each symbol from the state carried, or "
        "from its window alone, run anew (default: as the daemon plays it)")  # fmt: skip


def _add_baselines(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("baselines").add_argument
    add("--train", action="append", default=[], type=Path, metavar="DIR",
        help="a folder that the Markov model learns; may be given again (default: ../train beside "
        "a folder named valid)")  # fmt: skip
    add("--markov-order", type=order, default=4, metavar="N",
        help="its highest order; the best is chosen on a part of the training data")  # fmt: skip
    add("--markov-keys", type=natural, default=5, metavar="N",
        help="semitones up and down in which it learns the training data too")  # fmt: skip
    add("--quick", action="store_true", help="leave the Markov models out")
    add("--seed-model", type=Path, metavar="FILE.onnx",
        help="a model of train --preset seed to compare with, on pitches alone")  # fmt: skip


def _add_reading(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--cache", type=Path, metavar="DIR", help="keeps encoded corpora (default: none)")
    add("--workers", type=positive, default=1, metavar="N", help="processes to do it with")


def _add_playing(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE",
        help="a setting of the daemon, such as sampling.temperature=0.9; may be given again "
        "(the others are those of the daemon by itself)")  # fmt: skip
    add("--seed", type=natural, default=1, metavar="N", help="of places and replies")
    add("--json", action="store_true", help="one JSON object on the standard output")
    add("--picture", type=Path, metavar="OUT.png", help="draw it, too (or .svg, .pdf)")


def add_continuation(parser: argparse.ArgumentParser) -> None:
    """Options of `continuation`."""
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="the model file")
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of MIDI files")
    add = parser.add_argument
    add("--passages", type=positive, default=200, metavar="N", help="places to play on from")
    add("--replies", type=positive, default=1, metavar="N", help="replies to each")
    add("--hear", type=positive, default=20, metavar="SECONDS", help="of music before each place")
    add("--temperature", type=float, metavar="X", help="short for --set sampling.temperature=X")
    add("--top-p", type=float, metavar="X", help="short for --set sampling.top_p=X")
    _add_playing(parser)
    _add_reading(parser)


def add_longrun(parser: argparse.ArgumentParser) -> None:
    """Options of `longrun`."""
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="the model file")
    add = parser.add_argument
    add("--minutes", type=positive, default=60, metavar="N", help="of playing, and of listening")
    add("--listen", type=Path, metavar="FILE|DIR",
        help="music to listen to, and to play on from (default: the shipped phrases to play on "
        "from, and no listening)")  # fmt: skip
    _add_playing(parser)
    _add_reading(parser)


def add_quality(parser: argparse.ArgumentParser) -> None:
    """Options of `quality`."""
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="the model file")
    parser.add_argument(
        "folders", type=Path, nargs="+", metavar="DIR", help="folders of MIDI files it never saw"
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="where tables and pictures go")
    add("--passages", type=positive, default=200, metavar="N", help="of the continuation test")
    add("--replies", type=positive, default=1, metavar="N", help="replies to each")
    add("--minutes", type=positive, default=60, metavar="N", help="of the long run; see longrun")
    add("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE",
        help="a setting of the daemon; may be given again")  # fmt: skip
    add("--seed", type=natural, default=1, metavar="N", help="of places and replies")
    _add_baselines(parser)
    _add_reading(parser)


def order(text: str) -> int:
    """An order of the Markov model."""
    value = natural(text)
    if value > HIGHEST:
        raise argparse.ArgumentTypeError(f"must be {HIGHEST} or less, not {value}")
    return value
