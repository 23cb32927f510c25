"""`segue-export`: prepare, train, onnx, evaluate and what belongs to them."""

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from segued.errors import SegueError

from . import commands, train_command
from .judge import commands as judge_commands
from .judge import options as judge_options
from .learn import command as learn_command
from .options import PRECISIONS, add_reading, positive, weighted
from .seed import recipe

USAGE, UNAVAILABLE, INPUT_OUTPUT, INTERRUPTED = 64, 69, 74, 130  # sysexits; 128 + SIGINT
EXTRA = {"matplotlib", "onnx", "safetensors", "torch", "tqdm"}  # what the extra `train` brings

PRESETS = {
    "default": (train_command.add_train, train_command.train),
    "seed": (recipe.add_train, recipe.train),
}
"""What `train` may be asked for: the options that it then has, and what is done."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may lack a character of a file's name
            stream.reconfigure(errors="backslashreplace")
    options = _parser(_preset(arguments)).parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
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
    """The preset of `train`: each has its own options."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset", nargs="?")
    given = parser.parse_known_args(arguments)[0].preset
    return given if given in PRESETS else "default"


def _parser(preset: str) -> argparse.ArgumentParser:
    parser = _Parser(prog="segue-export", description="Segue's training side.")
    adder = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")

    def command(
        run: Callable[[argparse.Namespace], int], help: str,
        add: Callable[[argparse.ArgumentParser], None],
    ) -> None:  # fmt: skip
        name = run.__name__
        sub = adder.add_parser(name, help=help, description=help + ".", formatter_class=_Help)
        sub.set_defaults(command=run)
        add(sub)

    command(commands.encode, "print the token ids of a MIDI file as a JSON list", _encode)
    command(
        commands.prepare, "folders of MIDI files to the token shards that train reads", _prepare
    )
    command(
        PRESETS[preset][1], "corpus to checkpoint; run the same command again to resume",
        lambda sub: _train(sub, preset),
    )  # fmt: skip
    command(
        commands.onnx, "checkpoint to model file, compared with torch before it is written", _onnx
    )
    command(commands.weights, "the weights that a run has now as bf16, for train --init", _weights)
    command(
        commands.average, "models that come from one to a run with their weighted mean", _average
    )
    command(
        learn_command.learn, "from takes to a model of one's own, kept if it is better",
        learn_command.add_learn,
    )  # fmt: skip
    for name, add, help in judge_options.COMMANDS:
        command(getattr(judge_commands, name), help, add)
    return parser


def _encode(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE.mid", help="the MIDI file")


def _prepare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folders", type=Path, nargs="+", metavar="DIR", help="a folder of MIDI files"
    )
    add_reading(parser)


def _train(parser: argparse.ArgumentParser, preset: str) -> None:
    parser.add_argument(
        "--preset", choices=PRESETS, default="default",
        help="seed: the classic LSTM tutorial's recipe, with other options "
        "(train --preset seed --help)",
    )  # fmt: skip
    PRESETS[preset][0](parser)


def _onnx(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the folder of a training run")
    add("out", type=Path, metavar="OUT.onnx", help="the model file to write")
    add("--precision", choices=PRECISIONS, default="fp32", help="int8 for CPUs, fp16 for GPUs")
    add("--valid", type=Path, metavar="DIR", help="music to compare on (default: the run's own)")
    add(
        "--licence",
        default="MIT",
        metavar="TEXT",
        help="the licence of the weights, for the metadata",
    )
    add("--threads", type=positive, default=1, metavar="N", help="threads of torch")


def _weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a training run")
    parser.add_argument("out", type=Path, metavar="OUT.safetensors", help="the file to write")


def _average(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder to write")
    parser.add_argument(
        "models", type=weighted, nargs="+", metavar="MODEL.onnx[,weight=W]",
        help="an fp32 model file, and its weight in the mean (default: 1)",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
