"""The whole instrument without ports and clocks: MIDI messages and the time in, messages out.

The live engine and the offline renderer drive the same player. What it sends it hands to `send`
with the owner of the message, performer (thru) or model.
"""

from collections.abc import Callable, Iterable

from .active_notes import ALL_NOTES_OFF, ALL_SOUND_OFF, MODEL, PERFORMER, ActiveNotes
from .config import Config
from .improviser import Improviser
from .memory import StepModel
from .midi_stream import is_message
from .music.events import Event, NoteOff, NoteOn, Pedal
from .music.midi import RELEASE_VELOCITY, event_of
from .plan import Playing, Token
from .turns import Turns

Send = Callable[[int, bytes], None]
"""`send(owner, message)`: put a message on the wire now."""

LOCAL_CONTROL = 122


class Player:
    """Thru, turn-taking, the model's notes and the account of all that sounds.

    Times are seconds since the performance began and never go back. `heard`, where given, collects
    the ids that enter the model's memory.
    """

    def __init__(
        self,
        model: StepModel,
        config: Config,
        send: Send,
        seed: int,
        heard: list[int] | None = None,
    ) -> None:
        self._config, self._send = config, send
        playing = Playing(
            temperature=config.sampling.temperature,
            top_p=config.sampling.top_p,
            lowest_pitch=config.sampling.lowest_pitch,
            highest_pitch=config.sampling.highest_pitch,
            longest_note=config.sampling.longest_note,
            lookahead=config.turns.lookahead,
            seed=seed,
        )
        self.improviser = Improviser(model, playing, heard)
        self.turns = Turns(config.turns.silence)
        self.active = ActiveNotes()
        self.replying = False
        self._last_channel = 0

    def receive(self, now: float, message: bytes) -> None:
        """A MIDI message came in; what must sound at once is sent before this returns.

        Clock and other system messages are not passed on, nor is what is no message at all.
        """
        if not is_message(message) or message[0] >= 0xF0:
            return
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if kind == 0xB0 and message[1] >= ALL_SOUND_OFF:
            self._channel_mode(now, message)
            return
        event = event_of(message, now)
        listened = event is not None and self._config.ports.listens_to(channel)
        if listened and isinstance(event, NoteOn):
            self._last_channel = channel
            if self.replying:
                self._take_floor(now)
        if self._config.ports.thru:
            self._pass_on(message, event, channel)
        if listened and event is not None:
            self._hear(event)

    def tick(self, now: float) -> None:
        """Send what is due; pass the floor on when its time has come."""
        self.improviser.advance(now)
        deadline = self.turns.deadline
        if deadline is not None and not self.replying and now >= deadline:
            self.replying = True
            self.turns.taken()
        while (token := self.improviser.due(now)) is not None:
            self._sound(token)
        if self.replying and self.improviser.reply is None:
            self.replying = False

    def think(self, now: float) -> bool:
        """At most one model step; whether there was one to do."""
        return self.improviser.think(now)

    def next_due(self) -> float | None:
        """When `tick` has something to do next; None: not until something is received."""
        due, deadline = self.improviser.next_due, self.turns.deadline
        if self.replying or deadline is None:
            return due
        return deadline if due is None else min(due, deadline)

    def silence(self, now: float) -> None:
        """End every note, the model's and those passed thru, and give up the reply."""
        self._quiet(now, self.active.silence())

    def panic(self, now: float) -> None:
        """Silence every channel."""
        self._quiet(now, self.active.panic())

    def _quiet(self, now: float, messages: Iterable[bytes]) -> None:
        self.improviser.silence(now)
        self.replying = False
        self.turns.forget()
        for message in messages:
            self._send(MODEL, message)

    def _hear(self, event: Event) -> None:
        self.turns.hear(event)
        self.improviser.hear(event)
        if self.replying:
            return
        deadline = self.turns.deadline
        if deadline is None:
            self.improviser.drop()
        else:
            length = self._config.turns.length_of_reply(self.turns.phrase.length)
            self.improviser.prepare(deadline, length)

    def _take_floor(self, now: float) -> None:
        """The performer plays: the reply falls silent at once."""
        for channel, pitch in self.active.of(MODEL):
            self._let_go(MODEL, channel, pitch)
        self.improviser.interrupt(now)
        self.replying = False

    def _pass_on(self, message: bytes, event: Event | None, channel: int) -> None:
        if isinstance(event, NoteOn):
            self.active.note_on(PERFORMER, channel, event.pitch)
        elif isinstance(event, NoteOff):
            self._let_go(PERFORMER, channel, event.pitch, message)
            return
        self.active.channels.add(channel)
        self._send(PERFORMER, message)

    def _channel_mode(self, now: float, message: bytes) -> None:
        """Controllers 120 to 127: all sound off is a panic; from 123 on all keys are up."""
        controller, channel = message[1], message[0] & 0x0F
        if controller == ALL_SOUND_OFF:
            self.panic(now)
            return
        if controller == LOCAL_CONTROL:
            return
        if self._config.ports.listens_to(channel):
            if controller >= ALL_NOTES_OFF:
                self.turns.release(now, channel)
                for pitch in self.improviser.memory.encoder.sounding_of(channel):
                    self._hear(NoteOff(now, pitch, channel))
            self._hear(Pedal(now, False, channel))
        if self._config.ports.thru:
            self._pass_mode_on(message, controller, channel)

    def _pass_mode_on(self, message: bytes, controller: int, channel: int) -> None:
        """As it came, but for an all-notes-off that would cut the model's notes off too."""
        if controller >= ALL_NOTES_OFF:
            for held_channel, pitch in self.active.of(PERFORMER):
                if held_channel == channel:
                    self._let_go(PERFORMER, channel, pitch)
            if any(held == channel for held, _ in self.active.of(MODEL)):
                return
        self._send(PERFORMER, message)

    def _sound(self, token: Token) -> None:
        for event in token.events:
            if isinstance(event, NoteOn):
                channel = self._config.ports.model_channel(self._last_channel)
                self.active.note_on(MODEL, channel, event.pitch)
                self._send(MODEL, bytes((0x90 | channel, event.pitch, event.velocity)))
                continue
            for struck_on, pitch in self.active.of(MODEL):
                if pitch == event.pitch:
                    self._let_go(MODEL, struck_on, pitch)

    def _let_go(self, owner: int, channel: int, pitch: int, message: bytes = b"") -> None:
        """Send the note-offs that are due now that `owner` lets go of a key."""
        note_off = message or bytes((0x80 | channel, pitch, RELEASE_VELOCITY))
        for _ in range(self.active.note_off(owner, channel, pitch)):
            self._send(owner, note_off)
