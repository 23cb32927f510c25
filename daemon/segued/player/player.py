"""The sans-IO player: MIDI messages and the time in, MIDI messages out.

The live engine and the offline renderer drive the same player. It calls `send` with each message
and its owner: performer (thru), model or clock.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, Protocol

from ..control.controller import Controller
from ..control.knobs import BY_NAME, Knobs
from ..generation.context import PrimedModel, StepModel
from ..generation.improviser import Improviser
from ..generation.scales import KeyFollower
from ..midi.files import event_of
from ..midi.messages import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    CHANNEL_MASK,
    CONTROL_CHANGE,
    KIND_MASK,
    LOCAL_CONTROL,
    NOTE_ON,
    PEDALS,
    STOP,
    SYSTEM,
    control_change,
    is_message,
)
from ..timing.clock import Clock
from ..timing.clock_sender import ClockSender, NoClockSender
from ..timing.pulse import Pulse
from ..tokens.events import Event, NoteOff, NoteOn, Pedal
from ..turn_taking.phrase import PhraseTracker
from .active_notes import CLOCK, PERFORMER
from .input_chain import InputChain
from .options import PlayerSettings
from .output_chain import OutputChain, Send
from .responder import Responder

MOST_NOTICES = 32


class Player:
    """Thru, turn-taking, the model's notes and the account of all sounding notes.

    Times are seconds since the performance began and never decrease. `knobs` holds the knobs'
    values (change them with `set`), `control` the mappings. `notices` are lines for the log.
    `heard`, if given, collects the ids in the model's context. `journal`, if given, logs each
    command of `perform`.
    """

    def __init__(
        self,
        model: StepModel,
        settings: PlayerSettings,
        send: Send,
        seed: int,
        heard: list[int] | None = None,
        journal: "Journal | None" = None,
    ) -> None:
        self._settings, self._out = settings, send if journal is None else journal.heard_by(send)
        self.journal = journal
        self._time = 0.0
        self._silenced = False  # whether nothing was played since the last All Sound Off
        self._unheard: deque[Event] = deque()
        self.notices: deque[str] = deque(maxlen=MOST_NOTICES)
        self.knobs = Knobs(settings.knobs())
        self.clock = Clock(self.knobs.tempo, settings.sync.beats_per_bar)
        self._output = OutputChain(settings.ports, self._send)
        self._clock_sender = self._make_clock_out()
        self.active = self._output.active
        self._responder = Responder(
            model, settings, self.knobs, self.clock, self._output, seed, heard
        )
        self._turn_taking = self._responder.turn_taking
        self.control = Controller(settings.control, self, self.notices.append)
        self._input = InputChain(settings.ports, self.control)

    @property
    def improviser(self) -> Improviser:
        """The improviser, after all received messages."""
        self._listen()
        return self._responder.improviser

    @property
    def turns(self) -> PhraseTracker:
        """The performer's phrase, after all received messages."""
        self._listen()
        return self._responder.turns

    @property
    def busy(self) -> bool:
        """Whether anything sounds or will sound soon."""
        return bool(len(self.active) or self.replying or self.turns.deadline is not None)

    @property
    def replying(self) -> bool:
        """Whether the model has the floor."""
        self._listen()
        return self._turn_taking.replying

    @property
    def reply_begins(self) -> float | None:
        """When the model takes the floor if nothing else is played; None: no turn is due."""
        self._listen()
        return None if self._turn_taking.replying else self._turn_taking.entry

    @property
    def key(self) -> KeyFollower:
        """The estimate of the key that the performer plays in."""
        return self._responder.key

    def pulse(self, now: float) -> Pulse | None:
        """The estimate of the performer's pulse; None: there is none."""
        self._listen()
        return self._responder.pulse(now)

    @property
    def rests(self) -> bool:
        """Whether the model pauses after a stop (the action `give`, a panic, the DAW's Stop)."""
        self._listen()
        return self._turn_taking.rests

    @property
    def filters_echoes(self) -> bool:
        """Whether the echo filter is on (`ports.echo_filter`)."""
        return self._settings.ports.echo_filter

    def perform(self, now: float, command: "Command") -> bool:
        """Execute a command (see `segued.player.commands`); return whether there is more to do.

        Without a recording, the methods that commands call may be called directly.
        """
        if self.journal is None:
            return command.ask(self, now)
        return self.journal.perform(self, now, command)

    def apply(
        self, now: float, settings: PlayerSettings, primed: PrimedModel | None = None
    ) -> None:
        """Replace the settings and, if given, the model.

        Both count from the next note on, and nothing else changes. No note is cut off, except keys
        and pedals whose release would now go elsewhere. A knob keeps its value unless its initial
        value has changed.
        """
        self._time = now
        self._listen()
        before, self._settings = self._settings, settings
        if settings.ports != before.ports:
            self._change_routing(now)
        self.control.apply(now, settings.control)
        self.clock.beats_per_bar = settings.sync.beats_per_bar
        if settings.sync.clock != before.sync.clock:
            self._change_clock(now)
        self._responder.apply(now, settings, primed)
        starts = before.knobs()
        for name, value in settings.knobs().items():
            if value != starts[name]:
                self.set(now, name, value)

    def announcement(self) -> list[bytes]:
        """Messages that would tell another player the MPE zones and whether the DAW is stopped."""
        stopped = [] if self.clock.running else [bytes((STOP,))]
        return [*self._input.announcement(), *stopped]

    def set(self, now: float, name: str, value: Any) -> None:
        """Set a knob (see `segued.control.knobs`), which affects all notes that have not sounded.

        Frequent changes are combined and applied a few times a second; limits on pitches and on the
        number of notes apply at once. Raises KeyError for an unknown knob and ValueError, which
        says what is allowed, for a wrong value.
        """
        self._time = now
        self._listen()
        if self.knobs.set(name, value):
            self._responder.turned(now, name)

    def hear(self, now: float, ids: Sequence[int]) -> None:
        """Add music from MIDI files (token ids) to the repertoire, which replies may quote.

        The ids are stored by `think`, when there is nothing else to do. They stay until the action
        `forget`. Raises ValueError for an id that the model does not have.
        """
        self._time = now
        improviser = self.improviser
        most = len(improviser.model.vocabulary)
        if not all(0 <= id < most for id in ids):
            raise ValueError(f"token ids from 0 to {most - 1}")
        improviser.context.quotes.study(ids)

    @property
    def repertoire(self) -> Sequence[int]:
        """The token ids of the repertoire (see `hear`)."""
        return self.improviser.context.quotes.repertoire

    def do(self, now: float, action: str) -> None:
        """Do an action (see `segued.control.knobs`). Raises KeyError for an unknown one."""
        self._time = now
        self._listen()
        if not self.control.do(now, action):
            self._actions[action](self, now)

    def receive(self, now: float, message: bytes) -> None:
        """Handle a received MIDI message. Its thru is sent before this returns.

        Its effects on turns and model are computed at the next other call, so that no key of a
        chord waits for them. Clock and transport messages are followed. System messages and invalid
        bytes are not passed on.
        """
        if not is_message(message):
            return
        self._time = now
        if message[0] >= SYSTEM:
            if self._settings.sync.clock == "follow":
                self._listen()
                self._responder.follow(now, message)
            return
        processed = self._input.process(now, message)
        if processed is None:
            return
        passed, heard = processed
        kind = message[0] & KIND_MASK
        if kind == CONTROL_CHANGE and message[1] >= ALL_SOUND_OFF:
            self._channel_mode(now, message[1], passed, heard)
            return
        event = event_of(heard, now)
        if self._silenced and kind in (NOTE_ON, CONTROL_CHANGE) and message[2]:
            self._silenced = False
        if isinstance(event, NoteOn):
            self._output.last_channel = event.part
            if self._turn_taking.yields:
                self._listen()
                self._responder.fall_silent(now)
            else:
                self._output.release_pitch(event.pitch)
        if passed:
            self._output.pass_on(passed)
        if event is not None:
            self._unheard.append(event)

    def tick(self, now: float) -> None:
        """Send what is due, and give the floor to the model when its turn begins."""
        self._time = now
        self._listen()
        self._clock_sender.tick(now)
        self.control.setter.tick(now)
        self._responder.tick(now)

    def think(self, now: float) -> bool:
        """Make at most one model step, or store a little of the repertoire.

        Returns whether there was anything to do.
        """
        self._listen()
        return self._responder.think(now)

    def next_due(self) -> float | None:
        """When `tick` is next needed; None: not before something is received."""
        self._listen()
        times = (
            self._responder.next_due,
            self.control.setter.next_due,
            self._clock_sender.next_due,
        )
        return min((time for time in times if time is not None), default=None)

    def lift(self, now: float) -> None:
        """Release every key and pedal that the performer holds (the input was disconnected)."""
        self.control.release_all(now)
        self._release_keys(now)

    def _release_keys(self, now: float) -> None:
        held = {channel for channel, _ in self.active.of(PERFORMER)} | self.turns.channels
        for channel in sorted(held | self.active.channels | self.improviser.context.encoder.pedals):
            for controller in (ALL_NOTES_OFF, *PEDALS):
                self.receive(now, control_change(channel, controller))

    def silence(self, now: float) -> None:
        """End every note, the model's and thru, and discard the reply.

        In duet and solo the model then pauses until a key is played.
        """
        self._quiet(now, self.active.silence())
        self._clock_sender.stop()

    def panic(self, now: float) -> None:
        """Silence every channel, and discard the reply."""
        self._quiet(now, self.active.panic())

    def go_on(self, now: float) -> None:
        """Start again on new ports: silence them, then play on in the present mode."""
        self.panic(now)
        self._clock_sender.stop()
        self._clock_sender.wanted = True
        self.control.release_all(now)
        self._output.reconnected()
        self._turn_taking.wake()

    def _quiet(self, now: float, messages: Iterable[bytes]) -> None:
        self._time = now
        self._listen()
        self._responder.end_everything(now)
        self._output.all_off(messages)

    def _listen(self) -> None:
        """Process the events that were received."""
        while self._unheard:
            self._responder.hear(self._unheard.popleft())

    def _change_routing(self, now: float) -> None:
        """Apply changed options of `ports`."""
        ports = self._settings.ports
        if self._input.routes_differently(ports):
            self._release_keys(now)
            self._listen()
        self._output.apply(ports)
        self._input.apply(ports)

    def _change_clock(self, now: float) -> None:
        """Apply a changed `sync.clock`."""
        self._clock_sender.stop()
        self._clock_sender = self._make_clock_out()
        if self._settings.sync.clock != "follow":
            if not self.clock.running:
                self._turn_taking.wake()
            self.clock.go_alone(now, self.knobs.tempo)

    def _make_clock_out(self) -> ClockSender:
        master = ClockSender if self._settings.sync.clock == "send" else NoClockSender
        return master(self.clock, partial(self._output.send, CLOCK))

    def _tap(self, now: float) -> None:
        tempo = self.clock.tap(now)
        if tempo is not None:
            knob = BY_NAME["tempo"]
            self.knobs.set("tempo", min(max(tempo, knob.low), knob.high))

    _actions: ClassVar[dict[str, Callable[["Player", float], None]]] = {
        "panic": panic,
        "forget": lambda self, now: self._responder.forget(now),
        "take": lambda self, now: self._responder.take(now),
        "give": lambda self, now: self._responder.give(now),
        "tap": _tap,
    }

    def _send(self, owner: int, message: bytes) -> None:
        if message[0] & KIND_MASK == NOTE_ON:
            self._silenced = False
        self._out(owner, message)

    def _channel_mode(self, now: float, controller: int, passed: bytes, heard: bytes) -> None:
        """Handle controllers 120 to 127: 120 is a panic; from 123 on they release all keys."""
        if controller == ALL_SOUND_OFF:
            if not self._silenced:  # a DAW sends it on 16 channels at once
                self.panic(now)
            self._silenced = True
            return
        if controller == LOCAL_CONTROL:
            return
        if heard:
            part = heard[0] & CHANNEL_MASK
            if controller >= ALL_NOTES_OFF:
                self.turns.release(now, part)
                for pitch in self.improviser.context.encoder.sounding_of(part):
                    self._unheard.append(NoteOff(now, pitch, part))
            self._unheard.append(Pedal(now, False, part))
        if passed:
            self._output.pass_mode_on(passed)


class Command(Protocol):
    """One of `segued.player.commands`."""

    def ask(self, player: Player, now: float) -> bool:
        """Call the player's method; return whether there is more to do."""


class Journal(Protocol):
    """Logs commands and sent messages: see `segued.recording.journal`."""

    def heard_by(self, send: Send) -> Send:
        """A `send` that also logs."""

    def perform(self, player: Player, now: float, command: Command) -> bool:
        """Log a command and execute it."""
