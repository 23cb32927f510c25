"""The one real-time loop: ports to player to ports.

Hot path: no logging, no locks, no thread but this one. Between any two model steps it looks at the
input and at what is due.
"""

import gc
import time
from collections.abc import Callable

from ..player.active_notes import CLOCK, MODEL, PERFORMER
from ..player.commands import RELEASE_ALL, RELEASE_KEYS, RESTART, THINK, TICK, Receive
from ..player.output_chain import Send
from ..player.player import Player
from ..ports.echo_filter import EchoFilter
from ..ports.transport import NoTransport, Transport
from .command_port import CommandPort, Watch
from .event_tap import EventTap
from .state_file import StateFile

MAX_WAIT = 0.02  # seconds; how long a signal may wait for the loop
REST_WAIT = 0.05  # the same, while nobody plays
WATCHED_WAIT = 0.01  # the same, while a page is open
PAGE_WAIT = 0.002  # the same, while somebody plays on the page
PAGE_PLAYS = 10.0  # seconds after a note of the page in which more are expected
MAX_COMMANDS = 32  # commands taken at each turn
MAX_BURST = 32  # messages taken from the input before what is due is looked at again
REST_AFTER = 5.0  # seconds without anything to do: then garbage is collected, and the loop rests
ALIVE_EVERY = 0.5  # seconds between looks at whether the MIDI system is still there
CHORES_EVERY = 0.25  # seconds between the chores of whoever drives the engine
CHORD = 0.002  # seconds after a note-on in which more of the same chord is expected, no thinking
LONGEST_CHORD = 0.004  # seconds in which that may go on
LATE = 0.003  # seconds from which on a planned message counts as late: listeners notice that


