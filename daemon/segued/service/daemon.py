"""The daemon's life: startup, main loop, shutdown. Signal handlers only set a flag."""

import faulthandler
import signal
import time
from collections.abc import Callable
from dataclasses import replace

from ..errors import PortError
from ..model.loading import choose_seed, load_model
from ..player.commands import Hear
from ..ports.transport import NoTransport, Transport, open_ports
from ..recording.recorder import Recordings
from ..settings.config import Config, Ports
from ..settings.repertoire import joined, read_music
from ..system import realtime
from . import log
from .background_writer import BackgroundWriter
from .connections import Connections, State
from .engine import Engine
from .log import say, warn
from .reload import Reload
from .reporter import Reporter
from .setup import CONNECTION, Setup, changes, stamp_of

IDLE_PAUSE = 0.05  # seconds between two turns of the main loop while there are no ports
OPEN_TIMEOUT = 30.0  # seconds that opening ports may take: a JACK server that hangs is given ten
BROKEN = 70  # exit status after a bug (sysexits.h: EX_SOFTWARE)
FREE_RESTARTS = 2  # failures in a row, under a service manager, that cause no pause at the start
LONGEST_PAUSE = 30.0  # seconds


def run(config: Config, reread: Callable[[], Config], source: str) -> int:
    """Play until SIGINT or SIGTERM, then end every note. Return the exit status.

    While the ports are missing (a server stopped, a device was unplugged), it keeps trying to open
    them and still answers status requests and reloads. SIGHUP reloads the settings with `reread`.
    `source` names the origin of `config` for the log. Raises SegueError when it cannot start.
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
        """Start, play until a signal, and return the exit status."""
        engine = self._start_up()
        try:
            self._main_loop(engine)
        except Exception as error:
            log.broken(error, "all notes were ended")
            self._reporter.broken()
            return BROKEN
        self._reporter.sum_up(engine)
        return 0

    # --- startup

    def _start_up(self) -> Engine:
        """Load the model and make everything that playing needs; open the ports if they exist.

        When they do not: under a service manager the main loop waits for them; at a terminal this
        raises PortError.
        """
        faulthandler.enable()  # a watchdog's SIGABRT then prints where the program hung
        for name, handler in (
            ("SIGINT", self._on_stop), ("SIGTERM", self._on_stop), ("SIGHUP", self._on_reload),
        ):  # fmt: skip
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), handler)
        self._pause()
        reporter = self._reporter
        music = read_music(self._config)
        reporter.notifier.alive("loading the model")
        stamp = stamp_of(self._config)
        computes: list[str] = []
        model = load_model(self._config, computes.append)
        seed = choose_seed(self._config.sampling.seed)
        recorder = self._recordings.open(self._config, model, seed)
        setup = Setup(self._config, model, stamp, seed, recorder, music=music)
        self._schedule()
        transport = self._first_attempt()
        engine = self._engine = Engine(
            transport or NoTransport(),
            setup.player,
            state_file=reporter.state_file,
            chores=self._chores,
            commands=reporter.commands,
        )
        if music.pieces:
            engine.player.perform(engine.now(), Hear(joined(music.pieces)))
        self._reload = Reload(
            setup, self._reread, self._recordings, reporter.state_file, self._changed
        )
        if self._stopping:  # a signal arrived during the startup
            engine.stop()
        if self._asked:
            self._reload.ask()
        say(f"settings: {self._source}")
        say(computes[0])
        if music.pieces:
            say(f"heard MIDI files before the start: {len(music.pieces)}")
        self._recover()
        reporter.setup(setup, self._scheduling)
        reporter.state_file.tell(config=self._source)
        took = f"after {time.perf_counter() - self._began:.2f} s, seed {setup.seed}"
        took += f"; page {reporter.page}" if reporter.page else ""
        if transport is not None:
            self._connect(engine, transport)
            say(f"ready on {transport.name} {took}")
        else:
            reporter.waiting(self._connections)
            warn(f"ready {took}; {self._connections.state.value}: {self._connections.missing}")
        reporter.name_token()
        reporter.ready(engine)
        return engine

    def _schedule(self) -> None:
        """Request real-time priority and locked memory. A refused priority logs a warning."""
        wanted = self._config.service
        self._scheduling, refused = realtime.schedule(wanted.priority, wanted.lock_memory)
        if refused:
            warn(f"normal priority: {refused}")

    def _pause(self) -> None:
        """Wait longer after each failure in a row (systemd itself can do so from version 254)."""
        reporter, failures = self._reporter, self._reporter.state_file.failures
        if failures <= FREE_RESTARTS or not reporter.notifier.present:
            return
        seconds = min(LONGEST_PAUSE, 2.0 ** (failures - FREE_RESTARTS - 1))
        warn(f"{failures} failures in a row: starting in {seconds:g} s")
        reporter.notifier.alive(f"waiting {seconds:g} s after {failures} failures")
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._stopping:
            time.sleep(IDLE_PAUSE)

    def _first_attempt(self) -> Transport | None:
        """The ports; None when they cannot be opened yet and a service manager is present."""
        try:
            return self._open(self._connections.ports)
        except PortError as error:
            if not self._reporter.notifier.present:
                raise
            self._connections.failed(str(error), 0.0, error.watched)
            return None

    def _recover(self) -> None:
        """Log whether the previous daemon of this name crashed."""
        left = sum(voices for _, _, voices in self._reporter.state_file.ledger.sounding())
        ended = f"releasing {left} hanging notes" if left else "no notes were left hanging"
        if self._reporter.state_file.crashed:
            warn(f"the previous segued crashed; {ended}")

    # --- main loop

    def _main_loop(self, engine: Engine) -> None:
        """Play while there are ports, and try to open them while there are none."""
        while not self._stopping:
            if engine.lost:
                self._try_ports(engine)
                continue
            engine.run()
            if engine.lost:
                self._lose_ports(engine)
            elif not self._stopping:
                self._move_ports(engine)

    def _try_ports(self, engine: Engine) -> None:
        """One turn without ports: serve requests, and try to open the ports if that is due."""
        engine.idle()
        connections = self._connections
        if not connections.due(engine.now()):
            time.sleep(IDLE_PAUSE)
            return
        was = connections.missing
        try:
            transport = self._open(connections.ports)
        except PortError as error:
            connections.failed(str(error), engine.now(), error.watched)
            self._reporter.waiting(connections)
            if connections.state is State.WAITING and not was:
                warn(f"{connections.state.value}: {error}")
            return
        back = connections.state is State.LOST
        self._connect(engine, transport)
        say(f"{'back' if back else 'ready'} on {transport.name}")

    def _lose_ports(self, engine: Engine) -> None:
        """Close the ports that were lost, and start waiting for them."""
        lost = self._close_ports(engine)
        self._reporter.snapshot.ports_lost += 1
        warn(f"{lost.name} went away; waiting for it to come back")
        self._connections.lost(engine.now())
        self._reporter.waiting(self._connections)

    def _move_ports(self, engine: Engine) -> None:
        """Open the ports that a reload names. If that fails, the old ones are opened again."""
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
        reload.apply(engine, engine.now())
        self._connect(engine, transport)

    def _open(self, ports: Ports) -> Transport:
        """Open these ports. Raises PortError.

        This runs with normal priority: it may take seconds, and be tried for days. The threads that
        it starts handle MIDI, so they get real-time priority afterwards; JACK does that itself.
        """
        self._reporter.notifier.patience(OPEN_TIMEOUT)
        before = realtime.threads()
        with realtime.set_aside():
            transport = self._transport = open_ports(ports)
        if transport.backend != "jack":
            realtime.hand_on(realtime.threads() - before)
        return transport

    def _connect(self, engine: Engine, transport: Transport) -> None:
        """Play through these ports. Hanging notes are ended first, before the status is written."""
        self._connections.opened(transport.backend)
        engine.connect(transport)
        self._reporter.connected(transport)

    def _close_ports(self, engine: Engine) -> Transport:
        """Close the ports completely, before others are opened."""
        transport, self._transport = self._transport, None
        assert transport is not None
        self._reporter.notifier.patience(OPEN_TIMEOUT)
        transport.close()
        engine.disconnect()
        return transport

    def _chores(self, now: float) -> None:
        """The work beside the music. The engine calls this between two notes, 4 times a second."""
        engine, reload, reporter = self._engine, self._reload, self._reporter
        assert engine is not None and reload is not None
        self._writer.collect(engine.player)
        reload.advance(engine, now)
        reload.music.hear_wanted(engine.player, now)
        reporter.snapshot.reloads, reporter.snapshot.refusals = reload.applied, reload.refused
        reporter.update(engine, now)
        if reload.under_way != self._under_way:
            self._under_way = reload.under_way
            if self._under_way:
                reporter.notifier.reloading()
            else:
                reporter.ready(engine)

    def _changed(self, setup: Setup, now: float) -> None:
        """A reload has applied other settings: bring everything else up to date."""
        before, self._config = self._config, setup.config
        if setup.config.service != before.service:
            self._schedule()
        if not CONNECTION.isdisjoint(changes(before, setup.config)):
            self._connections.change(setup.config.ports, now)
        self._reporter.setup(setup, self._scheduling)
        self._reporter.change(setup.config)

    # --- shutdown

    def close(self) -> None:
        """Save what is to be saved, and close ports, recordings and state file."""
        self._reporter.notifier.stopping()
        if self._engine is not None:
            self._writer.collect(self._engine.player)
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
