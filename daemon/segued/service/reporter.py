"""All that the daemon shows of itself while it runs: its state file, what the service manager
hears, and the process beside it that serves HTTP."""

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
"""The modules that serve, each in a process of its own."""

LONGEST_FACT = 200  # characters of a text that a file gives
LONGEST_REASON = 2000  # characters of the line that says why there are no ports: it lists all names


class Reporter:
    """`board` and `notifier` are for who has more to tell. PortError: a daemon of that name runs.

    Where there can be no state file that others see, there is one that they do not, and no HTTP.
    """

    def __init__(self, config: Config) -> None:
        self.notifier = Notifier()
        self.snapshot = Snapshot()
        self.commands: CommandPort | None = None
        self._path: Path | None = None  # of the state file, where others see it
        self._metrics, self._page = SideProcess("metrics"), SideProcess("page")
        self._page_port: PagePort | None = None
        self._texts = ("", "")
        self._named = False  # whether the log names tokens yet: from the line `ready` on
        self.board = self._open(config)
        log.watch(self.board.error)
        self._config = config
        self._serve(config)

    def ready(self, engine: Engine) -> None:
        """It can be asked and reloaded; or it goes on with new settings."""
        self.snapshot.started = self.snapshot.started or time.perf_counter()
        self.look(engine, engine.now())
        self.notifier.ready(self._texts[0])

    def look(self, engine: Engine, now: float) -> None:
        """Show how it is. For the hot loop, four times a second: 20 µs."""
        self.board.write(self.snapshot.take(engine, now))
        self.notifier.alive(self._texts[engine.player.replying])
        self._metrics.look(now)
        self._page.look(now)

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
        self._serve(config)

    def close(self) -> None:
        """It ends. What still sounds by the account stays there for the next start."""
        if self.board.facts.get("state") != BROKEN:
            self.board.tell(state="stopped")
        self._metrics.stop()
        self._page.stop()
        if self._page_port is not None:
            self._page_port.close()
        if self.commands is not None:
            self.commands.close()
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
            self._path = path
            try:
                self.commands = CommandPort(path.with_suffix(ENDING))
            except OSError as error:
                warn(f"no commands from other processes, so no page: {path.with_suffix(ENDING)}: "
                     f"{error.strerror or error}")  # fmt: skip
        return board

    def _serve(self, config: Config) -> None:
        """Have metrics and the page served as the settings say."""
        if self._path is None:
            return
        before, self._config = self._config, config
        port = config.service.metrics_port
        board = str(self._path)
        self._metrics.change((METRICS, board, str(port)) if port else ())
        if self.commands is None:
            return
        if self._page_port is None or before.page != config.page:
            self._move_page(config)
        self._page.change(*self._beside(config, board))

    def _move_page(self, config: Config) -> None:
        """Have the page's port where the settings want it."""
        if self._page_port is not None:
            self._page_port.close()
        self._page.change(())  # the new port may have the number of the old one
        page = self._page_port = open_page_port(config.page)
        self.board.tell(page=page.url if page else "", page_token=page.token if page else "")
        if self._named:
            self.name_token()

    def _beside(self, config: Config, board: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The command of the process that serves the page and OSC, and its descriptors."""
        command: list[str] = []
        files: list[int] = []
        if self._page_port is not None:
            files.append(self._page_port.listener.fileno())
            command += ["--page", str(files[0]), config.page.host]
        if config.osc.port is not None:
            command += ["--osc", config.osc.host, str(config.osc.port)]
            command += ["--tell", *config.osc.send]
        return (PAGE, board, *command) if command else (), tuple(files)

    @property
    def page(self) -> str:
        """The page's address, without its token; "" where there is no page."""
        return self._page_port.url if self._page_port is not None else ""

    def name_token(self) -> None:
        """Where the page has a token, a line of the log with the whole address. That line is not
        kept in the state: `/status` shows what is, also to those who are not to know it."""
        self._named = True
        if self._page_port is not None and self._page_port.token:
            log.put(f"the page with its token: {self._page_port.address}", log.INFO)


_PORTS = ("backend", "transport", "input", "output")
