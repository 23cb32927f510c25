"""The folder of `segued learn`: one process learns at a time, and its progress is read by the page.

The folder `learn` below XDG's data folder. Only its owner may read it.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from ..errors import BusyError, DataError
from ..model.own_models import data_folder, write_private

try:
    import fcntl
except ImportError:  # Windows: there it is up to the user that only one learns
    fcntl = None  # type: ignore[assignment]

LOCK, PROGRESS = "lock", "progress.json"
JUDGED = "judged.json"  # the last judgement, by `segue-export learn`
EVERY = 0.5  # seconds between two writes of the progress
DONE, FAILED, STOPPED = "done", "failed", "stopped"
OVER = (DONE, FAILED, STOPPED)
"""The stages in which nothing goes on."""
AGAIN = "stopped; run the same command again to continue"


def learn_folder() -> Path | None:
    """The folder, which need not exist; None without a home folder."""
    data = data_folder()
    return None if data is None else data / "learn"


def open_folder() -> Path:
    """The folder, made for its owner alone. Raises DataError without a home folder."""
    folder = learn_folder()
    if folder is None:
        raise DataError("no home folder to keep models in: set XDG_DATA_HOME")
    for each in (folder.parent / "models", folder):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While this lasts no other process learns. Raises BusyError when one does."""
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


def learner(folder: Path) -> int | None:
    """The id of the process that learns, by its progress and its lock; None: there is none.

    The lock is looked at only while progress names a living process, so that a look never gets in
    the way of one that begins.
    """
    told = progress_of(folder)
    process = told.get("process")
    if fcntl is None or not isinstance(process, int) or told.get("stage") in OVER:
        return None
    try:
        os.kill(process, 0)
        lock = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return process
    finally:
        os.close(lock)
    return None


def progress_of(folder: Path) -> dict[str, Any]:
    """What `Progress` wrote last; empty when there is nothing or it cannot be read."""
    try:
        told = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


class Progress:
    """What the page shows: the stage, the share of it that is over, the seconds that are left."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = folder / PROGRESS, clock
        self._stage, self._began, self._told = "", 0.0, float("-inf")

    def tell(self, stage: str, share: float = 0.0, line: str = "", verdict: str = "") -> None:
        """Write this, unless the same stage was written just now. Raises OSError.

        `line`: how it ended. `verdict`: the judgement in plain words.
        """
        now = self._clock()
        if stage != self._stage:
            self._stage, self._began = stage, now
        elif now - self._told < EVERY:
            return
        self._told = now
        left = (now - self._began) * (1 - share) / share if share else None
        told = {"process": os.getpid(), "stage": stage, "share": round(share, 4),
                "left_s": None if left is None else round(left), "line": line,
                "verdict": verdict}  # fmt: skip
        write_private(self._path, (json.dumps(told, indent=1) + "\n").encode())


@contextmanager
def telling(folder: Path) -> Iterator[Progress]:
    """Learn alone, and tell how it ends: also after an error, Ctrl-C or SIGTERM.

    SIGTERM raises SystemExit meanwhile, as SIGINT raises KeyboardInterrupt. Raises BusyError.
    """

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    with alone(folder):
        progress = Progress(folder)
        before = signal.signal(signal.SIGTERM, end)
        try:
            yield progress
        except Exception as error:
            with suppress(OSError):  # of a full disk, for example: `error` says so
                progress.tell(FAILED, line=_line_of(error))
            raise
        except (KeyboardInterrupt, SystemExit):
            progress.tell(STOPPED, line=AGAIN)
            raise
        finally:
            signal.signal(signal.SIGTERM, before)


def _line_of(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    return str(error)
