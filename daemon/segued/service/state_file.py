"""The state file: a small memory-mapped file in which a running daemon publishes its state.

The hot loop writes numbers to it a few times a second and keeps its ledger of notes and its last
measurements in it. Readers map the same file, so they cost the daemon nothing. After a `kill -9`
the file tells the next start which notes hang.

Layout: a head; the ledger; numbers and text, each with a checksum (a reader that meets a write
reads again); rings of measurements; the ring of events.
"""

import contextlib
import json
import mmap
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import PortError
from .event_ring import SIZE as EVENTS_SIZE
from .event_ring import EventReader, EventRing
from .ledger import SIZE as LEDGER_SIZE
from .ledger import Ledger
from .state_numbers import NUMBERS
from .statistics import Percentiles

try:
    import fcntl
except ImportError:  # Windows: no lock, so only the ports keep two daemons of one name apart
    fcntl = None  # type: ignore[assignment]

MAGIC = b"segue 4\0"  # changes with the layout
TEXT_SIZE = 32768
RING = 2048  # measurements kept
ERRORS = 8  # lines of the log kept
BROKEN = "broken"  # the state of a daemon that ended because of a bug
SOON = 60.0  # seconds; a failure later than this after the start begins a new count
LOCK_TRIES, LOCK_PAUSE = 50, 0.01  # attempts to lock the file, and seconds between them
STALE = 10.0  # without locks: seconds without a new `clock` that mean the daemon is dead
LONGEST_LINE = 400  # bytes kept of each line


_HEAD = struct.Struct("<8sIId")  # magic, process id, 1 after a clean end, start (Unix time)
_NUMBERS = struct.Struct(f"<{len(NUMBERS)}d")
_SUM = struct.Struct("<II")  # checksum, length
_LEDGER_AT = 64
_NUMBERS_AT = (_LEDGER_AT + LEDGER_SIZE + 63) & ~63
_TEXT_AT = (_NUMBERS_AT + _SUM.size + _NUMBERS.size + 63) & ~63
_RINGS_AT = _TEXT_AT + _SUM.size + TEXT_SIZE
RINGS = ("lateness", "step")
_EVENTS_AT = _RINGS_AT + len(RINGS) * 8 * RING
SIZE = _EVENTS_AT + EVENTS_SIZE

Facts = dict[str, Any]


class StateFile:
    """The daemon's own state file, locked while the daemon runs. Without `path`: only in memory.

    `ledger` and `facts["errors"]` hold what the previous daemon of this name left. `crashed`:
    whether that one crashed. `failures`: how many daemons in a row ended by a crash or a bug within
    a minute of their start. Raises PortError when a daemon of this name is running, OSError when
    the file cannot be made.
    """

    def __init__(self, path: Path | None = None, name: str = "") -> None:
        self._file = -1
        self._text_lock = threading.RLock()
        if path is None:
            self._map = mmap.mmap(-1, SIZE)
        else:
            self._file = _open(path, name)
            self._map = mmap.mmap(self._file, SIZE)
        self._memory = memoryview(self._map)
        magic, process, closed, _ = _HEAD.unpack_from(self._map)
        known = magic == MAGIC
        self.crashed = bool(known and process and not closed)
        before: Facts = (_text(self._map) or {}) if known else {}
        if not known:
            self._memory[:] = bytes(SIZE)
        self.ledger = Ledger(self._memory[_LEDGER_AT : _LEDGER_AT + LEDGER_SIZE])
        self.failures = _failures(self._map, before, self.crashed) if known else 0
        self.facts: Facts = {
            "errors": before.get("errors", [])[-ERRORS:],
            "failures": self.failures,
        }
        self.lateness, self.steps = (
            Percentiles(RING, self._memory[start : start + 8 * RING].cast("d"))
            for start in range(_RINGS_AT, _EVENTS_AT, 8 * RING)
        )
        self.events = EventRing(self._memory[_EVENTS_AT:SIZE])
        _HEAD.pack_into(self._map, 0, MAGIC, os.getpid(), 0, time.time())
        self.write([0.0] * len(NUMBERS))
        self.tell()

    def write(self, numbers: list[float]) -> None:
        """Publish these values of `NUMBERS`. For the hot loop: 3 µs."""
        packed = _NUMBERS.pack(*numbers)
        at = _NUMBERS_AT + _SUM.size
        self._map[at : at + len(packed)] = packed
        _SUM.pack_into(self._map, _NUMBERS_AT, zlib.crc32(packed), len(packed))

    def tell(self, **facts: Any) -> None:
        """Add these facts or replace them. Not for the hot path: 0.1 ms.

        Raises ValueError when all facts together are more than `TEXT_SIZE` bytes of JSON.
        """
        with self._text_lock:  # several threads log
            merged = {**self.facts, **facts}
            packed = json.dumps(merged).encode()
            if len(packed) > TEXT_SIZE:
                raise ValueError(
                    f"the state file holds {TEXT_SIZE} bytes of text, not {len(packed)}"
                )
            self.facts = merged
            at = _TEXT_AT + _SUM.size
            self._map[at : at + len(packed)] = packed
            _SUM.pack_into(self._map, _TEXT_AT, zlib.crc32(packed), len(packed))

    def error(self, priority: int, line: str) -> None:
        """Keep a line of the log, with the present time (Unix)."""
        kept = line.encode()[:LONGEST_LINE].decode(errors="ignore")
        with self._text_lock:
            errors = [*self.facts["errors"], [time.time(), priority, kept]]
            self.tell(errors=errors[-ERRORS:])

    def close(self) -> None:
        """Write that the daemon ended cleanly and nothing sounds; close the file. Idempotent."""
        if self._map.closed:
            return
        self.ledger.clear()
        _HEAD.pack_into(self._map, 0, MAGIC, os.getpid(), 1, time.time())
        self.release()

    def release(self) -> None:
        """Close the file as it is, which also unlocks it. Idempotent."""
        if self._map.closed:
            return
        self.ledger = Ledger(memoryview(bytearray(LEDGER_SIZE)))
        self.lateness.release()
        self.steps.release()
        self.events.release()
        with contextlib.suppress(BufferError):  # a view of a part of it still exists
            self._memory.release()
            self._map.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


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
        _, process, closed, began = _HEAD.unpack_from(self._map)
        values = _whole(lambda: _numbers(self._map))
        facts: Facts = _whole(lambda: _text(self._map))
        numbers = {number.name: value for number, value in zip(NUMBERS, values, strict=True)}
        counts = (numbers["planned"], numbers["steps"])
        rings = {}
        for index, (name, count) in enumerate(zip(RINGS, counts, strict=True)):
            start = _RINGS_AT + index * 8 * RING
            kept = min(RING, int(count))
            rings[name] = sorted(struct.unpack_from(f"<{kept}d", self._map, start))
        ledger = Ledger(memoryview(self._map[_LEDGER_AT : _LEDGER_AT + LEDGER_SIZE]))
        running = not closed and self._lives(numbers["clock"])
        return Reading(process, running, began, numbers, facts, rings, ledger)

    def events(self) -> EventReader:
        """A reader of the events from now on, valid until `close`."""
        if self._events is None:
            self._events = memoryview(self._map)[_EVENTS_AT:SIZE]
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


