"""How long beats and bars last."""

from ..fields.durations import Duration, parsed
from .clock import Clock


def seconds_of(duration: Duration, clock: Clock, begin: float) -> float:
    """How long a duration lasts that begins at a time."""
    if not isinstance(duration, str):
        return duration
    count, unit = parsed(duration)
    beats = count * (clock.beats_per_bar if unit == "bar" else 1)
    return clock.time_of(clock.beat_at(begin) + beats) - begin
