"""Durations in the settings: seconds, or beats and bars such as "4 bars"."""

import re
from typing import Any

Duration = float | str
"""Seconds, or a text such as "2 beats" or "4 bars"."""

MAX_BEATS = 1024  # beats or bars
_MUSICAL = re.compile(r"(\d+(?:\.\d+)?) (beat|bar)s?")


def checked(value: Any, low: float, high: float, words: tuple[str, ...] = ()) -> Duration:
    """A setting's value as a duration. Raises ValueError, whose text says what is allowed.

    `low` and `high` bound the seconds; `words` are allowed too.
    """
    if isinstance(value, str):
        found = _MUSICAL.fullmatch(value)
        if value in words or (found and 0 < float(found[1]) <= MAX_BEATS):
            return value
    elif not isinstance(value, bool) and isinstance(value, int | float) and low <= value <= high:
        return float(value)
    allowed = [
        f"a number of seconds from {low:g} to {high:g}", "a text such as 2 beats or 4 bars", *words
    ]  # fmt: skip
    raise ValueError(" or ".join(allowed))


def parsed(duration: str) -> tuple[float, str]:
    """The number and the unit ("beat" or "bar") of a text such as "4 bars"."""
    found = _MUSICAL.fullmatch(duration)
    assert found is not None
    return float(found[1]), found[2]
