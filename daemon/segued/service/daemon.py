"""The daemon's life: startup, main loop, shutdown. Signal handlers only set a flag."""

import faulthandler
import signal
import time
from collections.abc import Callable
from dataclasses import replace

from ..errors import PortError
from ..model.loading import choose_seed, load_model
from ..ports.transport import NoTransport, Transport, open_ports
from ..recording.recorder import Recordings
from ..settings.config import Config, Ports
from ..system import realtime
from . import log
from .background_writer import BackgroundWriter
from .connections import Connections, State
from .engine import Engine
from .log import say, warn
from .reload import Reload
from .reporter import Reporter
from .setup import CONNECTION, Setup, changes, stamp_of

TURN = 0.05  # seconds that anyone who asks for something waits while there are no ports
OPENING = 30.0  # seconds that opening ports may take: a JACK server that hangs is given ten
BROKEN = 70  # exit status after an error of our own (sysexits: EX_SOFTWARE)
FREE = 2  # failures soon after a start that are tried again at once, under a service manager
LONGEST_PAUSE = 30.0  # seconds


def run(config: Config, reread: Callable[[], Config], source: str) -> int:
    """Play until a signal comes; every note is closed on the way out. Returns the exit status.

    While there are no ports (a server stops, a device is unplugged) it looks for them, and can be
    asked and reloaded all the same. On SIGHUP it takes the settings that `reread` gives. `source`
    is where those at the start come from, for the log. Raises SegueError when it cannot start.
    """
    service = Daemon(config, reread, source)
    try:
        return service.run()
    finally:
        service.close()