class Engine:
    """Drives a player in real time until `stop` is called (from a signal handler, say).

    What it counts, measures and has sounding is on `board`. `chores(now)` is called between two
    notes, at least every `CHORES_EVERY` seconds however busy it is; it must be quick. `commands`:
    where other processes ask for something. Times are seconds since the engine was made; `began` is
    that moment on the clock.
    """

    def __init__(
        self,
        transport: Transport,
        make_player: Callable[[Send], Player],
        clock: Callable[[], float] = time.perf_counter,
        board: StateFile | None = None,
        chores: Callable[[float], None] = lambda now: None,
        commands: CommandPort | None = None,
    ) -> None:
        self._transport, self._clock, self._chores = transport, clock, chores
        self.began = clock()
        self._stopping = self._leaving = False
        self._due: float | None = None  # when what is being sent was due; None: at no set time
        self._next_chores = self._next_look = 0.0
        board = board or StateFile()
        self.lateness, self.steps, self._ledger = board.lateness, board.steps, board.ledger
        self.tap, self._commands = EventTap(board.events, self.began), commands
        self._page_plays = -PAGE_PLAYS  # when a note came from the page last
        self.sent = self.received = self.late = 0
        self.notes_played = self.notes_thru = self.replies = 0
        self.last_received = self.last_played = 0.0  # 0: never
        self._struck = -CHORD  # when the last note-on came
        self._chord = -LONGEST_CHORD  # when the note-ons began that came close together
        self.lost = not transport.alive()
        self.peers = (-1, -1)  # connected to the input and to the output; -1: cannot be known
        self._owed: list[bytes] = []  # what ends old notes, and may have been heard by nobody yet
        self.echoes = EchoFilter(self._say)
        self.player = make_player(self._send)
        self.echoes.enabled = self.player.filters_echoes

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def take(self, transport: Transport) -> None:
        """Play through this transport from now on. Everything on it is silenced first, above all
        what the account still has: what the crash of an earlier daemon or the loss of the last
        transport left sounding. Whoever connects to it later is told that too."""
        self._transport, self.lost = transport, False
        left = self._ledger.silence()
        self._ledger.clear()
        self._owed = left
        transport.welcome = lambda: [*self._owed, *self._ledger.hush()]
        self.peers = transport.peers()
        for message in left:
            transport.send(message)
        self.player.perform(self.now(), RESTART)

    def disconnect(self) -> None:
        """Go on without ports, which were closed; `take` ends that."""
        self._transport, self.lost = NoTransport(), True
        self.peers = self._transport.peers()

    def idle(self) -> None:
        """The chores, while there are no ports. What the player sends meanwhile reaches nobody, so
        the account of what sounds stays as it was."""
        self._take_commands()
        self._chores(self.now())
        if self.tap.on:
            self.tap.look(self.player, self.now())
        self._ledger.unconfirm()

    def change_player(self, make_player: Callable[[Send], Player]) -> None:
        """Go on with another player. Between two notes only."""
        self.player = make_player(self._send)

    def leave(self) -> None:
        """Let `run` return at the loop's next turn, every note closed; it may be run again."""
        self._leaving = True

    def stop(self) -> None:
        """End the loop at its next turn. Safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Play until stopped or the MIDI system goes away; every note is closed on the way out.

        Also when something breaks: then by the account of what is on the wire.
        """
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            self._loop()
        finally:
            gc.enable()
            gc.unfreeze()
            try:
                self.player.perform(self.now(), RELEASE_ALL)
            finally:
                self._end_what_is_left()

    def _loop(self) -> None:
        transport = self._transport
        last_busy = self.now()
        rests = False
        self._leaving = False
        while not (self._stopping or self._leaving):
            player = self.player
            busy = self._take_input() | self._take_commands()
            self._hand_on_held()
            now = self.now()
            due = player.next_due()
            self._due = now if due is None else due
            replying = player.replying
            player.perform(now, TICK)
            self._due = None
            self.replies += player.replying and not replying
            began = self.now()
            more_to_come = self._more_to_come(now)
            if not more_to_come and player.perform(now, THINK):
                self.steps.add(self.now() - began)
                busy = True
            if self.tap.on:
                self.tap.look(player, now)
            if now >= self._next_chores and not self._do_chores(now):
                return
            if busy:
                last_busy, rests = now, False
                continue
            due = player.next_due()
            idle = due is None or not player.busy
            if idle and not rests and now - last_busy > REST_AFTER:
                gc.collect()
                rests = True
            holds = self.echoes.next_due is not None
            longest = CHORD if more_to_come or holds else REST_WAIT if rests else MAX_WAIT
            if self.tap.on:
                plays = now - self._page_plays < PAGE_PLAYS
                longest = min(longest, PAGE_WAIT if plays else WATCHED_WAIT)
            wait = min(longest, max(0.0, due - self.now())) if due is not None else longest
            transport.wait(wait, rests and idle and not holds)

    def _more_to_come(self, now: float) -> bool:
        """Whether a chord is being struck: its next key shall not have to wait for a model step,
        and what is thought before its last is void."""
        return now - self._struck < CHORD and now - self._chord < LONGEST_CHORD

    def _do_chores(self, now: float) -> bool:
        """What needs doing now and then; whether the MIDI system is still there."""
        self._next_chores = now + CHORES_EVERY
        self._chores(now)
        self.echoes.enabled = self.player.filters_echoes
        if now >= self._next_look:
            self._next_look = now + ALIVE_EVERY
            self.lost = not self._transport.alive()
            if not self.lost:
                self._ledger.confirm()
            self._count(self._transport.peers())
        return not self.lost

    def _take_input(self) -> bool:
        for taken in range(MAX_BURST):
            message = self._transport.receive()
            if message is None:
                return taken > 0
            now = self.now()
            self._note_arrival(now, message)
            if self.echoes.take(now, message):
                self._hand_on(now, Receive(message))
        return True

    def _note_arrival(self, now: float, message: bytes) -> None:
        if message[0] & 0xF0 == 0x90 and message[2]:
            if now - self._struck >= CHORD:
                self._chord = now
            self._struck = now
        self.received += 1
        self.last_received = now

    def _hand_on(self, now: float, command: Receive) -> None:
        """The performer played something."""
        if self.tap.on:
            self.tap.received(now, command.message)
        self.player.perform(now, command)

    def _take_commands(self) -> bool:
        """Do what other processes ask; whether they did. Without ports nothing can be played."""
        if self._commands is None:
            return False
        for taken in range(MAX_COMMANDS):
            command = self._commands.receive()
            if command is None:
                return taken > 0
            now = self.now()
            if isinstance(command, Watch):
                self.tap.watch(now, *command)
            elif isinstance(command, Receive):
                if not self.lost:
                    self._page_plays = now
                    self._note_arrival(now, command.message)
                    self._hand_on(now, command)
            else:
                self.player.perform(now, command)
        return True

    def _hand_on_held(self) -> None:
        """What the echo filter held for a moment."""
        now = self.now()
        while (message := self.echoes.release(now)) is not None:
            self._hand_on(now, Receive(message))

    def _say(self, line: str) -> None:
        self.player.notices.append(line)

    def now(self) -> float:
        """Seconds since the engine was made."""
        return self._clock() - self.began

    def _send(self, owner: int, message: bytes) -> None:
        self.echoes.sent(self.now(), message, owner == MODEL)
        self._ledger.before(message)
        self._transport.send(message)
        self._ledger.after(message)
        self.sent += 1
        note_on = message[0] & 0xF0 == 0x90 and message[2]
        if owner == PERFORMER:
            self.notes_thru += bool(note_on)
            return
        if owner == CLOCK:
            return
        now = self.now()
        if self.tap.on:
            self.tap.sent(now, message)
        if note_on:
            self.notes_played += 1
            self.last_played = now
        if self._due is not None:
            late = max(0.0, now - self._due)
            self.lateness.add(late)
            self.late += late > LATE

    def _count(self, peers: tuple[int, int]) -> None:
        """Who has come or gone. With the last cable to the input all that it held down comes up."""
        if peers[0] == 0 < self.peers[0] and not self.lost:
            self.player.perform(self.now(), RELEASE_KEYS)
        self._greet(peers)

    def _greet(self, peers: tuple[int, int]) -> None:
        """Who has come to the output hears once what an earlier daemon left sounding there.

        Where nobody knows who is connected: when something has come in, so somebody is there.
        """
        came = peers[1] > self.peers[1] if peers[1] >= 0 else self.received > 0
        if self._owed and came and self._transport.backend != "tcp":
            keys = {(channel, pitch) for channel, pitch, _ in self._ledger.sounding()}
            channels = {channel for channel, _ in keys} | {*self._ledger.pedals()}
            for message in self._owed:
                channel = message[0] & 0x0F
                note_off = message[0] & 0xF0 == 0x80
                if (channel, message[1]) not in keys if note_off else channel not in channels:
                    self._transport.send(message)
            self._owed = []
        self.peers = peers

    def _end_what_is_left(self) -> None:
        """Should anything still sound by the account, as after an error in the player itself."""
        if self._ledger.sounding() or self._ledger.pedals():
            for message in self._ledger.silence():
                self._transport.send(message)
        if self.lost:  # none of it may have arrived
            self._ledger.unconfirm()
        else:
            self._ledger.clear()
