"""Converts durations to seconds."""

from ..fields.durations import Duration, parsed
from .clock import Clock


def seconds_of(duration: Duration, clock: Clock, begin: float) -> float:
    """The length in seconds of a duration that starts at the time `begin`."""
    if not isinstance(duration, str):
        return duration
    count, unit = parsed(duration)
    beats = count * (clock.beats_per_bar if unit == "bar" else 1)
    return clock.time_of(clock.beat_at(begin) + beats) - begin
