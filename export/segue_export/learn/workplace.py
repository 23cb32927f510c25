"""What learning keeps between two runs, and whom it must not disturb.

The folder `learn` below XDG's data folder (segued.service.learning) holds the run that goes on, the
sides of all pieces, and what the last judgement found.
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
from segued.service.state_file import Reader, Reading

SIDES, JUDGED = "sides.json", "judged.json"
QUIET = 120.0  # seconds without a note after which nobody plays
ASK_EVERY = 2.0  # seconds between two looks at whether somebody plays


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
