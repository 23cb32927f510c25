"""Where learning happens: one at a time, for its owner's eyes, with what the page shows of it.

The folder `learn` below XDG's data folder holds the run that goes on, the sides of all pieces, what
the last judgement found, and `progress.json`.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from segued.errors import BusyError, DataError
from segued.model.own_models import data_folder, write_private
from segued.service.runtime_dirs import STATE_SUFFIX, searched
from segued.service.state_file import Reader, Reading

try:
    import fcntl
except ImportError:  # Windows: there it is up to the user that only one learns
    fcntl = None  # type: ignore[assignment]

LOCK, PROGRESS, SIDES, JUDGED = "lock", "progress.json", "sides.json", "judged.json"
EVERY = 0.5  # seconds between two looks of the page
QUIET = 120.0  # seconds without a note after which nobody plays
ASK_EVERY = 2.0  # seconds between two looks at whether somebody plays


def open_folder() -> Path:
    """The folder, made for its owner alone. DataError without a home folder."""
    data = data_folder()
    if data is None:
        raise DataError("no home folder to keep models in: set XDG_DATA_HOME")
    for folder in (data / "models", data / "learn"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return data / "learn"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While this lasts nobody else learns here; BusyError when somebody does."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                process = os.read(lock, 32).decode(errors="replace").strip() or "?"
                raise BusyError(
                    f"another segued learn is at work (process {process}): wait for it, or stop it "
                    "with Ctrl-C; nothing is lost"
                ) from None
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(lock)


def read_json(path: Path) -> dict[str, Any]:
    """A file of ours; empty where there is none. DataError when it is broken."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DataError(f"{path} is broken ({error}): remove it") from None
    if not isinstance(value, dict):
        raise DataError(f"{path} is broken (no object): remove it")
    return value


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write it whole, for its owner alone."""
    write_private(path, (json.dumps(value, indent=1) + "\n").encode())


class Progress:
    """What the page shows: the stage, how much of it is over, the seconds that are left of it."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = folder / PROGRESS, clock
        self._stage, self._began, self._told = "", 0.0, float("-inf")

    def tell(self, stage: str, share: float = 0.0, line: str = "") -> None:
        """Show this, if the last is not too new."""
        now = self._clock()
        if stage != self._stage:
            self._stage, self._began = stage, now
        elif now - self._told < EVERY:
            return
        self._told = now
        left = (now - self._began) * (1 - share) / share if share else None
        write_json(
            self._path,
            {"process": os.getpid(), "stage": stage, "share": round(share, 4),
             "left_s": None if left is None else round(left), "line": line},
        )  # fmt: skip


def idle() -> None:
    """This process runs when no other wants to."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    elif hasattr(os, "nice"):
        os.nice(19)


class Listener:
    """Whether somebody plays with a daemon on this machine, by the state files that can be read."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._asked, self._answer = float("-inf"), False

    def __call__(self) -> bool:
        """Ask; two looks within ASK_EVERY are one."""
        now = self._clock()
        if now - self._asked >= ASK_EVERY:
            self._asked = now
            self._answer = any(plays(reading, now) for reading in self._readings())
        return self._answer

    def _readings(self) -> Iterator[Reading]:
        for path in (path for folder in searched() for path in folder.glob(f"*{STATE_SUFFIX}")):
            with suppress(OSError, ValueError):  # nobody's, or in the midst of a write
                reader = Reader(path)
                try:
                    yield reader.read()
                finally:
                    reader.close()


def plays(reading: Reading, now: float) -> bool:
    """Whether the daemon of a state file lives, and either player has played of late."""
    numbers = reading.numbers
    last = max(numbers["last_struck"], numbers["last_played"])
    return reading.running and bool(last) and now - last < QUIET
