"""Options of the commands that judge a model file, and of roll."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from ..options import add_options, add_reading, natural, option, positive
from .chords import WAYS
from .markov import HIGHEST


def order(text: str) -> int:
    """An order of the Markov model."""
    value = natural(text)
    if value > HIGHEST:
        raise argparse.ArgumentTypeError(f"must be {HIGHEST} or less, not {value}")
    return value


@dataclass(frozen=True)
class BaselineOptions:
    """Options of the baselines, which are much simpler models."""

    train: tuple[Path, ...] = option(
        (), "a folder on which the Markov model is trained; may be repeated "
        "(default: ../train next to a folder named valid)", Path, "DIR", shown=[], action="append",
    )  # fmt: skip
    markov_order: int = option(
        4, "its highest order; the best is chosen on a part of the training data", order, "N"
    )
    markov_keys: int = option(
        5, "semitones up and down by which its training data is transposed", natural, "N"
    )
    quick: bool = option(False, "leave the Markov models out", action="store_true")
    seed_model: Path | None = option(
        None, "a model of train --preset seed to compare with, on pitches alone", Path, "FILE.onnx"
    )


@dataclass(frozen=True)
class JudgeOptions:
    """Options that several commands share."""

    passages: int = option(200, "passages to continue", positive, "N")
    replies: int = option(1, "replies to each passage", positive, "N")
    hear: int = option(20, "seconds of music before each reply", positive, "SECONDS")
    temperature: float | None = option(None, "short for --set sampling.temperature=X", float, "X")
    top_p: float | None = option(None, "short for --set sampling.top_p=X", float, "X")
    minutes: int = option(60, "minutes of playing, and of listening", positive, "N")
    listen: Path | None = option(
        None, "music to listen to and to continue (default: continue the shipped phrases, and do "
        "not listen)", Path, "FILE|DIR",
    )  # fmt: skip
    set: tuple[str, ...] = option(
        (), "a setting of the daemon, such as sampling.temperature=0.9; may be repeated (the "
        "others are the daemon's defaults)", None, "KEY=VALUE", shown=[],
        action="append", dest="settings",
    )  # fmt: skip
    seed: int = option(1, "random seed of passages and replies", natural, "N")
    keep: Path | None = option(None, "a folder for prompts and replies as MIDI files", Path, "DIR")
    json: bool = option(False, "print one JSON object", action="store_true")
    picture: Path | None = option(None, "also draw a picture (.png, .svg or .pdf)", Path, "OUT.png")
    threads: int = option(1, "threads of onnxruntime", positive, "N")
    way: str | None = option(
        None, "for a model of train --preset seed: predict each symbol from the carried state, or "
        "from a new run over its window (default: as the daemon plays it)", choices=WAYS,
    )  # fmt: skip


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Options of `evaluate`."""
    _add_model(parser)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of MIDI files")
    add_options(parser, JudgeOptions, "json", "threads", "way")
    add_options(parser.add_argument_group("baselines"), BaselineOptions)
    add_reading(parser, None, 1)


def add_continuation(parser: argparse.ArgumentParser) -> None:
    """Options of `continuation`."""
    _add_model(parser)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of MIDI files")
    names = "passages", "replies", "hear", "temperature", "top_p", "set", "seed", "json", "picture"
    add_options(parser, JudgeOptions, *names)
    add_reading(parser, None, 1)


def add_duet(parser: argparse.ArgumentParser) -> None:
    """Options of `duet`."""
    _add_model(parser)
    add_options(parser, JudgeOptions, "replies", "set", "seed", "json", "keep")
    about = "processes that play"
    parser.add_argument("--workers", type=positive, default=1, metavar="N", help=about)


def add_longrun(parser: argparse.ArgumentParser) -> None:
    """Options of `longrun`."""
    _add_model(parser)
    add_options(parser, JudgeOptions, "minutes", "listen", "set", "seed", "json", "picture")
    add_reading(parser, None, 1)


def add_quality(parser: argparse.ArgumentParser) -> None:
    """Options of `quality`."""
    _add_model(parser)
    add = parser.add_argument
    add(
        "folders",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="folders of MIDI files that were not trained on",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="the folder for tables and pictures")
    add_options(parser, JudgeOptions, "passages", "replies", "minutes", "set", "seed")
    add_options(parser.add_argument_group("baselines"), BaselineOptions)
    add_reading(parser, None, 1)


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Options of `compare`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="a folder of MIDI files")
    about = "model files, at least one of them from train --preset seed"
    add("models", type=Path, metavar="MODEL.onnx", nargs="+", help=about)
    add_options(parser, JudgeOptions, "json")
    add_reading(parser, None, 1)


def add_roll(parser: argparse.ArgumentParser) -> None:
    """Options of `roll`."""
    parser.add_argument("file", type=Path, metavar="FILE.mid", help="the MIDI file")
    parser.add_argument("picture", type=Path, metavar="OUT.png", help="or .svg, .pdf")


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="the model file")


COMMANDS = (
    ("evaluate", add_evaluate, "how well a model file predicts the MIDI files of a folder"),
    ("continuation", add_continuation, "how much its replies resemble what really came next"),
    ("duet", add_duet, "whether it plays with people: their time, texture, touch and figures"),
    ("longrun", add_longrun, "whether it plays, and listens, as well after an hour"),
    ("quality", add_quality, "all of these, as the tables of a model card"),
    ("compare", add_compare, "the seed's recipe beside other models, on pitches alone"),
    ("roll", add_roll, "a MIDI file as a picture, a colour for each track"),
)
"""The command's name, what adds its options, what it does."""
