"""Runs a daemon in a separate process, with a client that plays to it through real ports.

`demo`, `bench` and the live tests use it: they see what a keyboard and a synth would see.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import PortError
from ..ports.transport import Transport, open_client
from ..service import runtime_dirs
from ..service.connections import State
from ..service.status import about

SETTLE = 0.1  # seconds after connecting: JACK takes new connections into account a little later
PATIENCE = 20.0  # seconds to wait for a start or a stop
POLL_EVERY = 0.005  # seconds

BESIDE = (
    "ports.input=virtual",
    "ports.output=virtual",
    "ports.tcp_port=0",
    "service.metrics_port=0",
    "page.port=null",
)
"""Settings that do not interfere with a daemon that is already running."""

Arrived = tuple[float, bytes]


class LiveSession:
    """Starts `python -m MODULE` with `settings`; `play` sends messages and records the output.

    It serves no page unless `settings` say so. `config` is a settings file; without it the defaults
    are used, not the user's settings. `name` is the daemon's port name. Its state file is in
    `runtime`, by default a new folder, so that it does not conflict with a running daemon. `where`
    is its transport's name. Times are `time.perf_counter` seconds.
    """

    def __init__(
        self,
        settings: Sequence[str] = (),
        name: str = "Segue",
        config: Path | None = None,
        module: Sequence[str] = ("segued", "run"),
        runtime: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = ["page.port=null", *settings, f"ports.name={name}"]
        self._name, self._config, self._module = name, config, module
        self._environment = dict(environment or {})
        self._temporary = tempfile.TemporaryDirectory(prefix="segue-")
        self.runtime = runtime or Path(self._temporary.name)
        self.log: deque[str] = deque(maxlen=200)
        self.where = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", *self._module]
        command += ["--config", str(self._config or os.devnull)]
        for setting in self._settings:
            command += ["--set", setting]
        root = str(Path(__file__).parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                "RUNTIME_DIRECTORY": str(self.runtime),
                **self._environment,
            },
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        try:
            self._await_ports()
            self.client = self.connect()
            time.sleep(SETTLE)
        except BaseException:
            self.process.kill()
            self.process.wait()
            self._temporary.cleanup()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(PATIENCE)
        if self.process.stderr is not None:
            self.process.stderr.close()
        self._temporary.cleanup()

    def play(
        self,
        performance: Sequence[tuple[float, bytes]] = (),
        until: Callable[[float, list[Arrived]], bool] = lambda now, arrived: False,
        seconds: float = 60.0,
    ) -> tuple[list[Arrived], list[Arrived]]:
        """Send timed messages (seconds from now), and record arrivals until `until` or `seconds`.

        Returns the sent and the received messages, with seconds since the beginning of the call.
        `until(now, arrived)` is called only after all messages were sent.
        """
        start = time.perf_counter()
        waiting = deque(performance)
        sent: list[Arrived] = []
        arrived: list[Arrived] = []
        while True:
            now = time.perf_counter() - start
            while waiting and waiting[0][0] <= now:
                message = waiting.popleft()[1]
                self.client.send(message)
                sent.append((time.perf_counter() - start, message))
            while (message_in := self.client.receive()) is not None:
                arrived.append((time.perf_counter() - start, message_in))
            now = time.perf_counter() - start
            if (not waiting and until(now, arrived)) or now > seconds:
                return sent, arrived
            pause = min(0.02, max(0.0, waiting[0][0] - now)) if waiting else 0.02
            self.client.wait(pause)

    def connect(self) -> Transport:
        """Open another client of the daemon."""
        return open_client(self._backend, self._input, self._name)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip())

    def _await_ports(self) -> None:
        """Wait until its state file says that its ports are open, and read their names."""
        deadline = time.perf_counter() + PATIENCE
        while time.perf_counter() < deadline and self.process.poll() is None:
            ports = self._ports()
            if ports:
                self.ready_after = time.perf_counter() - self.began
                self.where, self._backend, self._input = (
                    ports["transport"], ports["backend"], ports["input"],
                )  # fmt: skip
                return
            time.sleep(POLL_EVERY)
        if self.process.poll() is not None:
            self._reader.join(PATIENCE)
        last = self.log[-1] if self.log else "it logged nothing"
        raise PortError(f"the daemon did not start: {last}")

    def _ports(self) -> dict[str, Any] | None:
        """The ports in its status, once they are open."""
        try:
            status = about(
                self.runtime / (runtime_dirs.stem(self._name) + runtime_dirs.STATE_SUFFIX)
            )
        except PortError:  # no such file yet
            return None
        own = status["process"] == self.process.pid  # not that of a daemon killed before
        ports: dict[str, Any] = status["ports"]
        return ports if own and status["state"] == State.CONNECTED.value else None
