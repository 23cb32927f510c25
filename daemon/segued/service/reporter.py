"""Publishes the daemon's state: state file, service manager, and the process that serves HTTP."""

import json
import os
import time
from typing import Any

from .. import __version__
from ..control.mapping import Mapped
from ..midi.messages import CHANNELS
from ..ports.options import OscOptions, PageOptions
from ..ports.transport import Transport
from ..recording.recorder import folder_of
from ..settings.config import Config
from . import log, runtime_dirs
from .command_port import CommandPort
from .command_sender import ENDING
from .connections import Connections, State
from .engine import Engine
from .feedback_process import FeedbackProcess
from .log import warn
from .page_process import PagePort, PageProcess
from .sd_notify import Notifier
from .setup import Setup
from .state_file import BROKEN, StateFile
from .state_snapshot import Snapshot

LONGEST_FACT = 200  # characters of a text that comes from the model file
MAPPED = 4000  # bytes of all mapped controls as JSON
PRESETS = 8000  # bytes of all presets as JSON
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
        self._page_process: PageProcess | None = None  # None when the state file is private
        self._feedback: FeedbackProcess | None = None  # the same
        self._texts = ("", "")
        self._mapped: tuple[Mapped, ...] | None = None
        self._named = False  # whether the log may show tokens: after the line `ready`
        self.state_file = self._open(config)
        log.watch(self.state_file.error)
        self.change(config)

    def ready(self, engine: Engine) -> None:
        """Publish that the daemon is ready, at the start and after a reload."""
        self.snapshot.started = self.snapshot.started or time.perf_counter()
        self.update(engine, engine.now())
        self.notifier.ready(self._texts[0])

    def update(self, engine: Engine, now: float) -> None:
        """Publish the current numbers. For the hot loop, four times a second: 20 µs.

        After MIDI learn it takes 0.2 ms more.
        """
        self.state_file.write(self.snapshot.read(engine, now))
        mapped = engine.player.control.mapped
        if mapped is not self._mapped:
            self._mapped = mapped
            self.state_file.tell(mapped=_controls(mapped))
        self.notifier.alive(self._texts[engine.player.replying])
        if self._page_process is not None:
            self._page_process.check(now)
        if self._feedback is not None:
            self._feedback.check(now, engine.player.control.mapped)

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
            takes=_takes(config),
            hears=_hears(config),
            presets=_presets(config),
            model={
                "name": setup.stamp.name[-LONGEST_FACT:],
                "path": str(setup.stamp.path(model.device))[-LONGEST_FACT:],
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
        if self._feedback is not None:
            self._feedback.connected(transport.backend)

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
        """Serve page, metrics and OSC as the settings say; without a command port metrics alone."""
        if self._page_process is None:
            return
        if self._feedback is not None:
            self._feedback.change(config.control.feedback)
        page, osc = config.page, config.osc
        if self.commands is None:
            page, osc = PageOptions(port=None), OscOptions()
        if self._page_process.change(page, osc, config.service.metrics_port):
            port = self._page_port
            url, token = (port.url, port.token) if port is not None else ("", "")
            self.state_file.tell(page=url, page_token=token)
            if self._named:
                self.name_token()

    def close(self) -> None:
        """Publish the end. Notes that still sound stay in the ledger for the next start."""
        if self.state_file.facts.get("state") != BROKEN:
            self.state_file.tell(state="stopped")
        if self._page_process is not None:
            self._page_process.stop()
        if self._feedback is not None:
            self._feedback.stop()
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
            self._page_process = PageProcess(path)
            try:
                self.commands = CommandPort(path.with_suffix(ENDING))
                self._feedback = FeedbackProcess(state_file, path)
            except OSError as error:
                warn(f"no page, because it cannot send commands: {path.with_suffix(ENDING)}: "
                     f"{error.strerror or error}")  # fmt: skip
        return state_file

    @property
    def page(self) -> str:
        """The page's address, without its token; "" when there is no page."""
        port = self._page_port
        return port.url if port is not None else ""

    def name_token(self) -> None:
        """Log the page's address with its token, if it has one.

        That line is not kept in the state file, because `/status` shows its lines to everybody.
        """
        self._named = True
        port = self._page_port
        if port is not None and port.token:
            log.put(
                f"the page's address with its token: {port.address} (as a QR code: segued page)",
                log.INFO,
            )

    def sum_up(self, engine: Engine) -> None:
        """Log the figures of the run."""
        if engine.lateness.count:
            late = ", ".join(f"{1000 * value:.2f}" for value in engine.lateness.at(0.5, 0.99, 1.0))
            figures = f"lateness of the model's (median, p99, max): {late} ms"
            log.say(f"sent {engine.sent} messages; {figures}")
        log.say("stopped, all notes ended")

    @property
    def _page_port(self) -> PagePort | None:
        return self._page_process.page if self._page_process is not None else None


def _takes(config: Config) -> str | None:
    """The folder of recordings, in full: the page's process may be in another."""
    folder = folder_of(config)
    return None if folder is None else str(folder.absolute())


def _hears(config: Config) -> list[int]:
    """The channels 1..16 that the model hears. In an MPE zone any channel may carry its notes."""
    zone = config.ports.mpe in ("lower", "upper")
    return [c + 1 for c in range(CHANNELS) if zone or config.ports.listens_to(c)]


def _presets(config: Config) -> list[tuple[str, dict[str, Any]]]:
    """Names and values of the presets, their models, and whether they have files to hear.

    As many as there is room for.
    """
    told: list[tuple[str, dict[str, Any]]] = []
    room = PRESETS
    for preset in config.control.presets:
        more = {"model": preset.model} if preset.model else {}
        more |= {"hear": "yes"} if preset.hear else {}
        one = (preset.name[:LONGEST_FACT], dict(preset.values) | more)
        room -= len(json.dumps(one))
        if room < 0:
            break
        told.append(one)
    return told


def _controls(mapped: tuple[Mapped, ...]) -> dict[str, str]:
    """The name of each mapped knob, action and preset -> its controls in words, as far as there is
    room."""
    told: dict[str, str] = {}
    room = MAPPED
    for one in mapped:
        if one.effect in ("learn", "unlearn"):
            continue
        before = told.get(one.name)
        words = one.control if before is None else f"{before}, {one.control}"
        room -= len(one.name) + len(one.control) + 6
        if room < 0:
            break
        told[one.name] = words
    return told


_PORTS = ("backend", "transport", "input", "output")
