"""The daemon's life: start up, play, shut down. Signal handlers only set a flag."""

import faulthandler
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..errors import PortError
from ..model.loading import choose_seed, load_model
from ..ports.transport import Transport, open_transport
from ..recording.recorder import Recordings
from ..settings.config import Config
from ..system import realtime
from . import log
from .background_writer import BackgroundWriter
from .engine import Engine
from .log import ERROR, say, warn
from .reload import Reload
from .reporter import Reporter
from .setup import Setup, stamp_of

RETRY = 0.25  # seconds between looks at whether lost ports are back
OPENING = 30.0  # seconds that opening ports may take: a JACK server that hangs is given ten
BROKEN = 70  # exit status after an error of our own (sysexits: EX_SOFTWARE)
FREE = 2  # failures soon after a start that are tried again at once, under a service manager
LONGEST_PAUSE = 30.0  # seconds


def connect(config: Config) -> Transport:
    """The MIDI ports that the settings name."""
    ports = config.ports
    return open_transport(
        ports.backend, ports.input, ports.output, ports.name, ports.tcp_host, ports.tcp_port
    )


def run(config: Config, reread: Callable[[], Config], source: str) -> int:
    """Play until a signal comes; every note is closed on the way out. Returns the exit status.

    When the ports go away (a server stops, a device is unplugged) it waits for them and goes on.
    On SIGHUP it takes the settings that `reread` gives. `source` is where those at the start come
    from, for the log. Raises SegueError when it cannot start.
    """
    service = Daemon(config, reread, source)
    try:
        return service.run()
    finally:
        service.close()