class Daemon:
    """One run of the daemon: startup, main loop, shutdown."""

    def __init__(self, config: Config, reread: Callable[[], Config], source: str) -> None:
        self._began = time.perf_counter()
        self._config, self._reread, self._source = config, reread, source
        self._stopping = self._asked = self._under_way = False
        self._transport: Transport | None = None
        self._engine: Engine | None = None
        self._reload: Reload | None = None
        self._writer = BackgroundWriter()
        self._recordings = Recordings(say)
        self._reporter = Reporter(config)
        self._connections = Connections(config.ports)

    def run(self) -> int:
        """From start to end."""
        engine = self._start_up()
        try:
            self._main_loop(engine)
        except Exception as error:
            log.broken(error, "every note was closed")
            self._reporter.broken()
            return BROKEN
        self._sum_up(engine)
        return 0

    # --- startup

    def _start_up(self) -> Engine:
        """All that is needed to play, to be asked and to be reloaded; the ports if they are there.

        Under a service manager ports that are not there are waited for; a person at a terminal is
        told at once (PortError).
        """
        faulthandler.enable()  # a watchdog's SIGABRT shows where it hung
        for name, handler in (
            ("SIGINT", self._on_stop), ("SIGTERM", self._on_stop), ("SIGHUP", self._on_reload),
        ):  # fmt: skip
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), handler)
        self._pause()
        reporter = self._reporter
        reporter.notifier.alive("loading the model")
        stamp = stamp_of(self._config)
        computes: list[str] = []
        model = load_model(self._config, computes.append)
        seed = choose_seed(self._config.sampling.seed)
        recorder = self._recordings.open(self._config, model, seed)
        setup = Setup(self._config, model, stamp, seed, recorder)
        self._scheduling = _schedule(self._config)
        transport = self._first_attempt()
        engine = self._engine = Engine(
            transport or NoTransport(),
            setup.player,
            board=reporter.board,
            chores=self._chores,
            commands=reporter.commands,
        )
        self._reload = Reload(setup, self._reread, self._recordings, reporter.board, self._changed)
        if self._stopping:  # a signal that came while these were made
            engine.stop()
        if self._asked:
            self._reload.ask()
        say(f"settings: {self._source}")
        say(computes[0])
        self._recover()
        reporter.setup(setup, self._scheduling)
        took = f"after {time.perf_counter() - self._began:.2f} s, seed {setup.seed}"
        took += f"; page {reporter.page}" if reporter.page else ""
        if transport is not None:
            self._take(engine, transport)
            say(f"ready on {transport.name} {took}")
        else:
            reporter.waiting(self._connections)
            warn(f"ready {took}; {self._connections.state.value}: {self._connections.missing}")
        reporter.name_token()
        reporter.ready(engine)
        return engine

    def _pause(self) -> None:
        """After failures in a row wait longer and longer: systemd learns that with version 254."""
        reporter, failures = self._reporter, self._reporter.board.failures
        if failures <= FREE or not reporter.notifier.present:
            return
        seconds = min(LONGEST_PAUSE, 2.0 ** (failures - FREE - 1))
        warn(f"{failures} failures in a row: it starts in {seconds:g} s")
        reporter.notifier.alive(f"waiting {seconds:g} s after {failures} failures")
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._stopping:
            time.sleep(TURN)

    def _first_attempt(self) -> Transport | None:
        """The ports; None where they are not there and a service manager has time."""
        try:
            return self._open(self._connections.ports)
        except PortError as error:
            if not self._reporter.notifier.present:
                raise
            self._connections.failed(str(error), 0.0)
            return None

    def _recover(self) -> None:
        """Say how the last daemon of this name ended."""
        left = sum(voices for _, _, voices in self._reporter.board.ledger.sounding())
        ended = f"{left} notes that it left sounding end first" if left else "all was silent"
        if self._reporter.board.crashed:
            warn(f"the last segued ended in disorder; {ended}")

    # --- main loop

    def _main_loop(self, engine: Engine) -> None:
        """Play while there are ports, look for them while there are none."""
        while not self._stopping:
            if engine.lost:
                self._look_for_ports(engine)
                continue
            engine.run()
            if engine.lost:
                self._lose_ports(engine)
            elif not self._stopping:
                self._move_ports(engine)

    def _look_for_ports(self, engine: Engine) -> None:
        """One turn without ports: what is asked of it is done, and the ports are tried if due."""
        engine.idle()
        connections = self._connections
        if not connections.due(engine.now()):
            time.sleep(TURN)
            return
        was = connections.missing
        try:
            transport = self._open(connections.ports)
        except PortError as error:
            connections.failed(str(error), engine.now())
            self._reporter.waiting(connections)
            if connections.state is State.WAITING and not was:
                warn(f"{connections.state.value}: {error}")
            return
        back = connections.state is State.LOST
        self._take(engine, transport)
        say(f"{'back' if back else 'ready'} on {transport.name}")

    def _lose_ports(self, engine: Engine) -> None:
        """They went away."""
        lost = self._close_ports(engine)
        self._reporter.snapshot.ports_lost += 1
        warn(f"{lost.name} went away; waiting for it to come back")
        self._connections.lost(engine.now())
        self._reporter.waiting(self._connections)

    def _move_ports(self, engine: Engine) -> None:
        """A reload names others; where they cannot be had, the old ones are opened again."""
        reload, connections = self._reload, self._connections
        assert reload is not None
        self._close_ports(engine)
        wanted = replace(reload.loaded.config.ports, name=self._config.ports.name)
        try:
            transport = self._open(wanted)
        except PortError as error:
            reload.refuse(str(error))
            connections.lost(engine.now())
            return
        reload.take(engine, engine.now())
        self._take(engine, transport)

    def _open(self, ports: Ports) -> Transport:
        """These ports, opened with normal priority: it may take long, and be tried for days.

        What their threads do afterwards is music; JACK gives its own what they need. PortError.
        """
        self._reporter.notifier.patience(OPENING)
        before = realtime.threads()
        with realtime.set_aside():
            transport = self._transport = open_ports(ports)
        if transport.backend != "jack":
            realtime.hand_on(realtime.threads() - before)
        return transport

    def _take(self, engine: Engine, transport: Transport) -> None:
        """Play through these. Silence above all."""
        self._connections.opened(transport.backend)
        engine.take(transport)
        self._reporter.connected(transport)

    def _close_ports(self, engine: Engine) -> Transport:
        """Before others are opened: who dies, dies whole."""
        transport, self._transport = self._transport, None
        assert transport is not None
        self._reporter.notifier.patience(OPENING)
        transport.close()
        engine.disconnect()
        return transport

    def _chores(self, now: float) -> None:
        """Between two notes, four times a second; without ports at each turn."""
        engine, reload, reporter = self._engine, self._reload, self._reporter
        assert engine is not None and reload is not None
        self._writer.look(engine.player)
        reload.look(engine, now)
        reporter.snapshot.reloads, reporter.snapshot.refusals = reload.taken, reload.refused
        reporter.look(engine, now)
        if reload.under_way != self._under_way:
            self._under_way = reload.under_way
            if self._under_way:
                reporter.notifier.reloading()
            else:
                reporter.ready(engine)

    def _changed(self, setup: Setup, now: float) -> None:
        """Other settings are in force."""
        before, self._config = self._config, setup.config
        if setup.config.service != before.service:
            self._scheduling = _schedule(setup.config)
        if not CONNECTION.isdisjoint(changes(before, setup.config)):
            self._connections.change(setup.config.ports, now)
        self._reporter.setup(setup, self._scheduling)
        self._reporter.change(setup.config)

    # --- shutdown

    def _sum_up(self, engine: Engine) -> None:
        """What is worth a line at the end."""
        if engine.lateness.count:
            late = ", ".join(f"{1000 * value:.2f}" for value in engine.lateness.at(0.5, 0.99, 1.0))
            say(f"sent {engine.sent} messages; the model's were late by (median, p99, most) "
                f"{late} ms")  # fmt: skip
        say("stopped, every note closed")

    def close(self) -> None:
        """Give everything back."""
        self._reporter.notifier.stopping()
        if self._engine is not None:
            self._writer.look(self._engine.player)
        self._writer.close()
        if self._transport is not None:
            self._transport.close()
        self._recordings.close()
        self._reporter.close()

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
    unlocked = realtime.lock_memory() if wanted.lock_memory else realtime.unlock_memory()
    if why_not:
        warn(f"normal priority: {why_not}")
    given = 0 if why_not else wanted.priority
    came_to = f"real-time priority {given}" if given else "normal priority"
    came_to += ", memory not locked" if unlocked else ", memory locked"
    return came_to + "".join(f"; {why}" for why in (why_not, unlocked) if why)
