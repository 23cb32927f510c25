"""The one real-time loop: ports to player to ports.

Hot path: no logging, no locks, no other thread. Between any two model steps it checks the input and
sends what is due.
"""

import gc
import time
from collections.abc import Callable

from ..midi.messages import KIND_MASK, NOTE_ON
from ..player.active_notes import CLOCK, MODEL, PERFORMER
from ..player.commands import RELEASE_ALL, RELEASE_KEYS, RESTART, THINK, TICK, Receive
from ..player.output_chain import Send
from ..player.player import Player
from ..ports.echo_filter import EchoFilter
from ..ports.transport import NoTransport, Transport
from .command_port import CommandPort, HearPreset, UseModel, Watch
from .event_tap import EventTap
from .hanging_notes import HangingNotes
from .state_file import StateFile

MAX_WAIT = 0.02  # seconds; the longest sleep of the loop, so the longest delay of a signal
REST_WAIT = 0.05  # the same, while nobody plays
WATCHED_WAIT = 0.01  # the same, while a page is open
PAGE_WAIT = 0.002  # the same, while somebody plays on the page
PAGE_PLAYS = 10.0  # seconds after a note from the page in which more are expected
MAX_COMMANDS = 32  # commands executed per turn of the loop
MAX_BURST = 32  # messages read from the input before due messages are sent again
REST_AFTER = 5.0  # seconds without work until garbage is collected and the loop rests
ALIVE_EVERY = 0.25  # seconds between checks whether the MIDI system still exists
CHORES_EVERY = 0.25  # seconds between calls of `chores`
CHORD = 0.002  # seconds after a note-on in which its chord may grow; no model step is made in them
LONGEST_CHORD = 0.004  # seconds after a chord's first note in which that holds
LATE = 0.003  # seconds from which on a planned message counts as late: listeners notice that