def _open(path: Path, name: str) -> int:
    """Open the file, make it if necessary, and lock it for this process.

    Raises PortError when another daemon has it, OSError when it cannot be made.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    file = os.open(path, flags, 0o600)
    try:
        if fcntl is not None:
            _lock(file)
        if os.fstat(file).st_size != SIZE:
            os.truncate(file, 0)
            os.truncate(file, SIZE)
        if hasattr(os, "posix_fallocate"):  # a full disk would be a SIGBUS when a hole is written
            os.posix_fallocate(file, 0, SIZE)
    except BlockingIOError:
        process = _HEAD.unpack(os.read(file, _HEAD.size).ljust(_HEAD.size, b"\0"))[1]
        os.close(file)
        raise PortError(
            f"another segued (process {process}) is running as '{name}': give this one another "
            "ports.name, or stop that one"
        ) from None
    except BaseException:
        os.close(file)
        raise
    return file


def _lock(file: int) -> None:
    """Lock the file for this process; BlockingIOError when a daemon has it.

    Readers hold the lock for microseconds when they check whether a daemon runs, hence the retries.
    """
    for _ in range(LOCK_TRIES - 1):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(LOCK_PAUSE)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _failures(memory: mmap.mmap, before: Facts, crashed: bool) -> int:
    """How many daemons in a row have failed within `SOON` after their start."""
    if not crashed and before.get("state") != BROKEN:
        return 0
    values = _numbers(memory) or [0.0] * len(NUMBERS)
    shown = {number.name: value for number, value in zip(NUMBERS, values, strict=True)}
    lived = shown["clock"] - shown["started"] if shown["started"] else 0.0
    return 1 + (before.get("failures", 0) if lived < SOON else 0)


def _numbers(memory: mmap.mmap) -> tuple[float, ...] | None:
    check, length = _SUM.unpack_from(memory, _NUMBERS_AT)
    at = _NUMBERS_AT + _SUM.size
    packed = memory[at : at + _NUMBERS.size]
    if length != len(packed) or zlib.crc32(packed) != check:
        return None
    return _NUMBERS.unpack(packed)


def _text(memory: mmap.mmap) -> Facts | None:
    check, length = _SUM.unpack_from(memory, _TEXT_AT)
    at = _TEXT_AT + _SUM.size
    packed = memory[at : at + min(length, TEXT_SIZE)]
    if not length or length != len(packed) or zlib.crc32(packed) != check:
        return None
    facts = json.loads(packed)
    return facts if isinstance(facts, dict) else None


def _whole(read: Callable[[], Any]) -> Any:
    """The result of `read` once it meets no write. ValueError: a killed daemon left half of one."""
    for _ in range(100):
        value = read()
        if value is not None:
            return value
        time.sleep(0.0005)
    raise ValueError("its last write is incomplete (the daemon was killed)")
