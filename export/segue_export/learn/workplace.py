"""The files of `segued learn` between two runs, and whether somebody plays meanwhile.

The folder `learn` below XDG's data folder (segued.service.learning) holds the current run, the
split of all pieces, and the last judgement.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from segued.errors import DataError
from segued.model.own_models import write_private
from segued.service.runtime_dirs import STATE_SUFFIX, searched
from segued.service.state_reader import Reader, Reading

SIDES = "sides.json"
QUIET = 120.0  # seconds without a note after which nobody plays
READ_EVERY = 2.0  # seconds between two reads of the state files


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file; empty if it does not exist. Raises DataError if it is broken."""
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
    """Write a private JSON file atomically."""
    write_private(path, (json.dumps(value, indent=1) + "\n").encode())


class Listener:
    """Tells whether somebody plays with a daemon on this machine, from readable state files."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._asked, self._answer = float("-inf"), False

    def __call__(self) -> bool:
        """Whether somebody plays. The state files are read at most every `READ_EVERY` seconds."""
        now = self._clock()
        if now - self._asked >= READ_EVERY:
            self._asked = now
            self._answer = any(plays(reading, now) for reading in self._readings())
        return self._answer

    def _readings(self) -> Iterator[Reading]:
        for path in (path for folder in searched() for path in folder.glob(f"*{STATE_SUFFIX}")):
            with suppress(OSError, ValueError):  # not a valid state file, or just being written
                reader = Reader(path)
                try:
                    yield reader.read()
                finally:
                    reader.close()


def plays(reading: Reading, now: float) -> bool:
    """Whether a daemon runs and a note was played within the last `QUIET` seconds."""
    numbers = reading.numbers
    last = max(numbers["last_struck"], numbers["last_played"])
    return reading.running and bool(last) and now - last < QUIET
