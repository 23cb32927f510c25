"""Starts, supervises and ends a process that serves HTTP from the state file."""

import subprocess
import sys
from collections.abc import Sequence

from ..system import realtime
from .log import warn

STOP_TIMEOUT = 2.0  # seconds that a process has to end
RESTART_AFTER = 10.0  # seconds between two starts


class SideProcess:
    """Runs `python -m COMMAND...`, and restarts it when it ends. Without a command nothing runs.

    `what`: what the process serves, for the log. `files`: file descriptors that it inherits.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._command: tuple[str, ...] = ()
        self._files: tuple[int, ...] = ()
        self._next = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._leaving: list[subprocess.Popen[bytes]] = []

    def check(self, now: float) -> None:
        """Start the process unless it runs. For the hot loop: 2 µs, and 2 ms for a start."""
        if self._leaving:
            self._leaving = [process for process in self._leaving if process.poll() is None]
        if not self._command or now < self._next:
            return
        if self._process is not None and self._process.poll() is None:
            return
        self._next = now + RESTART_AFTER
        self._dismiss()
        try:
            with realtime.set_aside():
                # a new session: Ctrl-C in a terminal must reach only the daemon
                self._process = subprocess.Popen(
                    [sys.executable, "-m", *self._command],
                    stdin=subprocess.PIPE,
                    start_new_session=True,
                    pass_fds=self._files,
                )
        except OSError as error:  # no memory or no more processes: the music must go on
            warn(f"cannot start the {self._what} server, trying again: {error.strerror}")

    def change(self, command: Sequence[str], files: Sequence[int] = ()) -> None:
        """Run another command, or none, from the next `check` on."""
        if (tuple(command), tuple(files)) != (self._command, self._files):
            self._dismiss()
            self._command, self._files, self._next = tuple(command), tuple(files), 0.0

    def stop(self) -> None:
        """End the process: close its standard input, then kill it. Idempotent."""
        self._dismiss()
        for process in self._leaving:
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._leaving.clear()

    def _dismiss(self) -> None:
        """Close the process's standard input, so that it ends, without waiting for it."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            self._leaving.append(process)
