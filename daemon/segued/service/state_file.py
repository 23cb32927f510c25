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
from pathlib import Path
from typing import Any

from ..errors import PortError
from .event_ring import SIZE as EVENTS_SIZE
from .event_ring import EventRing
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
LONGEST_LINE = 400  # bytes kept of each line


HEAD = struct.Struct("<8sIId")  # magic, process id, 1 after a clean end, start (Unix time)
_NUMBERS = struct.Struct(f"<{len(NUMBERS)}d")
_SUM = struct.Struct("<II")  # checksum, length
LEDGER_AT = 64
NUMBERS_AT = (LEDGER_AT + LEDGER_SIZE + 63) & ~63
TEXT_AT = (NUMBERS_AT + _SUM.size + _NUMBERS.size + 63) & ~63
RINGS_AT = TEXT_AT + _SUM.size + TEXT_SIZE
RINGS = ("lateness", "step")
EVENTS_AT = RINGS_AT + len(RINGS) * 8 * RING
SIZE = EVENTS_AT + EVENTS_SIZE

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
        magic, process, closed, _ = HEAD.unpack_from(self._map)
        known = magic == MAGIC
        self.crashed = bool(known and process and not closed)
        before: Facts = (read_text(self._map) or {}) if known else {}
        if not known:
            self._memory[:] = bytes(SIZE)
        self.ledger = Ledger(self._memory[LEDGER_AT : LEDGER_AT + LEDGER_SIZE])
        self.failures = _failures(self._map, before, self.crashed) if known else 0
        self.facts: Facts = {
            "errors": before.get("errors", [])[-ERRORS:],
            "failures": self.failures,
        }
        self.lateness, self.steps = (
            Percentiles(RING, self._memory[start : start + 8 * RING].cast("d"))
            for start in range(RINGS_AT, EVENTS_AT, 8 * RING)
        )
        self.events = EventRing(self._memory[EVENTS_AT:SIZE])
        HEAD.pack_into(self._map, 0, MAGIC, os.getpid(), 0, time.time())
        self.write([0.0] * len(NUMBERS))
        self.tell()

    def write(self, numbers: list[float]) -> None:
        """Publish these values of `NUMBERS`. For the hot loop: 3 µs."""
        packed = _NUMBERS.pack(*numbers)
        at = NUMBERS_AT + _SUM.size
        self._map[at : at + len(packed)] = packed
        _SUM.pack_into(self._map, NUMBERS_AT, zlib.crc32(packed), len(packed))

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
            at = TEXT_AT + _SUM.size
            self._map[at : at + len(packed)] = packed
            _SUM.pack_into(self._map, TEXT_AT, zlib.crc32(packed), len(packed))

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
        HEAD.pack_into(self._map, 0, MAGIC, os.getpid(), 1, time.time())
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
        process = HEAD.unpack(os.read(file, HEAD.size).ljust(HEAD.size, b"\0"))[1]
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
    values = read_numbers(memory) or [0.0] * len(NUMBERS)
    shown = {number.name: value for number, value in zip(NUMBERS, values, strict=True)}
    lived = shown["clock"] - shown["started"] if shown["started"] else 0.0
    return 1 + (before.get("failures", 0) if lived < SOON else 0)


def read_numbers(memory: mmap.mmap) -> tuple[float, ...] | None:
    """The values of `NUMBERS`; None while they are written."""
    check, length = _SUM.unpack_from(memory, NUMBERS_AT)
    at = NUMBERS_AT + _SUM.size
    packed = memory[at : at + _NUMBERS.size]
    if length != len(packed) or zlib.crc32(packed) != check:
        return None
    return _NUMBERS.unpack(packed)


def read_text(memory: mmap.mmap) -> Facts | None:
    """The facts; None while they are written."""
    check, length = _SUM.unpack_from(memory, TEXT_AT)
    at = TEXT_AT + _SUM.size
    packed = memory[at : at + min(length, TEXT_SIZE)]
    if not length or length != len(packed) or zlib.crc32(packed) != check:
        return None
    facts = json.loads(packed)
    return facts if isinstance(facts, dict) else None
