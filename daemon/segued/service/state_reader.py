"""Reads the state file of a running daemon, or what a daemon has left there."""

import mmap
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from .event_ring import EventReader
from .ledger import SIZE as LEDGER_SIZE
from .ledger import Ledger
from .state_file import (
    EVENTS_AT,
    HEAD,
    LEDGER_AT,
    MAGIC,
    RING,
    RINGS,
    RINGS_AT,
    SIZE,
    Facts,
    read_numbers,
    read_text,
)  # fmt: skip
from .state_numbers import NUMBERS

try:
    import fcntl
except ImportError:  # Windows: no locks
    fcntl = None  # type: ignore[assignment]

STALE = 10.0  # without locks: seconds without a new `clock` that mean the daemon is dead


class Reading(NamedTuple):
    """The content of a state file. `running`: whether its daemon runs. `rings`: sorted seconds."""

    process: int
    running: bool
    began: float
    numbers: dict[str, float]
    facts: Facts
    rings: dict[str, list[float]]
    ledger: Ledger


class Reader:
    """Reads a daemon's state file. Raises OSError when there is none, ValueError when it is not one
    of this version."""

    def __init__(self, path: Path) -> None:
        self._events: memoryview | None = None
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            if os.fstat(self._file).st_size != SIZE:
                raise ValueError(f"{path}: not a state file of this version of Segue")
            self._map = mmap.mmap(self._file, SIZE, access=mmap.ACCESS_READ)
            if self._map[: len(MAGIC)] != MAGIC:
                self._map.close()
                raise ValueError(f"{path}: not a state file of this version of Segue")
        except BaseException:
            os.close(self._file)
            raise

    def read(self) -> Reading:
        """The present content. Raises ValueError when a write was left incomplete."""
        _, process, closed, began = HEAD.unpack_from(self._map)
        values = _whole(lambda: read_numbers(self._map))
        facts: Facts = _whole(lambda: read_text(self._map))
        numbers = {number.name: value for number, value in zip(NUMBERS, values, strict=True)}
        counts = (numbers["planned"], numbers["steps"])
        rings = {}
        for index, (name, count) in enumerate(zip(RINGS, counts, strict=True)):
            start = RINGS_AT + index * 8 * RING
            kept = min(RING, int(count))
            rings[name] = sorted(struct.unpack_from(f"<{kept}d", self._map, start))
        ledger = Ledger(memoryview(self._map[LEDGER_AT : LEDGER_AT + LEDGER_SIZE]))
        running = not closed and self._lives(numbers["clock"])
        return Reading(process, running, began, numbers, facts, rings, ledger)

    def events(self) -> EventReader:
        """A reader of the events from now on, valid until `close`."""
        if self._events is None:
            self._events = memoryview(self._map)[EVENTS_AT:SIZE]
        return EventReader(self._events)

    def _lives(self, clock: float) -> bool:
        """Whether the daemon holds its lock; without locks: whether its clock advances."""
        if fcntl is None:
            return time.perf_counter() - clock < STALE
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return False

    def close(self) -> None:
        """Idempotent."""
        if not self._map.closed:
            if self._events is not None:
                self._events.release()
            self._map.close()
            os.close(self._file)


def _whole(read: Callable[[], Any]) -> Any:
    """The result of `read` once it meets no write. ValueError: a killed daemon left half of one."""
    for _ in range(100):
        value = read()
        if value is not None:
            return value
        time.sleep(0.0005)
    raise ValueError("its last write is incomplete (the daemon was killed)")
