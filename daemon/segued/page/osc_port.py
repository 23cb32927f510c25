"""OSC over UDP, in and out: commands to the daemon, and events from it.

On loopback it accepts messages of this machine. Elsewhere OSC cannot authenticate the sender, so
only the addresses to which it sends are accepted. Messages that come too fast are dropped, except
the last value of each knob and note-offs.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Sequence
from typing import Any

from ..control.knobs import KNOBS
from ..ports.options import LOOPBACK, host_and_port
from ..service.event_ring import KEY, KNOB, NO_TEMPO, TEMPO, TURN, Event
from ..service.log import warn
from .commands import HeldKeys
from .feed import Feed
from .guard import Rate
from .osc_codec import OscMessage, decode, encode
from .osc_messages import ASK, BEAT, command_of, knob_message, messages_of

MESSAGES_A_SECOND = 2000
COALESCE = 0.01  # seconds between two values of a knob that reach the music
REST = 0.3  # seconds after which a hand rests that turned a knob by OSC
ACTIVE_FOR = 10.0  # seconds after a message in which more are expected
TRY_AGAIN = 10.0  # seconds between two tries to have the port
COMPLAIN_EVERY = 10.0  # seconds between two lines about what was wrong
FASTEST_BEAT = 0.1  # seconds

Address = tuple[str, int]


class OscPort(asyncio.DatagramProtocol):
    """Listens on (host, port), and sends events to each of `targets` ("HOST:PORT")."""

    def __init__(self, feed: Feed, host: str, port: int, targets: Sequence[str]) -> None:
        self._feed, self._host, self._port = feed, host, port
        self._names = [host_and_port(target) for target in targets]
        self._targets: list[Any] = []  # addresses, as sockets take them
        self._heard: set[str] | None = None  # hosts that are heard; None: all
        self._out: dict[int, socket.socket] = {}  # by address family
        self._until = 0.0
        self._rate, self._held = Rate(MESSAGES_A_SECOND), HeldKeys()
        self._pending: dict[str, Any] = {}  # knobs that are to be set
        self._turned: dict[str, float] = {}  # when a knob was turned from here
        self._values: dict[str, float] = {}  # as the ring has them
        self._flushing: asyncio.TimerHandle | None = None
        self._told: dict[str, tuple[Any, ...]] = {}
        self._complained = -COMPLAIN_EVERY
        self._beats: asyncio.TimerHandle | None = None
        self._tempo: Event | None = None

    @property
    def active(self) -> bool:
        """Whether it needs events, or expects more commands soon."""
        return bool(self._targets) or time.monotonic() < self._until

    async def run(self) -> None:
        """Run until cancelled."""
        self._loop = asyncio.get_running_loop()
        transport = await self._opened()
        self._feed.follow(self)
        try:
            while True:  # a name may come to mean another address
                await self._find_targets()
                await asyncio.sleep(TRY_AGAIN)
        finally:
            for message in self._held.releases():
                self._feed.command(["receive", message], owed=True)
            if self._beats is not None:
                self._beats.cancel()
            transport.close()
            for out in self._out.values():
                out.close()

    # --- in

    def datagram_received(self, data: bytes, address: Any) -> None:
        """asyncio's."""
        if self._heard is not None and address[0] not in self._heard:
            self._complain(f"from {address[0]}, which is not in osc.send")
            return
        if not self.active:
            self._feed.wake()
        self._until = time.monotonic() + ACTIVE_FOR
        try:
            for message in decode(data):
                self._obey(message)
        except ValueError as error:
            self._complain(f"from {address[0]}: {error}")

    def _obey(self, message: OscMessage) -> None:
        within = self._rate.allows(time.monotonic())
        if message.address == ASK:
            if within:
                self._told.clear()
                self._feed.restate()
            return
        command = command_of(message)
        if command is None:
            return
        if command[0] == "set":
            self._turn(*command[1:])
        elif command[0] == "recall":
            if within and not self._feed.recall(command[1]):
                raise ValueError(f"there is no preset {command[1][:40]!r}")
        elif within or self._held.ends(command):
            self._flush()
            if command[0] == "receive":
                self._held.play(command[1])
            self._feed.command(command, owed=True)

    def _turn(self, name: str, value: Any) -> None:
        self._turned[name] = time.monotonic()
        self._pending[name] = value
        if self._flushing is None:
            self._flushing = self._loop.call_later(COALESCE, self._flush)

    def _flush(self) -> None:
        """Set the pending knobs; those that cannot be sent now are tried again soon."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        for name in [*self._pending]:
            if not self._feed.command(["set", name, self._pending[name]], owed=False):
                self._flushing = self._loop.call_later(COALESCE, self._flush)
                return
            del self._pending[name]

    # --- out

    def hear(self, events: list[Event], now: float) -> None:
        """Send events."""
        if not self._targets:
            return
        for event in events:
            if event.kind == KNOB:
                self._tell_knob(event)
            else:
                for message in messages_of(event, now):
                    self._tell(event.kind, message)
            if event.kind == TEMPO:
                self._follow(event, now)

    def _tell_knob(self, event: Event) -> None:
        knob = KNOBS[event.a]
        self._values[knob.name] = event.value
        rests = self._turned.get(knob.name, 0.0) + REST
        if time.monotonic() >= rests:
            self._tell(KNOB, knob_message(knob, event.value))
        else:
            self._loop.call_later(rests - time.monotonic(), self._tell_late, event.a)

    def _tell_late(self, place: int) -> None:
        """The hand may rest by now."""
        knob = KNOBS[place]
        if time.monotonic() >= self._turned[knob.name] + REST:
            self._tell(KNOB, knob_message(knob, self._values[knob.name]))

    def _tell(self, kind: int, message: OscMessage) -> None:
        """Send a message to all targets; states only if they have changed."""
        if kind in (KEY, TEMPO, TURN, KNOB):
            if self._told.get(message.address) == message.arguments:
                return
            self._told[message.address] = message.arguments
        data = encode(message)
        for family, address in self._targets:
            with contextlib.suppress(OSError):  # lost, as on the wire
                self._out[family].sendto(data, address)

    def _follow(self, tempo: Event, now: float) -> None:
        """Send beats at this tempo from now on."""
        if self._beats is not None:
            self._beats.cancel()
            self._beats = None
        self._tempo = tempo
        if tempo.a != NO_TEMPO and tempo.value and 60.0 / tempo.value >= FASTEST_BEAT:
            self._next_beat(now)

    def _next_beat(self, now: float) -> None:
        assert self._tempo is not None
        first, length = self._tempo.time, 60.0 / self._tempo.value
        beat = int((now - first) // length) + 1
        wait = first + beat * length - now
        self._beats = self._loop.call_later(wait, self._beat, beat)

    def _beat(self, beat: int) -> None:
        assert self._tempo is not None
        bar, bpm = max(1, self._tempo.b), float(self._tempo.value)
        self._tell(0, OscMessage(BEAT, (beat % bar + 1, bpm)))
        # what fires a moment early must not fire twice
        due = self._tempo.time + beat * 60.0 / bpm
        self._next_beat(max(time.perf_counter(), due + 0.5 * FASTEST_BEAT))

    # --- where

    async def _opened(self) -> asyncio.DatagramTransport:
        """Open the port, once it is free."""
        warned = False
        while True:
            try:
                transport, _ = await self._loop.create_datagram_endpoint(
                    lambda: self, local_addr=(self._host, self._port)
                )
            except OSError as error:
                if not warned:
                    warn(f"no OSC on {self._host}:{self._port} yet: "
                         f"{error.strerror or error} (set osc.port to another)")  # fmt: skip
                warned = True
                await asyncio.sleep(TRY_AGAIN)
            else:
                return transport

    async def _find_targets(self) -> None:
        """The addresses of the targets whose names can be resolved."""
        found: list[Any] = []
        for host, port in self._names:
            try:
                about = await self._loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            except OSError as error:
                self._complain(f"to {host}: {error.strerror or error}")
                continue
            family, *_, address = about[0]
            found.append((family, address))
            if family not in self._out:
                self._out[family] = socket.socket(family, socket.SOCK_DGRAM)
                self._out[family].setblocking(False)
        if self._host not in LOOPBACK:
            self._heard = {*LOOPBACK, *(address[0] for _, address in found)}
        if found and found != self._targets:
            self._targets = found
            self._told.clear()
            self._feed.wake()
            self._feed.restate()

    def _complain(self, why: str) -> None:
        """Log a warning, at most every `COMPLAIN_EVERY` seconds."""
        now = time.monotonic()
        if now >= self._complained + COMPLAIN_EVERY:
            self._complained = now
            warn(f"OSC {why}")
