"""The part of a status that the page shows, twice a second, and the lateness as shares. Pure."""

from bisect import bisect_left, bisect_right
from typing import Any

from ..service.diagnosis import answers

EDGES_MS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
"""The upper edges of the histogram's bars. The last bar has no upper edge."""

ON_TIME_MS = (1.0, 3.0, 10.0)
SHOWN = (
    *("name", "version", "state", "running", "uptime_s", "ports", "model", "mode", "rests"),
    *("scheduling", "turns_by", "clock", "counts", "backlog_ids", "step_ms", "late_ms"),
    *("memory_mb", "cpu_s", "last_reload", "errors", "presets", "mapped", "hears"),
)
"""The keys of a status that the page gets."""


def histogram(late: list[float]) -> list[int]:
    """The number of values in each bar, from sorted seconds."""
    ends = [bisect_right(late, edge / 1000) for edge in EDGES_MS]
    return [b - a for a, b in zip([0, *ends], [*ends, len(late)], strict=True)]


def on_time(late: list[float]) -> list[float | None]:
    """The shares 0..1 within each of `ON_TIME_MS`, from sorted seconds; None without values."""
    if not late:
        return [None] * len(ON_TIME_MS)
    return [bisect_right(late, within / 1000) / len(late) for within in ON_TIME_MS]


def health(status: dict[str, Any], late: list[float]) -> dict[str, Any]:
    """The status for the page, with the lateness of the last planned messages.

    `late`: sorted seconds. That no MIDI device is connected is left out of the reasons for silence,
    because the page itself plays and sounds.
    """
    shown = {key: status[key] for key in SHOWN}
    ports = {**status["ports"], "peers_in": None, "peers_out": None}
    shown["why"] = answers({**status, "ports": ports})
    return {
        **shown,
        "edges_ms": EDGES_MS,
        "histogram": histogram(late),
        "on_time": on_time(late),
        "within_ms": ON_TIME_MS,
        "median_bar": bisect_left(EDGES_MS, 1000 * late[len(late) // 2]) if late else None,
    }
