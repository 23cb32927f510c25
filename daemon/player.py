"""The whole instrument without ports and clocks: MIDI messages and the time in, messages out.

The live engine and the offline renderer drive the same player. What it sends it hands to `send`
with the owner of the message, performer (thru) or model.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from .active_notes import ALL_NOTES_OFF, ALL_SOUND_OFF, MODEL, PERFORMER, ActiveNotes
from .clock import Clock
from .config import Config
from .control import Control
from .floor import Floor
from .improviser import Improviser
from .inlet import Inlet
from .knobs import BY_NAME, Knobs
from .memory import StepModel
from .midi_stream import is_message
from .music.events import Event, NoteOff, NoteOn, Pedal
from .music.midi import RELEASE_VELOCITY, event_of
from .plan import Token
from .steering import HARD, SHAPING, Steering
from .turns import Turns

Send = Callable[[int, bytes], None]
"""`send(owner, message)`: put a message on the wire now."""

LOCAL_CONTROL = 122
SHAPE_EVERY = 0.1  # seconds between decisions for which a turning knob is the reason
NEVER = math.inf
MOST_NOTICES = 32


class Player:
    """Thru, turn-taking, the model's notes and the account of all that sounds.

    Times are seconds since the performance began and never go back. `knobs` holds what can be
    changed while it plays (change it with `set`), `control` what was mapped and learned. `notices`
    are lines for whoever keeps a log. `heard`, where given, collects the ids that the model's
    memory holds.
    """

    def __init__(
        self,
        model: StepModel,
        config: Config,
        send: Send,
        seed: int,
        heard: list[int] | None = None,
    ) -> None:
        self._config, self._wire = config, send
        self.notices: deque[str] = deque(maxlen=MOST_NOTICES)
        self.knobs = Knobs(config.knobs())
        self._steering = Steering(config, self.knobs, seed)
        self.improviser = Improviser(model, self._steering.playing, heard)
        self.turns = Turns(config.turns.silence)
        self.active = ActiveNotes()
        self.clock = Clock(self.knobs.tempo, config.sync.beats_per_bar)
        self._floor = Floor(self.improviser, self.turns, self.clock, config, self.knobs)
        self.control = Control(config.control, self, self.notices.append)
        self._inlet = Inlet(config.ports, self.control, self.notices.append)
        self._time = 0.0
        self._setup = config.ports.setup()
        self._introduced = False  # whether the model's instrument was told its program
        self._last_channel = 0
        self._last_shaped = self._shape_at = NEVER

    @property
    def replying(self) -> bool:
        """Whether the model has the floor."""
        return self._floor.replying

    def set(self, now: float, name: str, value: Any) -> None:
        """Turn a knob (see `daemon.knobs`). It counts for all that has not sounded yet.

        A flood of changes is taken together, a few times a second; what a note must not be, or how
        many may sound, holds at once. KeyError: no such knob; ValueError: no such value, with what
        is allowed.
        """
        self._time = now
        if not self.knobs.set(name, value):
            return
        if name in HARD:
            self._shape(now)
        elif name in SHAPING:
            self._shape_at = max(now, self._last_shaped + SHAPE_EVERY)
            if self._shape_at <= now:
                self._shape(now)
        elif name == "tempo":
            self.clock.set_tempo(now, self.knobs.tempo)
        elif name in ("mode", "gate"):
            self._fall_silent(now)
            self._floor.wake()
            self._floor.look_ahead()

    def do(self, now: float, action: str) -> None:
        """An action (see `daemon.knobs`). KeyError: it knows no such action."""
        self._time = now
        if not self.control.do(now, action):
            self._actions[action](self, now)

    def receive(self, now: float, message: bytes) -> None:
        """A MIDI message came in; what must sound at once is sent before this returns.

        Clock and transport are followed; like other system messages they are not passed on, nor
        is what is no message at all.
        """
        if not is_message(message):
            return
        if message[0] >= 0xF0:
            self._follow(now, message)
            return
        self._time = now
        taken = self._inlet.take(now, message)
        if (probe := self._inlet.probe(now)) is not None:
            self._send(MODEL, probe)
        if taken is None:
            return
        passed, heard = taken
        if message[0] & 0xF0 == 0xB0 and message[1] >= ALL_SOUND_OFF:
            self._channel_mode(now, message[1], passed, heard)
            return
        event = event_of(heard, now)
        if isinstance(event, NoteOn):
            self._last_channel = event.part
            if self._floor.yields:
                self._fall_silent(now)
            else:
                self._make_way(event.pitch)
        if passed:
            self._pass_on(passed)
        if event is not None:
            self._hear(event)

    def tick(self, now: float) -> None:
        """Send what is due; pass the floor on when its time has come."""
        self._time = now
        self.control.tick(now)
        self.improviser.advance(now)
        if now >= self._shape_at:
            self._shape(now)
        self._floor.tick(now)
        while (token := self.improviser.due(now)) is not None:
            self._sound(token)
        self._floor.ended()

    def think(self, now: float) -> bool:
        """At most one model step; whether there was one to do."""
        return self.improviser.think(now)

    def next_due(self) -> float | None:
        """When `tick` has something to do next; None: not until something is received."""
        times = (
            self.improviser.next_due,
            self._floor.next_due,
            self.control.next_due,
            self._shape_at,
        )
        soonest = min(time for time in times if time is not None)
        return None if soonest == NEVER else soonest

    def silence(self, now: float) -> None:
        """End every note, the model's and those passed thru, and give up the reply.

        What plays of its own accord does so no more until a key is played.
        """
        self._quiet(now, self.active.silence())

    def panic(self, now: float) -> None:
        """Silence every channel, and give up the reply."""
        self._quiet(now, self.active.panic())

    def go_on(self, now: float) -> None:
        """The wire is a new one: silence it, then play on in the way that is set."""
        self.panic(now)
        self.control.let_go(now)
        self.start(now)
        self._floor.wake()

    def start(self, now: float) -> None:
        """Choose the program of the model's instrument (`ports.program`).

        It is chosen again before its first note, for an instrument that was connected later.
        """
        self._time, self._introduced = now, False
        for message in self._setup:
            self._send(MODEL, message)

    def _quiet(self, now: float, messages: Iterable[bytes]) -> None:
        self._time = now
        self.improviser.silence(now)
        self._floor.lose()
        self._floor.rest()
        self.turns.forget()
        for message in messages:
            self._send(MODEL, message)

    def _follow(self, now: float, message: bytes) -> None:
        """Clock and transport. Stop ends what plays; what was played before Start asks no reply."""
        if self._config.sync.clock != "follow":
            return
        clock = self.clock
        ran, jumps = clock.running, clock.jumps
        clock.receive(now, message)
        if ran and not clock.running:
            self._fall_silent(now)
            self._floor.rest()
        elif clock.running and not ran:
            self.turns.taken()
            self._floor.wake()
        elif clock.jumps != jumps and not self.replying:
            self._floor.look_ahead()

    def _hear(self, event: Event) -> None:
        self.turns.hear(event)
        self.improviser.hear(event)
        if self._steering.hear(event):
            self._shape(event.time)
        self._floor.hear(event)

    def _shape(self, now: float) -> None:
        """What has not sounded is decided anew, by the knobs as they are now."""
        self._last_shaped, self._shape_at = now, NEVER
        self.improviser.play_as(self._steering.playing, now)

    def _fall_silent(self, now: float) -> None:
        """The model's notes end and its reply is given up; what sounded of it stays in memory."""
        for channel, pitch in self.active.of(MODEL):
            self._let_go(MODEL, channel, pitch)
        self.improviser.interrupt(now)
        self._floor.lose()

    def _make_way(self, pitch: int) -> None:
        """The performer strikes a key: the model lets go of that pitch."""
        for channel, sounding in self.active.of(MODEL):
            if sounding == pitch:
                self._let_go(MODEL, channel, pitch)

    def _forget(self, now: float) -> None:
        self._fall_silent(now)
        self.improviser.forget()
        self._steering.forget()
        self.turns.taken()

    def _take(self, now: float) -> None:
        self._floor.take(now)

    def _give(self, now: float) -> None:
        self._fall_silent(now)
        self.turns.taken()
        self._floor.rest()

    def _tap(self, now: float) -> None:
        tempo = self.clock.tap(now)
        if tempo is not None:
            knob = BY_NAME["tempo"]
            self.knobs.set("tempo", min(max(tempo, knob.low), knob.high))

    _actions: ClassVar[dict[str, Callable[["Player", float], None]]] = {
        "panic": panic,
        "forget": _forget,
        "take": _take,
        "give": _give,
        "tap": _tap,
    }

    def _send(self, owner: int, message: bytes) -> None:
        self._inlet.sent(self._time, owner, message)
        self._wire(owner, message)

    def _pass_on(self, message: bytes) -> None:
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if kind == 0x90 and message[2]:
            self.active.note_on(PERFORMER, channel, message[1])
        elif kind <= 0x90:
            self._let_go(PERFORMER, channel, message[1], message)
            return
        self.active.channels.add(channel)
        self._send(PERFORMER, message)

    def _channel_mode(self, now: float, controller: int, passed: bytes, heard: bytes) -> None:
        """Controllers 120 to 127: all sound off is a panic; from 123 on all keys are up."""
        if controller == ALL_SOUND_OFF:
            self.panic(now)
            return
        if controller == LOCAL_CONTROL:
            return
        if heard:
            part = heard[0] & 0x0F
            if controller >= ALL_NOTES_OFF:
                self.turns.release(now, part)
                for pitch in self.improviser.memory.encoder.sounding_of(part):
                    self._hear(NoteOff(now, pitch, part))
            self._hear(Pedal(now, False, part))
        if passed:
            self._pass_mode_on(passed, controller, passed[0] & 0x0F)

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
                if not self._introduced:
                    self.start(self._time)
                    self._introduced = True
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
