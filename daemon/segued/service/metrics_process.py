"""The process beside the daemon that serves HTTP, `status_server`: started, watched."""

import subprocess
import sys
from pathlib import Path

from ..system import realtime
from .log import warn

PATIENCE = 2.0  # seconds for its end
ANEW_AFTER = 10.0  # seconds before one that ended is started again


class MetricsProcess:
    """Serves what `board` shows on a port of the loopback; without a port (0) nothing runs."""

    def __init__(self, board: Path, metrics_port: int) -> None:
        self._board, self._port = board, metrics_port
        self._next = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._leaving: list[subprocess.Popen[bytes]] = []

    def look(self, now: float) -> None:
        """See that it runs. For the hot loop about once a second: 2 µs; to start it takes 2 ms."""
        if self._leaving:
            self._leaving = [process for process in self._leaving if process.poll() is None]
        if not self._port or now < self._next:
            return
        if self._process is not None and self._process.poll() is None:
            return
        self._next = now + ANEW_AFTER
        self._dismiss()
        module = ["-m", "segued.service.metrics_server"]
        command = [sys.executable, *module, str(self._board), str(self._port)]
        try:
            with realtime.set_aside():
                # a session of its own: Ctrl-C in a terminal is meant for the daemon
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, start_new_session=True
                )
        except OSError as error:  # no memory, no more processes: no reason to stop the music
            warn(f"no metrics now, it is tried again: {error.strerror}")

    def change_port(self, metrics_port: int) -> None:
        """Serve elsewhere, from the next look on."""
        if metrics_port != self._port:
            self._dismiss()
            self._port, self._next = metrics_port, 0.0

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
