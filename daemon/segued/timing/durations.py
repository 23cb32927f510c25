"""Lengths of time as a musician gives them: seconds, or beats and bars such as "4 bars"."""

import re
from typing import Any

from .clock import Clock

Duration = float | str
"""Seconds, or a text such as "2 beats" or "4 bars"."""

MOST = 1024  # beats or bars
_MUSICAL = re.compile(r"(\d+(?:\.\d+)?) (beat|bar)s?")


def checked(value: Any, low: float, high: float, words: tuple[str, ...] = ()) -> Duration:
    """The span that a setting means; ValueError tells what is allowed.

    `low` and `high` bound the seconds; `words` are allowed too.
    """
    if isinstance(value, str):
        found = _MUSICAL.fullmatch(value)
        if value in words or (found and 0 < float(found[1]) <= MOST):
            return value
    elif not isinstance(value, bool) and isinstance(value, int | float) and low <= value <= high:
        return float(value)
    allowed = [f"a number of seconds from {low:g} to {high:g}", "such as 2 beats or 4 bars", *words]
    raise ValueError(" or ".join(allowed))


def seconds_of(span: Duration, clock: Clock, begin: float) -> float:
    """How long a span lasts that begins at a time."""
    if not isinstance(span, str):
        return span
    found = _MUSICAL.fullmatch(span)
    assert found is not None
    beats = float(found[1]) * (clock.beats_per_bar if found[2] == "bar" else 1)
    return clock.time_of(clock.beat_at(begin) + beats) - begin
