"""Timing and diagnosis, which the page gets twice a second. Pure."""

from bisect import bisect_left, bisect_right
from typing import Any

from ..service.diagnosis import answers

EDGES_MS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
"""The edges of the histogram's bars; the last bar has everything later."""

ON_TIME_MS = (1.0, 3.0, 10.0)
SHOWN = (
    *("name", "version", "state", "running", "uptime_s", "ports", "model", "mode", "rests"),
    *("scheduling", "turns_by", "clock", "counts", "backlog_ids", "step_ms", "late_ms"),
    *("memory_mb", "last_reload", "errors", "presets"),
)
"""The parts of a status that the page gets."""


def histogram(late: list[float]) -> list[int]:
    """The histogram of sorted seconds."""
    ends = [bisect_right(late, edge / 1000) for edge in EDGES_MS]
    return [b - a for a, b in zip([0, *ends], [*ends, len(late)], strict=True)]


def on_time(late: list[float]) -> list[float | None]:
    """The share of sorted seconds within each of `ON_TIME_MS`."""
    if not late:
        return [None] * len(ON_TIME_MS)
    return [bisect_right(late, within / 1000) / len(late) for within in ON_TIME_MS]


def health(status: dict[str, Any], late: list[float]) -> dict[str, Any]:
    """What the page shows of a status and the lateness of what was sent last.

    A page can play and be heard, so that nothing is connected is no reason for silence.
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
