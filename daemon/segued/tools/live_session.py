"""A daemon in a process of its own and a client that plays to it through real ports.

`demo`, `bench` and the tests of the live path all rehearse this way: what they see is what a
keyboard and a synth would see.
"""

import os
import re
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

from ..errors import PortError
from ..ports.transport import Transport, open_client

READY = re.compile(r"ready on (?P<where>.+) after (?P<seconds>[\d.]+) s")
SETTLE = 0.1  # seconds after connecting: JACK takes new connections into account a little later
PATIENCE = 20.0  # seconds to wait for a start or a stop

BESIDE = (
    "ports.input=virtual",
    "ports.output=virtual",
    "ports.tcp_port=0",
    "service.metrics_port=0",
)
"""Settings with which it takes nothing from a daemon that already plays."""

Arrived = tuple[float, bytes]


class LiveSession:
    """Starts `python -m MODULE` with `settings`; `play` sends to it and records what comes.

    Without `config`, a file, it begins with the defaults, whatever settings the user has.
    `name` is the daemon's port name. Its board and its control socket are in `runtime`, by default
    a folder of its own, so that it is no second instance of one that plays. Times are
    `time.perf_counter` seconds.
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
        self._settings = [*settings, f"ports.name={name}"]
        self._name, self._config, self._module = name, config, module
        self._environment = dict(environment or {})
        self._temporary = tempfile.TemporaryDirectory(prefix="segue-")
        self.runtime = runtime or Path(self._temporary.name)
        self.log: deque[str] = deque(maxlen=200)
        self.where = ""

    def __enter__(self) -> "LiveSession":
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
        try:
            self._await_ready()
            self.client: Transport = open_client(self.where, self._name)
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
        """Send timed messages (seconds from now), record arrivals until `until` or `seconds`.

        Returns what was sent and what arrived, both with seconds from the beginning of the call.
        `until(now, arrived)` is asked only when all has been sent.
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

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def _await_ready(self) -> None:
        ready = threading.Event()

        def read() -> None:
            assert self.process.stderr is not None
            for line in self.process.stderr:
                self.log.append(line.rstrip())
                found = READY.search(line)
                if found:
                    self.where = found["where"]
                    self.ready_after = time.perf_counter() - self.began
                    ready.set()
            ready.set()

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()
        if not ready.wait(PATIENCE) or not self.where:
            said = self.log[-1] if self.log else "it said nothing"
            raise PortError(f"the daemon did not start: {said}")
