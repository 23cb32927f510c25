"""The way out: sends what the performer and the model play, and knows what sounds and for whom."""

from collections.abc import Callable, Iterable

from ..midi.messages import (
    ALL_NOTES_OFF,
    CHANNEL_MASK,
    CONTROL_CHANGE,
    KIND_MASK,
    NOTE_OFF,
    NOTE_ON,
    RELEASE_VELOCITY,
    VELOCITY_PREFIX,
)
from ..tokens.events import NoteOff, NoteOn
from .active_notes import MODEL, PERFORMER, ActiveNotes
from .options import RoutingOptions

Send = Callable[[int, bytes], None]
"""`send(owner, message)`: put a message on the wire now."""


class OutputChain:
    """`last_channel` is the performer's, for a model that plays on the same one."""

    def __init__(self, ports: RoutingOptions, send: Send) -> None:
        self.active = ActiveNotes()
        self.last_channel = 0
        self._ports, self.send = ports, send
        self._setup = ports.setup()
        self._prefixes: dict[int, bytes] = {}  # of channels whose next message has not come yet
        self._introduced = False  # whether the model's instrument was told its program

    def apply(self, ports: RoutingOptions) -> None:
        """Go on with other options. Another program is chosen before the next note of the model's;
        what sounds ends where it began."""
        self._ports, setup = ports, ports.setup()
        if setup != self._setup:
            self._setup, self._introduced = setup, False

    def pass_on(self, message: bytes) -> None:
        """A channel message of the performer's."""
        kind, channel = message[0] & KIND_MASK, message[0] & CHANNEL_MASK
        if kind == NOTE_ON and message[2]:
            self.active.note_on(PERFORMER, channel, message[1])
        elif kind <= NOTE_ON:
            self._let_go(PERFORMER, channel, message[1], message)
            return
        self.active.channels.add(channel)
        if kind == CONTROL_CHANGE and message[1] == VELOCITY_PREFIX:
            self._prefixes[channel] = message
            return
        self._pass(PERFORMER, message)

    def pass_mode_on(self, message: bytes) -> None:
        """A channel mode message, as it came, but for an all-notes-off that would cut the model's
        notes off too."""
        controller, channel = message[1], message[0] & CHANNEL_MASK
        if controller >= ALL_NOTES_OFF:
            for held_channel, pitch in self.active.of(PERFORMER):
                if held_channel == channel:
                    self._let_go(PERFORMER, channel, pitch)
            for pitch in self.active.orphans(channel):
                while (channel, pitch) in self.active:
                    self._let_go(PERFORMER, channel, pitch)
            if any(held == channel for held, _ in self.active.of(MODEL)):
                return
        self.send(PERFORMER, message)

    def sound(self, event: NoteOn | NoteOff) -> None:
        """A note of the model's, on or off."""
        if isinstance(event, NoteOff):
            self.make_way(event.pitch)
            return
        if not self._introduced:
            self.choose_program()
            self._introduced = True
        channel = self._ports.model_channel(self.last_channel)
        self.active.note_on(MODEL, channel, event.pitch)
        self.send(MODEL, bytes((NOTE_ON | channel, event.pitch, event.velocity)))

    def make_way(self, pitch: int) -> None:
        """The model lets go of a pitch, where it holds it."""
        for channel, sounding in self.active.of(MODEL):
            if sounding == pitch:
                self._let_go(MODEL, channel, pitch)

    def hush(self) -> None:
        """The model lets go of all its notes."""
        for channel, pitch in self.active.of(MODEL):
            self._let_go(MODEL, channel, pitch)

    def all_off(self, messages: Iterable[bytes]) -> None:
        """Send what ends everything (see ActiveNotes)."""
        for message in messages:
            self.send(MODEL, message)

    def renew(self) -> None:
        """The wire is a new one: the model's instrument is told its program."""
        self._introduced = False
        self.choose_program()

    def choose_program(self) -> None:
        """Of the model's instrument, on a new wire and again before the first note on it: what was
        connected in between is to have it too."""
        self.all_off(self._setup)

    def _let_go(self, owner: int, channel: int, pitch: int, message: bytes = b"") -> None:
        """Send the note-offs that are due now that `owner` lets go of a key."""
        for each in self.active.note_off(owner, channel, pitch):
            own = each == owner and message
            lift = message if own else bytes((NOTE_OFF | channel, pitch, RELEASE_VELOCITY))
            self._pass(each, lift)

    def _pass(self, owner: int, message: bytes) -> None:
        """Send a message, after the prefix that came for it."""
        if self._prefixes and owner == PERFORMER:
            prefix = self._prefixes.pop(message[0] & CHANNEL_MASK, None)
            if prefix is not None:
                self.send(PERFORMER, prefix)
        self.send(owner, message)
