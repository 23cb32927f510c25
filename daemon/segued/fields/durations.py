"""Lengths of time as a musician gives them: seconds, or beats and bars such as "4 bars"."""

import re
from typing import Any

Duration = float | str
"""Seconds, or a text such as "2 beats" or "4 bars"."""

MAX_BEATS = 1024  # beats or bars
_MUSICAL = re.compile(r"(\d+(?:\.\d+)?) (beat|bar)s?")


def checked(value: Any, low: float, high: float, words: tuple[str, ...] = ()) -> Duration:
    """The duration that a setting means; ValueError tells what is allowed.

    `low` and `high` bound the seconds; `words` are allowed too.
    """
    if isinstance(value, str):
        found = _MUSICAL.fullmatch(value)
        if value in words or (found and 0 < float(found[1]) <= MAX_BEATS):
            return value
    elif not isinstance(value, bool) and isinstance(value, int | float) and low <= value <= high:
        return float(value)
    allowed = [f"a number of seconds from {low:g} to {high:g}", "such as 2 beats or 4 bars", *words]
    raise ValueError(" or ".join(allowed))


def parsed(duration: str) -> tuple[float, str]:
    """How many of which unit ("beat" or "bar") a text means."""
    found = _MUSICAL.fullmatch(duration)
    assert found is not None
    return float(found[1]), found[2]
