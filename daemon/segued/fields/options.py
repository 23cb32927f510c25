"""Declaring options: checks, which say what is allowed when they refuse a value."""

import re
from collections.abc import Callable
from dataclasses import field
from typing import Any

from .durations import checked

VALUE, VALUES, ENTRIES = "value", "values", "entries"
"""Shapes of an option: a single value; one or a list of them; a list of `entries`."""

Check = Callable[[Any], Any]
"""Converts what YAML has read, or raises ValueError, whose text says what is allowed."""


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
        if value is False and "off" in words:
            return "off"  # YAML reads the bare word off as false
        if value not in words:
            raise ValueError("one of " + ", ".join(words))
        return str(value)

    return check


def text(value: Any) -> str:
    """A text of one line that is not blank."""
    if not isinstance(value, str) or not value.strip() or value.splitlines() != [value]:
        raise ValueError("a text of one line")
    return value


_NAME = re.compile(r"[^\W_][\w-]{0,31}")


def is_name(text: str) -> bool:
    """Whether it can be a model's name: up to 32 letters, digits, - and _, and so no path."""
    return _NAME.fullmatch(text) is not None


def name(value: Any) -> str:
    """The name of a model."""
    if not isinstance(value, str) or not is_name(value):
        raise ValueError("a name of up to 32 letters, digits, - and _")
    return value


def paths(value: Any) -> tuple[str, ...]:
    """One path, or a list of them; null: none."""
    several = () if value is None else value if isinstance(value, list | tuple) else [value]
    try:
        return tuple(map(_path, several))
    except ValueError:
        raise ValueError("a list of MIDI files or folders") from None


def _path(value: Any) -> str:
    path = text(value)
    if "\0" in path:
        raise ValueError("a path")
    return path


def flag(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


_PITCH = re.compile(r"([A-G])(#|b)?(-?\d)")
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11, None: 0, "#": 1, "b": -1}


def optional(check: Check) -> Check:
    """null, or what `check` allows."""

    def checked(value: Any) -> Any:
        if value is None:
            return None
        try:
            return check(value)
        except ValueError as error:
            raise ValueError(f"{error} or null") from None

    return checked


def pitch(value: Any) -> int:
    """A MIDI pitch 0..127, by number or by name (middle C, 60, is C4)."""
    if isinstance(value, str) and (name := _PITCH.fullmatch(value)):
        letter, sign, octave = name.groups()
        value = 12 * (int(octave) + 1) + _SEMITONES[letter] + _SEMITONES[sign]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 127:
        raise ValueError("a pitch from 0 to 127 or a name such as C4 (60), F#2, Bb3")
    return value


def channels(*words: str) -> Check:
    """A MIDI channel 1..16, a list of them, or one of some words."""

    def check(value: Any) -> int | str | tuple[int, ...]:
        if isinstance(value, str) and value in words:
            return value
        several = value if isinstance(value, list | tuple) else [value]
        whole = all(isinstance(c, int) and not isinstance(c, bool) for c in several)
        if not whole or not several or not all(1 <= c <= 16 for c in several):
            known = ["a channel from 1 to 16", "a list such as [1, 2]", *words]
            raise ValueError(" or ".join(known))
        return tuple(sorted({*several})) if isinstance(value, list | tuple) else int(value)

    return check


def channel_set(value: int | str | tuple[int, ...]) -> frozenset[int]:
    """The channels 0..15 of a value that `channels` has checked; a word means all."""
    if isinstance(value, str):
        return frozenset(range(16))
    return frozenset(c - 1 for c in (value if isinstance(value, tuple) else (value,)))


def option(default: Any, check: Check, help: str, shape: str = VALUE) -> Any:
    """A dataclass field for an option; `shape`: VALUE, VALUES or ENTRIES."""
    return field(default=default, metadata={"check": check, "help": help, "shape": shape})