class Engine:
    """Drives a player in real time until `stop` is called, for example by a signal handler.

    Its counts, measurements and sounding notes are in `state_file`. `chores(now)` is called between
    two notes, every `CHORES_EVERY` seconds also when the loop is busy; it must be quick.
    `commands` brings commands from other processes. Times are seconds since the engine was made;
    `began` is that moment on `clock`.
    """

    def __init__(
        self,
        transport: Transport,
        make_player: Callable[[Send], Player],
        clock: Callable[[], float] = time.perf_counter,
        state_file: StateFile | None = None,
        chores: Callable[[float], None] = lambda now: None,
        commands: CommandPort | None = None,
    ) -> None:
        self._transport, self._clock, self._chores = transport, clock, chores
        self.began = clock()
        self._stopping = self._leaving = False
        self._due: float | None = None  # when the messages being sent were due; None: unplanned
        self._next_chores = self._next_look = 0.0
        state_file = state_file or StateFile()
        self.lateness, self.steps = state_file.lateness, state_file.steps
        self._ledger = state_file.ledger
        self.tap, self._commands = EventTap(state_file.events, self.began), commands
        self._page_plays = -PAGE_PLAYS  # when the last note came from the page
        self.sent = self.received = self.late = 0
        self.notes_played = self.notes_thru = self.replies = 0
        self.last_received = self.last_played = 0.0  # 0: never
        self.last_struck = -CHORD  # when the last note-on arrived
        self._chord = -LONGEST_CHORD  # when the first note-on of the current chord arrived
        self.lost = not transport.alive()
        self.peers = (-1, -1)  # connections to the input and to the output; -1: unknown
        self._hanging = HangingNotes(state_file.ledger)
        self.echoes = EchoFilter(self._say)
        self.player = make_player(self._send)
        self.echoes.enabled = self.player.filters_echoes

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def connect(self, transport: Transport) -> None:
        """Play through this transport from now on.

        Hanging notes are ended first: those that the ledger still has from a crash of an earlier
        daemon or from the loss of the previous transport. A synth that connects later also gets
        these note-offs.
        """
        self._transport, self.lost = transport, False
        self.peers = self._hanging.connect(transport)
        self.player.perform(self.now(), RESTART)

    def disconnect(self) -> None:
        """Go on without ports, which the caller has closed, until `connect`."""
        self._transport, self.lost = NoTransport(), True
        self.peers = self._transport.peers()

    def idle(self) -> None:
        """Do the chores while there are no ports.

        What the player sends meanwhile reaches no synth, so the ledger is left unchanged.
        """
        self._take_commands()
        self._chores(self.now())
        if self.tap.on:
            self.tap.update(self.player, self.now())
        self._ledger.unconfirm()

    def change_player(self, make_player: Callable[[Send], Player]) -> None:
        """Replace the player. Call this between two notes only."""
        self.player = make_player(self._send)

    def leave(self) -> None:
        """Make `run` end all notes and return at the loop's next turn; it may be called again."""
        self._leaving = True

    def stop(self) -> None:
        """End the loop at its next turn. Safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Play until `stop`, `leave` or the loss of the ports, then end every note.

        Notes are also ended after an exception in the player: then by the ledger.
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
                self._hanging.end(self._transport, self.lost)

    def _loop(self) -> None:
        transport = self._transport
        last_busy = self.now()
        rests = False
        self._leaving = False
        while not (self._stopping or self._leaving):
            player = self.player
            busy = self._take_input() | self._take_commands()
            self._deliver_held()
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
                self.tap.update(player, now)
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
        """Whether more notes of a chord may arrive.

        Their thru must not wait for a model step, and a step before the last one would be wasted.
        """
        return now - self.last_struck < CHORD and now - self._chord < LONGEST_CHORD

    def _do_chores(self, now: float) -> bool:
        """Do the periodic work; return whether the ports still exist."""
        self._next_chores = now + CHORES_EVERY
        self._chores(now)
        self.echoes.enabled = self.player.filters_echoes
        if now >= self._next_look:
            self._next_look = now + ALIVE_EVERY
            self.lost = not self._transport.alive()
            if not self.lost:
                self._ledger.confirm()
            self._update_peers(self._transport.peers())
        return not self.lost

    def _take_input(self) -> bool:
        for taken in range(MAX_BURST):
            message = self._transport.receive()
            if message is None:
                return taken > 0
            now = self.now()
            self._note_arrival(now, message)
            if self.echoes.take(now, message):
                self._deliver(now, Receive(message))
        return True

    def _note_arrival(self, now: float, message: bytes) -> None:
        if message[0] & KIND_MASK == NOTE_ON and message[2]:
            if now - self.last_struck >= CHORD:
                self._chord = now
            self.last_struck = now
        self.received += 1
        self.last_received = now

    def _deliver(self, now: float, command: Receive) -> None:
        """Pass a message of the performer to the player."""
        if self.tap.on:
            self.tap.received(now, command.message)
        self.player.perform(now, command)

    def _take_commands(self) -> bool:
        """Execute the commands of other processes; return whether there were any.

        Without ports, MIDI messages from the page are dropped.
        """
        if self._commands is None:
            return False
        for taken in range(MAX_COMMANDS):
            command = self._commands.receive()
            if command is None:
                return taken > 0
            now = self.now()
            if isinstance(command, Watch):
                self.tap.watch(now, *command)
            elif isinstance(command, UseModel):
                self.player.control.wanted_model = command.name
            elif isinstance(command, HearPreset):
                self.player.control.wanted_music = command.name
            elif isinstance(command, Receive):
                if not self.lost:
                    self._page_plays = now
                    self._note_arrival(now, command.message)
                    self._deliver(now, command)
            else:
                self.player.perform(now, command)
        return True

    def _deliver_held(self) -> None:
        """Deliver the messages that the echo filter held back for a moment."""
        now = self.now()
        while (message := self.echoes.release(now)) is not None:
            self._deliver(now, Receive(message))

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
        note_on = message[0] & KIND_MASK == NOTE_ON and message[2]
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

    def _update_peers(self, peers: tuple[int, int]) -> None:
        """React to changed connections.

        When the last connection to the input is gone, all keys and pedals are released. When a
        synth has connected to the output, it gets the note-offs of old notes; where connections
        cannot be counted, at the first input.
        """
        if peers[0] == 0 < self.peers[0] and not self.lost:
            self.player.perform(self.now(), RELEASE_KEYS)
        came = peers[1] > self.peers[1] if peers[1] >= 0 else self.received > 0
        if came and self._transport.backend != "tcp":
            self._hanging.greet(self._transport)
        self.peers = peers
