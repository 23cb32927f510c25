"""How options are declared: a check tells what values are allowed, and says so when one is not."""

from collections.abc import Callable
from dataclasses import field
from typing import Any

from .spans import checked

Check = Callable[[Any], Any]
"""Takes what YAML read and returns the value, or raises ValueError with what is allowed."""


def number(low: float, high: float) -> Check:
    """A number from `low` to `high`."""

    def check(value: Any) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise ValueError(f"a number from {low:g} to {high:g}")
        return float(value)

    return check


def integer(low: int, high: int, *words: str) -> Check:
    """An integer from `low` to `high`, or one of some words."""

    def check(value: Any) -> int | str:
        if isinstance(value, str) and value in words:
            return value
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(" or ".join([f"an integer from {low} to {high}", *words]))
        return value

    return check


def number_or(low: float, high: float, *words: str) -> Check:
    """A number in a range, or one of some words."""

    def check(value: Any) -> float | str:
        if isinstance(value, str) and value in words:
            return value
        try:
            return float(number(low, high)(value))
        except ValueError as error:
            raise ValueError(" or ".join([str(error), *words])) from None

    return check


def span(low: float, high: float, *words: str) -> Check:
    """Seconds in a range, a number of beats or bars, or one of some words."""
    return lambda value: checked(value, low, high, words)


def choice(*words: str) -> Check:
    """One of some words."""

    def check(value: Any) -> str:
        if value not in words:
            raise ValueError("one of " + ", ".join(words))
        return str(value)

    return check


def text(value: Any) -> str:
    """Any text of one line but the empty one."""
    if not isinstance(value, str) or not value.strip() or value.splitlines() != [value]:
        raise ValueError("a text of one line")
    return value


def flag(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def option(default: Any, check: Check, help: str) -> Any:
    """A field of a section."""
    return field(default=default, metadata={"check": check, "help": help})
