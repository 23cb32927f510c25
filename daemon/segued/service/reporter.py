"""All that the daemon shows of itself while it runs: its state file, what the service manager
hears, and the process beside it that serves HTTP."""

import os
import time

from .. import __version__
from ..model.loading import model_path
from ..ports.transport import Transport
from ..settings.config import Config
from . import log, runtime_dirs
from .connections import Connections, State
from .engine import Engine
from .log import warn
from .metrics_process import MetricsProcess
from .sd_notify import Notifier
from .setup import Setup
from .state_file import BROKEN, StateFile
from .state_snapshot import Snapshot

LONGEST_FACT = 200  # characters of a text that a file gives
LONGEST_REASON = 2000  # characters of the line that says why there are no ports: it lists all names


class Reporter:
    """`board` and `notifier` are for who has more to tell. PortError: a daemon of that name runs.

    Where there can be no state file that others see, there is one that they do not, and no HTTP.
    """

    def __init__(self, config: Config) -> None:
        self.notifier = Notifier()
        self.snapshot = Snapshot()
        self._attendant: MetricsProcess | None = None
        self._texts = ("", "")
        self.board = self._open(config)
        log.watch(self.board.error)

    def ready(self, engine: Engine) -> None:
        """It can be asked and reloaded; or it goes on with new settings."""
        self.snapshot.started = self.snapshot.started or time.perf_counter()
        self.look(engine, engine.now())
        self.notifier.ready(self._texts[0])

    def look(self, engine: Engine, now: float) -> None:
        """Show how it is. For the hot loop, four times a second: 20 µs."""
        self.board.write(self.snapshot.take(engine, now))
        self.notifier.alive(self._texts[engine.player.replying])
        if self._attendant is not None:
            self._attendant.look(now)

    def broken(self) -> None:
        """It ends by an error of its own."""
        self.board.tell(state=BROKEN)

    def setup(self, setup: Setup, scheduling: str) -> None:
        """What plays."""
        config, model = setup.config, setup.model
        self.board.tell(
            name=config.ports.name,
            version=__version__,
            seed=setup.seed,
            scheduling=scheduling,
            turns_by=config.turns.by,
            model={
                "path": str(model_path(config, model.device))[-LONGEST_FACT:],
                "precision": str(model.info["precision"])[:LONGEST_FACT],
                "vocabulary": str(model.info["vocabulary"])[:LONGEST_FACT],
                "device": model.device,
            },
        )

    def connected(self, transport: Transport) -> None:
        """Where it plays."""
        self._texts = (f"listening on {transport.name}", f"playing on {transport.name}")
        self.notifier.patience(0.0)
        self.board.tell(
            state=State.CONNECTED.value,
            missing="",
            backend=transport.backend,
            transport=transport.name,
            input=transport.input_name,
            output=transport.output_name,
        )

    def waiting(self, connections: Connections) -> None:
        """It has no ports, and why. Those that were lost stay named until others are wanted."""
        state, missing = connections.state, connections.missing[:LONGEST_REASON]
        text = f"{state.value}: {missing}" if missing else state.value
        if text == self._texts[0]:
            return
        self._texts = (text, text)
        gone = {} if state is State.LOST else dict.fromkeys(_PORTS, "")
        self.board.tell(state=state.value, missing=missing, **gone)

    def change(self, config: Config) -> None:
        """The settings are others."""
        if self._attendant is not None:
            self._attendant.change_port(config.service.metrics_port)

    def close(self) -> None:
        """It ends. What still sounds by the account stays there for the next start."""
        if self.board.facts.get("state") != BROKEN:
            self.board.tell(state="stopped")
        if self._attendant is not None:
            self._attendant.stop()
        self.notifier.close()
        log.unwatch(self.board.error)
        if self.board.ledger.sounding() or self.board.ledger.pedals():
            self.board.release()
        else:
            self.board.close()

    def _open(self, config: Config) -> StateFile:
        name = config.ports.name
        try:
            folder = runtime_dirs.make(runtime_dirs.own())
            path = folder / (runtime_dirs.stem(name) + runtime_dirs.BOARD)
            board = StateFile(path, name)
        except OSError as error:
            warn(f"no status and no account of notes after a crash: {error.filename or ''} "
                 f"{error.strerror} (set RUNTIME_DIRECTORY to a folder of your own)")  # fmt: skip
            return StateFile()
        if os.name == "posix":
            self._attendant = MetricsProcess(path, config.service.metrics_port)
        return board


_PORTS = ("backend", "transport", "input", "output")
