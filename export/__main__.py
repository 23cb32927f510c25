"""`segue-export`: encode, train, onnx, evaluate."""

import argparse
import json
import sys
from pathlib import Path

from daemon.errors import SegueError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except SegueError as error:
        print(f"segue-export: {error}", file=sys.stderr)
        return error.status


def _train(options: argparse.Namespace) -> int:
    import torch

    from .commands import train

    torch.set_num_threads(options.threads)
    return train(options)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(64, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="segue-export", description="Segue's training side.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="corpus to checkpoint; run again to go on")
    train.add_argument("--data", action="append", required=True, metavar="DIR[,weight=W][,jitter=MS][,normalise]")
    train.add_argument("--valid", action="append", default=[], metavar="DIR")
    train.add_argument("--out", required=True, type=Path, metavar="RUN")
    train.add_argument("--cache", type=Path, default=Path("prepared"))
    train.add_argument("--layers", default="256,512,256")
    train.add_argument("--embedding", type=int, default=128)
    train.add_argument("--dense", type=int, default=256)
    train.add_argument("--dropout", type=float, default=0.3)
    train.add_argument("--updates", type=int, default=20000)
    train.add_argument("--batch", type=int, default=24)
    train.add_argument("--time", type=int, default=128)
    train.add_argument("--learning-rate", type=float, default=2e-3)
    train.add_argument("--validate-every", type=int, default=500)
    train.add_argument("--patience", type=int, default=0)
    train.add_argument("--seed", type=int, default=1)
    train.add_argument("--bf16", action="store_true")
    train.add_argument("--threads", type=int, default=1)
    train.set_defaults(run=_train)
    return parser


if __name__ == "__main__":
    sys.exit(main())
