"""Types of command line options: text to value, or one line that tells what is wanted."""

from argparse import ArgumentTypeError
from pathlib import Path

PRECISIONS = ("fp32", "int8", "fp16")
OPTIMIZERS = ("adamw", "muon", "rmsprop")
DEVICES = ("auto", "cpu", "cuda")


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
