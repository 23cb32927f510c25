"""A process beside the daemon, which serves HTTP from the state file: started, watched, ended."""

import subprocess
import sys
from collections.abc import Sequence

from ..system import realtime
from .log import warn

PATIENCE = 2.0  # seconds for its end
ANEW_AFTER = 10.0  # seconds before one that ended is started again


class SideProcess:
    """Runs `python -m COMMAND...`; without a command nothing. `what` it gives, for the log.

    It may end, hang or be flooded: it is started anew, and the music does not notice. `files`:
    descriptors that it has from us.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._command: tuple[str, ...] = ()
        self._files: tuple[int, ...] = ()
        self._next = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._leaving: list[subprocess.Popen[bytes]] = []

    def look(self, now: float) -> None:
        """See that it runs. For the hot loop about once a second: 2 µs; to start it takes 2 ms."""
        if self._leaving:
            self._leaving = [process for process in self._leaving if process.poll() is None]
        if not self._command or now < self._next:
            return
        if self._process is not None and self._process.poll() is None:
            return
        self._next = now + ANEW_AFTER
        self._dismiss()
        try:
            with realtime.set_aside():
                # a session of its own: Ctrl-C in a terminal is meant for the daemon
                self._process = subprocess.Popen(
                    [sys.executable, "-m", *self._command],
                    stdin=subprocess.PIPE,
                    start_new_session=True,
                    pass_fds=self._files,
                )
        except OSError as error:  # no memory, no more processes: no reason to stop the music
            warn(f"no {self._what} now, it is tried again: {error.strerror}")

    def change(self, command: Sequence[str], files: Sequence[int] = ()) -> None:
        """Run another command, or none, from the next look on."""
        if (tuple(command), tuple(files)) != (self._command, self._files):
            self._dismiss()
            self._command, self._files, self._next = tuple(command), tuple(files), 0.0

    def stop(self) -> None:
        """Its end is ours: its standard input closes. Idempotent."""
        self._dismiss()
        for process in self._leaving:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._leaving.clear()

    def _dismiss(self) -> None:
        """It may go; nobody waits for that now."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            self._leaving.append(process)
