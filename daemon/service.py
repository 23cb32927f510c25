"""The daemon's life: start up, play, shut down. Signal handlers only set a flag."""

import faulthandler
import re
import signal
import socket
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

from . import __version__, log, places, priority
from .attendant import Attendant
from .board import Board
from .config import Config
from .engine import Engine
from .errors import PortError
from .loading import choose_seed, load_model, model_path
from .log import ERROR, say, warn
from .model import Model
from .notify import Notifier
from .player import Player
from .scribe import Scribe
from .snapshot import Snapshot
from .transport import Transport, open_transport

RETRY = 0.25  # seconds between looks at whether lost ports are back
LONGEST_FACT = 200  # characters of a text that a file gives
OPENING = 30.0  # seconds that opening ports may take: a JACK server that hangs is given ten
BROKEN = 70  # exit status after an error of our own (sysexits: EX_SOFTWARE)


def connect(config: Config) -> Transport:
    """The MIDI ports that the settings name."""
    ports = config.ports
    return open_transport(
        ports.backend, ports.input, ports.output, ports.name, ports.tcp_host, ports.tcp_port
    )


def run(config: Config) -> int:
    """Play until a signal comes; every note is closed on the way out. Returns the exit status.

    When the ports go away (a server stops, a device is unplugged) it waits for them and goes on.
    Raises SegueError when it cannot start.
    """
    service = Service(config)
    try:
        return service.run()
    finally:
        service.close()


