"""Starts and ends the process that shows the values of knobs on controllers (`feedback`).

The process reads the mapped controls from the state file. Without feedback none are written.
"""

import json
from pathlib import Path
from typing import Any

from ..control.mapping import Mapped
from .side_process import SideProcess
from .state_file import StateFile

MODULE = "segued.service.feedback"
ROOM = 8000  # bytes of all controls as JSON


class FeedbackProcess:
    """Runs the process as the settings say. `path` is that of the state file."""

    def __init__(self, state_file: StateFile, path: Path) -> None:
        self._state_file, self._path = state_file, str(path)
        self._process = SideProcess("feedback to controllers")
        self._port: str | None = None
        self._backend = ""
        self._published: tuple[Mapped, ...] | None = None

    def change(self, port: str | None) -> None:
        """Show values on this port. None: on no port."""
        if port != self._port:
            self._port, self._published = port, None
            self._run()

    def connected(self, backend: str) -> None:
        """Use the MIDI system on which the daemon has opened its ports."""
        self._backend = backend
        self._run()

    def check(self, now: float, mapped: tuple[Mapped, ...]) -> None:
        """Start the process unless it runs, and publish the controls if they have changed.

        It takes 2 µs, or 0.2 ms after a change: short enough for the main loop.
        """
        self._process.check(now)
        if self._port is not None and mapped is not self._published:
            self._published = mapped
            self._state_file.tell(controls=_written(mapped))

    def stop(self) -> None:
        """End the process. Idempotent."""
        self._process.stop()

    def _run(self) -> None:
        runs = self._port is not None and self._backend
        command = (MODULE, self._path, self._backend, self._port or "") if runs else ()
        self._process.change(command)


def _written(mapped: tuple[Mapped, ...]) -> list[dict[str, Any]]:
    """The mappings as in the settings, as many as fit in `ROOM`."""
    listed: list[dict[str, Any]] = []
    room = ROOM
    for one in mapped:
        written = dict(one.written)
        room -= len(json.dumps(written))
        if room < 0:
            break
        listed.append(written)
    return listed