class Daemon:
    """One run of the daemon."""

    def __init__(self, config: Config, reread: Callable[[], Config], source: str) -> None:
        self._began = time.perf_counter()
        self._config, self._reread, self._source = config, reread, source
        self._stopping = self._asked = self._under_way = False
        self._transport: Transport | None = None
        self._engine: Engine | None = None
        self._reload: Reload | None = None
        self._scribe = BackgroundWriter()
        self._recordings = Recordings(say)
        self._showing = Reporter(config)

    def run(self) -> int:
        """From start to end."""
        faulthandler.enable()  # a watchdog's SIGABRT shows where it hung
        for name, handler in (
            ("SIGINT", self._on_stop), ("SIGTERM", self._on_stop), ("SIGHUP", self._on_reload),
        ):  # fmt: skip
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), handler)
        self._pause()
        self._showing.notifier.alive("loading the model")
        stamp = stamp_of(self._config)
        computes: list[str] = []
        model = load_model(self._config, computes.append)
        seed = choose_seed(self._config)
        recorder = self._recordings.open(self._config, model, seed)
        setup = Setup(self._config, model, stamp, seed, recorder)
        self._scheduling = _schedule(self._config)  # before the ports: their threads inherit it
        transport = self._first_connection()
        if transport is None or self._stopping:
            return 0
        showing, board = self._showing, self._showing.board
        engine = Engine(transport, setup.player, board=board, chores=self._chores)
        self._engine = engine
        self._reload = Reload(setup, self._reread, self._recordings, board, self._changed)
        if self._stopping:  # a signal that came while these were made
            engine.stop()
        if self._asked:
            self._reload.ask()
        self._begin(engine, transport)
        showing.setup(setup, self._scheduling)
        took = time.perf_counter() - self._began
        say(f"settings: {self._source}")
        say(computes[0])
        say(f"ready on {transport.name} after {took:.2f} s, seed {setup.seed}")
        showing.ready(engine)
        try:
            self._play(engine)
        except Exception as error:
            _report(error)
            showing.broken()
            return BROKEN
        if engine.lateness.count:
            late = ", ".join(f"{1000 * value:.2f}" for value in engine.lateness.at(0.5, 0.99, 1.0))
            say(f"sent {engine.sent} messages; the model's were late by (median, p99, most) "
                f"{late} ms")  # fmt: skip
        say("stopped, every note closed")
        return 0

    def close(self) -> None:
        """Give everything back."""
        self._showing.notifier.stopping()
        if self._engine is not None:
            self._scribe.look(self._engine.player)
        self._scribe.close()
        if self._transport is not None:
            self._transport.close()
        self._recordings.close()
        self._showing.close()

    def _pause(self) -> None:
        """After failures in a row wait longer and longer: systemd learns that with version 254."""
        showing = self._showing
        failures = showing.board.failures
        if failures <= FREE or not showing.notifier.present:
            return
        seconds = min(LONGEST_PAUSE, 2.0 ** (failures - FREE - 1))
        warn(f"{failures} failures in a row: it starts in {seconds:g} s")
        showing.notifier.alive(f"waiting {seconds:g} s after {failures} failures")
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._stopping:
            time.sleep(RETRY)

    def _begin(self, engine: Engine, transport: Transport) -> None:
        """Silence above all."""
        board = self._showing.board
        left = sum(voices for _, _, voices in board.ledger.sounding())
        engine.take(transport)
        self._showing.ports(transport)
        if board.crashed:
            ended = f"{left} notes that it left sounding ended now" if left else "all was silent"
            warn(f"the last segued ended in disorder; {ended}")

    def _play(self, engine: Engine) -> None:
        """Until it is to stop, through all that happens to the ports."""
        while True:
            engine.run()
            if self._stopping:
                return
            transport = self._come_back(engine) if engine.lost else self._reconnect(engine)
            if transport is None:
                return
            engine.take(transport)
            self._showing.ports(transport)

    def _come_back(self, engine: Engine) -> Transport | None:
        """The ports that were lost, as soon as they are there; None when it is to stop instead."""
        lost = self._transport
        assert lost is not None
        lost.close()
        self._showing.snapshot.ports_lost += 1
        warn(f"{lost.name} went away; waiting for it to come back")
        transport = self._await_ports(self._config, lost.backend)
        if transport is not None:
            say(f"back on {transport.name}")
        return transport

    def _reconnect(self, engine: Engine) -> Transport | None:
        """The ports that new settings name; where they cannot be had, the old ones again."""
        old, reload = self._transport, self._reload
        assert old is not None and reload is not None
        config = reload.loaded.config
        self._showing.waiting(OPENING)
        old.close()
        ports = replace(config.ports, name=self._config.ports.name)
        try:
            transport = self._transport = connect(replace(config, ports=ports))
        except PortError as error:
            reload.refuse(str(error))
            return self._await_ports(self._config, old.backend)
        reload.take(engine, time.perf_counter() - engine.began)
        return transport

    def _first_connection(self) -> Transport | None:
        """The ports. Where a service manager started us, a port that is not there yet is waited
        for, and the manager knows; a person at a terminal is told at once."""
        try:
            self._transport = connect(self._config)
        except PortError as error:
            if not self._showing.notifier.present:
                raise
            warn(f"waiting: {error}")
            return self._await_ports(self._config, self._config.ports.backend)
        return self._transport

    def _await_ports(self, config: Config, backend: str) -> Transport | None:
        """The ports of the settings, once they are there; None when it is to stop instead."""
        same = replace(config, ports=replace(config.ports, backend=backend))
        engine = self._engine
        while not self._stopping:
            self._showing.waiting(OPENING)
            try:
                self._transport = connect(same)
                return self._transport
            except PortError:  # still not there
                time.sleep(RETRY)
            if engine is not None:
                self._showing.look(engine, time.perf_counter() - engine.began)
        return None

    def _chores(self, now: float) -> None:
        """In the hot loop, between two notes, four times a second."""
        engine, reload, showing = self._engine, self._reload, self._showing
        assert engine is not None and reload is not None
        self._scribe.look(engine.player)
        reload.look(engine, now)
        showing.snapshot.reloads, showing.snapshot.refusals = reload.taken, reload.refused
        showing.look(engine, now)
        if reload.under_way != self._under_way:
            self._under_way = reload.under_way
            if self._under_way:
                showing.notifier.reloading()
            else:
                showing.ready(engine)

    def _changed(self, setup: Setup, now: float) -> None:
        """Other settings are in force."""
        if setup.config.service != self._config.service:
            self._scheduling = _schedule(setup.config)
        self._config = setup.config
        self._showing.setup(setup, self._scheduling)
        self._showing.change(setup.config, now)

    def _on_stop(self, *_: object) -> None:
        self._stopping = True
        if self._engine is not None:
            self._engine.stop()

    def _on_reload(self, *_: object) -> None:
        self._asked = True
        if self._reload is not None:
            self._reload.ask()


def _schedule(config: Config) -> str:
    """Real-time priority and locked memory, or one line that says why not; what it came to."""
    wanted = config.service
    why_not = realtime.real_time(wanted.priority)
    unlocked = realtime.lock_memory() if wanted.lock_memory else "not asked for"
    if why_not:
        warn(f"normal priority: {why_not}")
    real_time = wanted.priority and not why_not
    came_to = f"real-time priority {wanted.priority}" if real_time else "normal priority"
    came_to += ", memory not locked" if unlocked else ", memory locked"
    return came_to + "".join(f"; {why}" for why in (why_not, unlocked) if why)


def _report(error: Exception) -> None:
    """An error of our own: one line, and where it happened."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno} in {place.name}"
    say(f"broken: {type(error).__name__}: {error} ({where}); every note was closed", ERROR)
    log.put("".join(traceback.format_exception(error)), ERROR)