class Service:
    """One run of the daemon."""

    def __init__(self, config: Config) -> None:
        self._began = time.perf_counter()
        self._config = config
        self._notifier = Notifier()
        self._stopping = False
        self._snapshot = Snapshot()
        self._engine: Engine | None = None
        self._transport: Transport | None = None
        self._attendant: Attendant | None = None
        self._scribe = Scribe(config.control)
        self._board = self._open_board()
        log.watch(self._board.error)

    def run(self) -> int:
        """From start to end."""
        faulthandler.enable()  # a watchdog's SIGABRT shows where it hung
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_stop)
        model = load_model(self._config, say)
        seed = choose_seed(self._config)
        self._schedule()
        transport = self._first_connection()
        if transport is None:
            return 0
        engine = Engine(
            transport,
            lambda send: Player(model, self._config, send, seed),
            board=self._board,
            chores=self._chores,
        )
        self._engine = engine
        left = sum(voices for _, _, voices in self._board.ledger.sounding())
        if self._board.crashed:
            warn(f"the last segued ended in disorder; the notes that it left sounding, {left}, end")
        engine.take(transport)
        self._snapshot.started = time.perf_counter()
        self._tell(transport, model, seed)
        say(f"ready on {transport.name} after {time.perf_counter() - self._began:.2f} s, "
            f"seed {seed}")  # fmt: skip
        self._notifier.ready(self._status(engine))
        if self._attendant is not None:
            self._attendant.look(0.0)
        try:
            self._play(engine)
        except Exception as error:
            self._report(error)
            return BROKEN
        late = ", ".join(f"{1000 * value:.2f}" for value in engine.lateness.at(0.5, 0.99, 1.0))
        if engine.lateness.count:
            say(f"sent {engine.sent} messages; the model's were late by (median, p99, most) "
                f"{late} ms")  # fmt: skip
        say("stopped, every note closed")
        return 0

    def close(self) -> None:
        """Give everything back."""
        self._notifier.stopping()
        if self._engine is not None:
            self._scribe.look(self._engine.player)
        self._scribe.close()
        if self._transport is not None:
            self._transport.close()
        self._board.tell(state="stopped")
        if self._attendant is not None:
            self._attendant.stop()
        self._notifier.close()
        log.unwatch(self._board.error)
        if self._engine is None or self._engine.lost:
            self._board.release()  # what sounds there is still on the account
        else:
            self._board.close()

    def _play(self, engine: Engine) -> None:
        """Until it is to stop, through all that happens to the ports."""
        while True:
            engine.run()
            if self._stopping or not engine.lost or self._transport is None:
                return
            lost = self._transport
            lost.close()
            self._snapshot.ports_lost += 1
            self._board.write(self._snapshot.take(engine, time.perf_counter() - engine.began))
            self._board.tell(state="waiting for its ports")
            warn(f"{lost.name} went away; waiting for it to come back")
            back = self._await_ports(lost.backend, engine)
            if back is None:
                return
            self._notifier.patience(0.0)
            say(f"back on {back.name}")
            self._tell_ports(back)
            engine.take(back)

    def _first_connection(self) -> Transport | None:
        """The ports. Where a service manager started us, a port that is not there yet is waited
        for, and it sees that it is; a person at a terminal is told at once."""
        try:
            self._transport = connect(self._config)
        except PortError as error:
            if not self._notifier.present:
                raise
            warn(f"waiting: {error}")
            self._board.tell(state="waiting for its ports")
            return self._await_ports(self._config.ports.backend, None)
        return self._transport

    def _await_ports(self, backend: str, engine: Engine | None) -> Transport | None:
        """The same ports again, as soon as they are there; None when it is to stop instead."""
        same = replace(self._config, ports=replace(self._config.ports, backend=backend))
        while not self._stopping:
            self._notifier.patience(OPENING)
            self._notifier.alive(time.perf_counter(), "waiting for its ports")
            try:
                self._transport = connect(same)
                return self._transport
            except PortError:  # still not there
                time.sleep(RETRY)
            if engine is not None:
                self._board.write(self._snapshot.take(engine, time.perf_counter() - engine.began))
        return None

    def _chores(self, now: float) -> None:
        """In the hot loop, between two notes, four times a second."""
        engine = self._engine
        assert engine is not None
        self._board.write(self._snapshot.take(engine, now))
        self._notifier.alive(now, self._status(engine))
        self._scribe.look(engine.player)
        if self._attendant is not None:
            self._attendant.look(now)

    def _status(self, engine: Engine) -> str:
        """What it is doing, for the service manager."""
        if engine.player.replying:
            return self._texts[1]
        return self._texts[0]

    def _on_stop(self, *_: object) -> None:
        self._stopping = True
        if self._engine is not None:
            self._engine.stop()

    def _open_board(self) -> Board:
        """The board that others can read; where there can be no such file, one that nobody sees."""
        name = self._config.ports.name
        try:
            folder = places.make(places.own())
            path = folder / (places.stem(name) + places.BOARD)
            board = Board(path, name)
        except OSError as error:
            warn(f"no status and no account of notes after a crash: {error.filename or ''} "
                 f"{error.strerror} (set RUNTIME_DIRECTORY to a folder of your own)")  # fmt: skip
            return Board()
        if hasattr(socket, "AF_UNIX"):
            where = folder / (places.stem(name) + places.SOCKET)
            self._attendant = Attendant(path, where, self._config.service.metrics_port)
        return board

    def _schedule(self) -> None:
        """Real-time priority and locked memory, or one line that says why not."""
        wanted = self._config.service
        why_not = priority.real_time(wanted.priority)
        unlocked = priority.lock_memory() if wanted.lock_memory else "not asked for"
        real_time = wanted.priority and not why_not
        scheduling = f"real-time priority {wanted.priority}" if real_time else "normal priority"
        self._board.tell(
            scheduling=f"{scheduling}, memory {'not ' if unlocked else ''}locked"
            + "".join(f"; {why}" for why in (why_not, unlocked) if why)
        )
        if why_not:
            warn(f"normal priority: {why_not}")

    def _tell(self, transport: Transport, model: Model, seed: int) -> None:
        """The facts of this run."""
        self._board.tell(
            name=self._config.ports.name,
            version=__version__,
            seed=seed,
            model={
                "path": str(model_path(self._config)),
                "precision": str(model.info["precision"])[:LONGEST_FACT],
                "vocabulary": model.vocabulary.name,
            },
        )
        self._tell_ports(transport)

    def _tell_ports(self, transport: Transport) -> None:
        found = re.findall("'([^']*)'", transport.name)
        names = found if len(found) == 2 else [transport.name] * 2
        self._texts = [f"{what} on {transport.name}" for what in ("listening", "playing")]
        self._board.tell(state="running", transport=transport.name, input=names[0], output=names[1])

    def _report(self, error: Exception) -> None:
        """An error of our own: one line, and where it happened."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        say(
            f"broken: {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno} "
            f"in {place.name}); every note was closed",
            ERROR,
        )
        print(log.shown("".join(traceback.format_exception(error)), ERROR), file=sys.stderr)
