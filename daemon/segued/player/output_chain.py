"""The output path: sends thru and the model's notes, and keeps account of what sounds."""

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
"""`send(owner, message)`: send a message now."""


class OutputChain:
    """The output path of one player. `last_channel`: the one that the performer used last."""

    def __init__(self, ports: RoutingOptions, send: Send) -> None:
        self.active = ActiveNotes()
        self.last_channel = 0
        self._ports, self.send = ports, send
        self._setup = ports.setup()
        self._prefixes: dict[int, bytes] = {}  # channel -> a velocity prefix that awaits its note
        self._introduced = False  # whether the program was selected on the present connection

    def apply(self, ports: RoutingOptions) -> None:
        """Replace the options. A new program is selected before the model's next note.

        Sounding notes end on the channel on which they began.
        """
        self._ports, setup = ports, ports.setup()
        if setup != self._setup:
            self._setup, self._introduced = setup, False

    def pass_on(self, message: bytes) -> None:
        """Pass on a channel message of the performer."""
        kind, channel = message[0] & KIND_MASK, message[0] & CHANNEL_MASK
        if kind == NOTE_ON and message[2]:
            self.active.note_on(PERFORMER, channel, message[1])
        elif kind <= NOTE_ON:
            self._release(PERFORMER, channel, message[1], message)
            return
        self.active.channels.add(channel)
        if kind == CONTROL_CHANGE and message[1] == VELOCITY_PREFIX:
            self._prefixes[channel] = message
            return
        self._pass(PERFORMER, message)

    def pass_mode_on(self, message: bytes) -> None:
        """Pass on a channel mode message.

        All Notes Off on a channel where the model holds notes becomes the performer's note-offs.
        """
        controller, channel = message[1], message[0] & CHANNEL_MASK
        if controller >= ALL_NOTES_OFF:
            for held_channel, pitch in self.active.of(PERFORMER):
                if held_channel == channel:
                    self._release(PERFORMER, channel, pitch)
            for pitch in self.active.orphans(channel):
                while (channel, pitch) in self.active:
                    self._release(PERFORMER, channel, pitch)
            if any(held == channel for held, _ in self.active.of(MODEL)):
                return
        self.send(PERFORMER, message)

    def play(self, event: NoteOn | NoteOff) -> None:
        """Send a note-on or note-off of the model."""
        if isinstance(event, NoteOff):
            self.release_pitch(event.pitch)
            return
        if not self._introduced:
            self.choose_program()
            self._introduced = True
        channel = self._ports.model_channel(self.last_channel)
        self.active.note_on(MODEL, channel, event.pitch)
        self.send(MODEL, bytes((NOTE_ON | channel, event.pitch, event.velocity)))

    def release_pitch(self, pitch: int) -> None:
        """End the model's note of this pitch, if it holds one."""
        for channel, sounding in self.active.of(MODEL):
            if sounding == pitch:
                self._release(MODEL, channel, pitch)

    def release_model(self) -> None:
        """End all notes of the model."""
        for channel, pitch in self.active.of(MODEL):
            self._release(MODEL, channel, pitch)

    def all_off(self, messages: Iterable[bytes]) -> None:
        """Send the messages that end everything (see ActiveNotes)."""
        for message in messages:
            self.send(MODEL, message)

    def reconnected(self) -> None:
        """Select the program on new ports."""
        self._introduced = False
        self.choose_program()

    def choose_program(self) -> None:
        """Select the model's program: on new ports, and again before the first note.

        So a synth that was connected in between gets it too.
        """
        self.all_off(self._setup)

    def _release(self, owner: int, channel: int, pitch: int, message: bytes = b"") -> None:
        """Send the note-offs that are due when `owner` releases a key."""
        for each in self.active.note_off(owner, channel, pitch):
            own = each == owner and message
            lift = message if own else bytes((NOTE_OFF | channel, pitch, RELEASE_VELOCITY))
            self._pass(each, lift)

    def _pass(self, owner: int, message: bytes) -> None:
        """Send a message, preceded by its velocity prefix if there is one."""
        if self._prefixes and owner == PERFORMER:
            prefix = self._prefixes.pop(message[0] & CHANNEL_MASK, None)
            if prefix is not None:
                self.send(PERFORMER, prefix)
        self.send(owner, message)
