"""Publishes the daemon's state: state file, service manager, and the processes that serve HTTP."""

import os
import time
from pathlib import Path

from .. import __version__
from ..model.loading import model_path
from ..ports.transport import Transport
from ..settings.config import Config
from . import log, runtime_dirs
from .command_port import CommandPort
from .command_sender import ENDING
from .connections import Connections, State
from .engine import Engine
from .log import warn
from .page_port import PagePort, open_page_port
from .sd_notify import Notifier
from .setup import Setup
from .side_process import SideProcess
from .state_file import BROKEN, StateFile
from .state_snapshot import Snapshot

METRICS, PAGE = "segued.service.metrics_server", "segued.page"
"""The modules that serve HTTP, each in a separate process."""

LONGEST_FACT = 200  # characters of a text that comes from the model file
LONGEST_REASON = 2000  # characters of the reason why there are no ports: it lists all port names


class Reporter:
    """Owns the state file and the connection to the service manager.

    When the state file cannot be made, a private one in memory replaces it, and nothing is served
    over HTTP. Raises PortError when a daemon of this name is running.
    """

    def __init__(self, config: Config) -> None:
        self.notifier = Notifier()
        self.snapshot = Snapshot()
        self.commands: CommandPort | None = None
        self._path: Path | None = None  # of the state file; None when it is private
        self._metrics, self._page = SideProcess("metrics"), SideProcess("page")
        self._page_port: PagePort | None = None
        self._texts = ("", "")
        self._named = False  # whether the log may show tokens: after the line `ready`
        self.state_file = self._open(config)
        log.watch(self.state_file.error)
        self._config = config
        self._serve(config)

    def ready(self, engine: Engine) -> None:
        """Publish that the daemon is ready, at the start and after a reload."""
        self.snapshot.started = self.snapshot.started or time.perf_counter()
        self.update(engine, engine.now())
        self.notifier.ready(self._texts[0])

    def update(self, engine: Engine, now: float) -> None:
        """Publish the current numbers. For the hot loop, four times a second: 20 µs."""
        self.state_file.write(self.snapshot.read(engine, now))
        self.notifier.alive(self._texts[engine.player.replying])
        self._metrics.check(now)
        self._page.check(now)

    def broken(self) -> None:
        """Publish that the daemon ends because of a bug."""
        self.state_file.tell(state=BROKEN)

    def setup(self, setup: Setup, scheduling: str) -> None:
        """Publish settings and model."""
        config, model = setup.config, setup.model
        self.state_file.tell(
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
        """Publish the ports."""
        self._texts = (f"listening on {transport.name}", f"playing on {transport.name}")
        self.notifier.patience(0.0)
        self.state_file.tell(
            state=State.CONNECTED.value,
            missing="",
            backend=transport.backend,
            transport=transport.name,
            input=transport.input_name,
            output=transport.output_name,
        )

    def waiting(self, connections: Connections) -> None:
        """Publish that there are no ports, and why. The names of lost ports are kept."""
        state, missing = connections.state, connections.missing[:LONGEST_REASON]
        text = f"{state.value}: {missing}" if missing else state.value
        if text == self._texts[0]:
            return
        self._texts = (text, text)
        gone = {} if state is State.LOST else dict.fromkeys(_PORTS, "")
        self.state_file.tell(state=state.value, missing=missing, **gone)

    def change(self, config: Config) -> None:
        """Serve HTTP as the new settings say."""
        self._serve(config)

    def close(self) -> None:
        """Publish the end. Notes that still sound stay in the ledger for the next start."""
        if self.state_file.facts.get("state") != BROKEN:
            self.state_file.tell(state="stopped")
        self._metrics.stop()
        self._page.stop()
        if self._page_port is not None:
            self._page_port.close()
        if self.commands is not None:
            self.commands.close()
        self.notifier.close()
        log.unwatch(self.state_file.error)
        if self.state_file.ledger.sounding() or self.state_file.ledger.pedals():
            self.state_file.release()
        else:
            self.state_file.close()

    def _open(self, config: Config) -> StateFile:
        name = config.ports.name
        try:
            folder = runtime_dirs.make(runtime_dirs.own())
            path = folder / (runtime_dirs.stem(name) + runtime_dirs.STATE_SUFFIX)
            state_file = StateFile(path, name)
        except OSError as error:
            warn(f"no status, and notes will hang after a crash: {error.filename or ''} "
                 f"{error.strerror} (set RUNTIME_DIRECTORY to a folder of your own)")  # fmt: skip
            return StateFile()
        if os.name == "posix":
            self._path = path
            try:
                self.commands = CommandPort(path.with_suffix(ENDING))
            except OSError as error:
                warn(f"no page, because it cannot send commands: {path.with_suffix(ENDING)}: "
                     f"{error.strerror or error}")  # fmt: skip
        return state_file

    def _serve(self, config: Config) -> None:
        """Start, restart or end the processes that serve metrics and page."""
        if self._path is None:
            return
        before, self._config = self._config, config
        port = config.service.metrics_port
        path = str(self._path)
        self._metrics.change((METRICS, path, str(port)) if port else ())
        if self.commands is None:
            return
        if self._page_port is None or before.page != config.page:
            self._move_page(config)
        self._page.change(*self._side_command(config, path))

    def _move_page(self, config: Config) -> None:
        """Open the page's port as the settings say, and close the old one."""
        if self._page_port is not None:
            self._page_port.close()
        self._page.change(())  # restart: the new port may have the descriptor of the old one
        page = self._page_port = open_page_port(config.page)
        self.state_file.tell(page=page.url if page else "", page_token=page.token if page else "")
        if self._named:
            self.name_token()

    def _side_command(self, config: Config, path: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The command of the process that serves the page and OSC, and its descriptors."""
        command: list[str] = []
        files: list[int] = []
        if self._page_port is not None:
            files.append(self._page_port.listener.fileno())
            command += ["--page", str(files[0]), config.page.host]
        if config.osc.port is not None:
            command += ["--osc", config.osc.host, str(config.osc.port)]
            command += ["--tell", *config.osc.send]
        return (PAGE, path, *command) if command else (), tuple(files)

    @property
    def page(self) -> str:
        """The page's address, without its token; "" when there is no page."""
        return self._page_port.url if self._page_port is not None else ""

    def name_token(self) -> None:
        """Log the page's address with its token, if it has one.

        That line is not kept in the state file, because `/status` shows its lines to everybody.
        """
        self._named = True
        if self._page_port is not None and self._page_port.token:
            log.put(f"the page's address with its token: {self._page_port.address}", log.INFO)


_PORTS = ("backend", "transport", "input", "output")
