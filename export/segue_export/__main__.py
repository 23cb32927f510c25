"""`segue-export`: prepare, train, onnx, evaluate and what belongs to them."""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from segued.errors import SegueError

from . import commands
from .judge import commands as measure
from .judge import options as measure_options
from .options import PRECISIONS, positive, weighted
from .seed import recipe as seed
from .training import add_options, add_preparation

USAGE, UNAVAILABLE, INPUT_OUTPUT, INTERRUPTED = 64, 69, 74, 130  # sysexits; 128 + SIGINT
EXTRA = {"matplotlib", "onnx", "safetensors", "torch", "tqdm"}  # what the extra `train` brings


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    options = _parser(_preset(arguments)).parse_args(arguments)
    try:
        return options.command(options)
    except SegueError as error:
        print(f"segue-export: {error}", file=sys.stderr)
        return error.status
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRA:
            raise
        wanted = f"{missing} is not installed, which this command needs"
        print(f'segue-export: {wanted}: pip install "segued[train]"', file=sys.stderr)
        return UNAVAILABLE
    except KeyboardInterrupt:
        print("segue-export: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"segue-export: {where}{error.strerror or error}", file=sys.stderr)
        return INPUT_OUTPUT


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        shown = action.default not in (None, False, []) and not action.required
        return super()._get_help_string(action) if shown else action.help


def _preset(arguments: list[str] | None) -> str:
    """Which preset `train` is asked for: each has options of its own."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset", nargs="?")
    given = parser.parse_known_args(arguments)[0].preset
    return given if given in PRESETS else "default"


def _parser(preset: str) -> argparse.ArgumentParser:
    parser = _Parser(prog="segue-export", description="Segue's training side.")
    adder = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")

    def command(name: str, help: str) -> argparse.ArgumentParser:
        sub = adder.add_parser(name, help=help, description=help + ".", formatter_class=_Help)
        room = measure if hasattr(measure, name) else commands
        sub.set_defaults(command=getattr(room, name))
        return sub

    _encode(command("encode", "print the token ids of a MIDI file as a JSON list"))
    _prepare(command("prepare", "folders of MIDI files to the token shards that train reads"))
    train = command("train", "corpus to checkpoint; the same command again goes on from there")
    train.add_argument(
        "--preset", choices=PRESETS, default="default",
        help="seed: the classic LSTM tutorial's recipe, with options of its own "
        "(train --preset seed --help)",
    )  # fmt: skip
    PRESETS[preset](train)
    _onnx(command("onnx", "checkpoint to model file, compared with torch before it is written"))
    weights = command("weights", "the weights that a run has now as bf16, for train --init")
    weights.add_argument("run", type=Path, metavar="RUN", help="the folder of a training run")
    weights.add_argument("out", type=Path, metavar="OUT.safetensors", help="the file to write")
    average = command("average", "models that come from one to a run with their weighted mean")
    average.add_argument("run", type=Path, metavar="RUN", help="the folder to write")
    average.add_argument("models", type=weighted, nargs="+", metavar="MODEL.onnx[,weight=W]",
        help="a model file, fp32, and its share of the mean (default: 1, as all)")  # fmt: skip
    measure_options.add_evaluate(
        command("evaluate", "how well a model file predicts the MIDI files of a folder")
    )
    measure_options.add_continuation(
        command("continuation", "how much its replies resemble what really came next")
    )
    measure_options.add_longrun(
        command("longrun", "whether it plays, and listens, as well after an hour")
    )
    measure_options.add_quality(command("quality", "all of these, as the tables of a model card"))
    _compare(command("compare", "the seed's recipe beside other models, on pitches alone"))
    _roll(command("roll", "a MIDI file as a picture, a colour for each track"))
    return parser


def _encode(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE.mid", help="the MIDI file")


def _prepare(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folders", type=Path, nargs="+", metavar="DIR", help="a folder of MIDI files")
    add_preparation(add)


def _onnx(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a training run")
    parser.add_argument("out", type=Path, metavar="OUT.onnx", help="the model file to write")
    add = parser.add_argument
    add("--precision", choices=PRECISIONS, default="fp32", help="int8 for CPUs, fp16 for GPUs")
    add("--valid", type=Path, metavar="DIR", help="music to compare on (default: the run's own)")
    add("--licence", default="MIT", metavar="TEXT", help="what the metadata say of the weights")
    add("--threads", type=positive, default=1, metavar="N", help="threads of torch")


def _compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of MIDI files")
    parser.add_argument("models", type=Path, metavar="MODEL.onnx", nargs="+",
        help="model files, one of them or more of train --preset seed")  # fmt: skip
    add = parser.add_argument
    add("--json", action="store_true", help="one JSON object on the standard output")
    add("--cache", type=Path, metavar="DIR", help="keeps encoded corpora (default: none)")
    add("--workers", type=positive, default=1, metavar="N", help="processes that read MIDI files")


def _roll(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE.mid", help="the MIDI file")
    parser.add_argument("picture", type=Path, metavar="OUT.png", help="or .svg, .pdf")


PRESETS = {"default": add_options, "seed": seed.add_options}
"""What `train` may be asked for, and the options that it then has."""

if __name__ == "__main__":
    sys.exit(main())
