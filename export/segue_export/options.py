"""Options of the command line: declared once, as fields of dataclasses, and types of their values.

A type turns text into a value or tells in one line what is wanted.
"""

import argparse
import os
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import field, fields
from pathlib import Path
from typing import Any

PRECISIONS = ("fp32", "int8", "fp16")
OPTIMIZERS = ("adamw", "muon", "rmsprop")
DEVICES = ("auto", "cpu", "cuda")
CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def option(
    default: Any, help: str, type: Callable[[str], Any] | None = None, metavar: str | None = None,
    further: Any = None, shown: Any = ..., **more: Any,
) -> Any:  # fmt: skip
    """A field of a dataclass that is an option, with what argparse takes.

    `further` is its default for a model that is trained further (`train --from`), where that is
    another; `shown` is how the help shows the default, which argparse must be able to read.
    """
    argument = {"type": type, "metavar": metavar} | more
    return field(
        default=default,
        metadata={
            "help": help, "further": further, "shown": default if shown is ... else shown,
            "argument": {name: value for name, value in argument.items() if value is not None},
        },
    )  # fmt: skip


def add_options(parser: Any, config: type, *names: str, **defaults: Any) -> None:
    """Add the fields of a dataclass that are options, all or some, to a parser or a group.

    `defaults` replaces defaults, where there is no `--from`. An option whose default depends on
    `--from` is None until `fill_in`.
    """
    for about in fields(config):
        if "argument" not in about.metadata or (names and about.name not in names):
            continue
        text, default = about.metadata["help"], about.metadata["shown"]
        if about.name in defaults:
            default = defaults[about.name]
        elif about.metadata["further"] is not None:
            text += f" (default: {default}; with --from {about.metadata['further']})"
            default = None
        name = "--" + about.name.replace("_", "-")
        parser.add_argument(name, help=text, default=default, **about.metadata["argument"])


def fill_in(options: argparse.Namespace, config: type, further: bool) -> None:
    """Give the options of a dataclass that were not given their defaults."""
    for about in fields(config):
        if about.metadata.get("further") is not None and getattr(options, about.name) is None:
            default = about.metadata["further"] if further else about.default
            setattr(options, about.name, default)


def add_reading(parser: Any, cache: Path | None = Path("prepared"), workers: int = CPUS) -> None:
    """Options of every command that reads folders of MIDI files."""
    kept = "keeps encoded corpora" + (" (default: none)" if cache is None else "")
    parser.add_argument("--cache", type=Path, default=cache, metavar="DIR", help=kept)
    parser.add_argument(
        "--workers", type=positive, default=workers, metavar="N",
        help="processes that read MIDI files",
    )  # fmt: skip


def add_bf16(group: Any) -> None:
    """A short for `--precision bf16`."""
    group.add_argument(
        "--bf16", dest="precision", action="store_const", const="bf16",
        default=argparse.SUPPRESS, help="the same as --precision bf16",
    )  # fmt: skip


def natural(text: str) -> int:
    """An integer from 0."""
    return _integer(text, 0)


def positive(text: str) -> int:
    """An integer from 1."""
    return _integer(text, 1)


def fraction(text: str) -> float:
    """A number from 0 up to, not including, 1."""
    value = _number(text)
    if not 0 <= value < 1:
        raise ArgumentTypeError(f"must be from 0 to below 1, not {text}")
    return value


def at_least_0(text: str) -> float:
    """A number from 0."""
    value = _number(text)
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"must be 0 or more, not {text}")
    return value


def sizes(text: str) -> tuple[int, ...]:
    """`256,512,256`: one or more integers from 1."""
    return tuple(positive(part) for part in text.split(","))


def weighted(text: str) -> tuple[Path, float]:
    """`FILE[,weight=W]`: a path and a number above 0."""
    path, _, weight = text.partition(",weight=")
    value = _number(weight) if weight else 1.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"weight must be above 0, not {weight}")
    return Path(path), value


def tempo_range(text: str) -> tuple[float, float]:
    """`0.85-1.18`: two factors, the lower first."""
    low, _, high = text.partition("-")
    factors = _number(low), _number(high or low)
    if not 0.1 <= factors[0] <= factors[1] <= 10:
        raise ArgumentTypeError(f"must be LOW-HIGH within 0.1-10, not {text}")
    return factors


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"must be a number, not {text!r}") from None


def _integer(text: str, lowest: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise ArgumentTypeError(f"must be an integer, not {text!r}") from None
    if value < lowest:
        raise ArgumentTypeError(f"must be {lowest} or more, not {value}")
    return value
