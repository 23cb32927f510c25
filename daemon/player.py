"""The whole instrument without ports and clocks: MIDI messages and the time in, messages out.

The live engine and the offline renderer drive the same player. What it sends it hands to `send`
with the owner of the message, performer (thru) or model.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from .control.control import Control
from .control.knobs import BY_NAME, Knobs
from .music.events import Event, NoteOff, NoteOn, Pedal
from .music.midi import event_of
from .musician.floor import Floor
from .musician.improviser import Improviser
from .musician.loop import Note
from .musician.looper import NEVER, Looper
from .musician.memory import StepModel, Taught
from .musician.rules import rule_of
from .musician.stage import ROUNDING
from .musician.steering import HARD, SHAPING, Steering
from .musician.turns import Turns
from .routing.active_notes import ALL_NOTES_OFF, ALL_SOUND_OFF, CLOCK, GUARD, MODEL
from .routing.inlet import Inlet
from .routing.midi_stream import is_message
from .routing.wire import Send, Wire
from .settings.config import Config
from .timing.clock import Clock
from .timing.clock_out import ClockOut, NoClockOut

LOCAL_CONTROL = 122
SHAPE_EVERY = 0.1  # seconds between decisions for which a turning knob is the reason
REST = 0.08  # seconds to take in what has ended, when another takes over in the midst of a reply
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
        self._config, self._out = config, send
        self.notices: deque[str] = deque(maxlen=MOST_NOTICES)
        self.knobs = Knobs(config.knobs())
        self._steering = Steering(config, self.knobs, seed)
        self.clock = Clock(self.knobs.tempo, config.sync.beats_per_bar)
        self.improviser = Improviser(model, self._steering.playing, heard, self.clock)
        sends_clock = config.sync.clock == "send"
        self._clock_out = ClockOut(self.clock) if sends_clock else NoClockOut(self.clock)
        self._early = config.sync.output_latency_ms / 1000
        rule = rule_of(config.turns, model, self.clock, self._steering, self.knobs)
        self.turns = Turns(rule, config.turns.longest_key)
        self._wire = Wire(config.ports, self._send)
        self.active = self._wire.active
        self._floor = Floor(self.improviser, self.turns, self.clock, config, self.knobs)
        self.control = Control(config.control, self, self.notices.append)
        self._inlet = Inlet(config.ports, self.control, self.notices.append)
        self._guard = self._inlet.guard
        self._time = 0.0
        self._looper = Looper(self.clock)
        self._last_sound = 0.0
        self._last_shaped, self._shape_at = -NEVER, NEVER

    @property
    def busy(self) -> bool:
        """Whether anything sounds or is about to."""
        return bool(len(self.active) or self.replying or self.turns.deadline is not None)

    @property
    def replying(self) -> bool:
        """Whether the model has the floor."""
        return self._floor.replying

    @property
    def rests(self) -> bool:
        """Whether it was told to stop (by hand, a panic, the DAW's Stop) and waits to be woken."""
        return self._floor.rests

    @property
    def loop(self) -> float | None:
        """Seconds after which its own output comes back to its input; None: it does not."""
        return self._guard.latency

    def inherit(self, old: "Player", now: float, taught: Taught | None = None) -> None:
        """Go on where `old` was, with other settings or (then `taught`) another model.

        `old` falls silent and is used no more. What it had heard is remembered, a knob that was
        turned stays where it is unless its start value has changed, and if it had the floor this
        one takes it.
        """
        replying = old.replying
        old.silence(now)
        self.improviser.memory.inherit(old.improviser.memory, taught)
        self.active.channels |= old.active.channels
        self.clock.inherit(old.clock)
        self.turns.last = old.turns.last
        self._looper.inherit(old._looper)
        self._last_sound = old._last_sound
        self._wire.last_channel = old._wire.last_channel
        self.control.inherit(old.control)
        self._inlet.inherit(old._inlet)
        self._guard = self._inlet.guard
        self._keep_knobs(old, now)
        if replying:
            self._floor.take(now + REST)

    def announcement(self) -> list[bytes]:
        """Messages by which another player would know what kind of keyboard is played."""
        return self._inlet.announcement()

    def _keep_knobs(self, old: "Player", now: float) -> None:
        before, after = old._config.knobs(), self._config.knobs()
        for name, value in old.knobs.values().items():
            if before[name] == after[name] != value:
                self.set(now, name, value)

    def steer(self, now: float, config: Config) -> None:
        """Settings that differ from its own in the start values of knobs alone: turn those."""
        before, self._config = self._config.knobs(), config
        for name, value in config.knobs().items():
            if value != before[name]:
                self.set(now, name, value)

    def set(self, now: float, name: str, value: Any) -> None:
        """Turn a knob (see `daemon.control.knobs`). It counts for all that has not sounded yet.

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
        elif name in ("mode", "gate", "hold"):
            self._change_way(now)
        elif name == "sensitivity":
            self._floor.look_ahead(now)

    def do(self, now: float, action: str) -> None:
        """An action (see `daemon.control.knobs`). KeyError: it knows no such action."""
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
        if self._guard.look(now):
            self._mind_the_loop(now)
        if taken is None:
            return
        passed, heard = taken
        if message[0] & 0xF0 == 0xB0 and message[1] >= ALL_SOUND_OFF:
            self._channel_mode(now, message[1], passed, heard)
            return
        event = event_of(heard, now)
        if isinstance(event, NoteOn):
            self._wire.last_channel = event.part
            if self._floor.yields:
                self._fall_silent(now)
            else:
                self._wire.make_way(event.pitch)
        if passed:
            self._wire.pass_on(passed)
        if event is not None:
            self._hear(event)

    def tick(self, now: float) -> None:
        """Send what is due; pass the floor on when its time has come."""
        self._time = now
        self._beat_time(now)
        self.control.tick(now)
        self.improviser.advance(now)
        if now >= self._shape_at:
            self._shape(now)
        self._floor.tick(now)
        reply = self.improviser.reply
        while (kept := self.improviser.kept(now)) is not None:
            self._looper.tape.record(kept)
            self._sound(kept)
        while (token := self.improviser.due(now)) is not None:
            for event in token.events:
                self._looper.tape.record(event)
                self._sound(event)
        if reply is not None and self._floor.ended():
            self._looper.tape.cut(max(now, reply.end))
            self._begin_loop(now)
        self._repeat(now, now + self._early + ROUNDING)
        if self._guard.look(now):
            self._mind_the_loop(now)

    def _beat_time(self, now: float) -> None:
        """Send the clock, as its master."""
        while (message := self._clock_out.due(now)) is not None:
            self._wire.send(CLOCK, message)

    def _stop_clock(self) -> None:
        if (message := self._clock_out.stop()) is not None:
            self._wire.send(CLOCK, message)

    def think(self, now: float) -> bool:
        """At most one model step; whether there was one to do."""
        return self.improviser.think(now) or self._floor.think(now)

    def next_due(self) -> float | None:
        """When `tick` has something to do next; None: not until something is received."""
        times = (
            self.improviser.next_due,
            self._floor.next_due,
            self.control.next_due,
            self._looper.next_due - self._early,
            self._shape_at,
            self._clock_out.next_due,
            self._guard.next_due,
        )
        soonest = min(time for time in times if time is not None)
        return None if soonest == NEVER else soonest

    def silence(self, now: float) -> None:
        """End every note, the model's and those passed thru, and give up the reply.

        What plays of its own accord does so no more until a key is played.
        """
        self._quiet(now, self.active.silence())
        self._stop_clock()

    def panic(self, now: float) -> None:
        """Silence every channel, and give up the reply."""
        self._quiet(now, self.active.panic())

    def go_on(self, now: float) -> None:
        """The wire is a new one: silence it, then play on in the way that is set."""
        self.panic(now)
        self._stop_clock()
        self._clock_out.wanted = True
        self.control.let_go(now)
        self._wire.renew()
        self._floor.wake()

    def _quiet(self, now: float, messages: Iterable[bytes]) -> None:
        self._time = now
        self.improviser.silence(now)
        self._part_over(now)
        self._floor.rest()
        self.turns.forget()
        self._wire.all_off(messages)

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
            self._begin_loop(now)
        elif clock.jumps != jumps and not self.replying:
            self._floor.look_ahead(now)

    def _hear(self, event: Event) -> None:
        self._forget_the_old(event.time)
        self._last_sound = event.time
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
        self._wire.hush()
        self.improviser.interrupt(now)
        self._part_over(now)

    def _part_over(self, now: float) -> None:
        """The model plays no more, be it a reply or a loop."""
        self._looper.stop(now)
        self._floor.looping = False
        self._floor.lose()

    def _change_way(self, now: float) -> None:
        """Mode, gate or hold was switched. A loop goes on from one mode to another."""
        if not (self._looper.running and self._floor.plays and self.knobs.hold):
            self._fall_silent(now)
            self._floor.wake()
            self._begin_loop(now)
            self._floor.look_ahead(now)

    def _begin_loop(self, now: float) -> None:
        """Play the last reply again and again, if that is asked for and there is one."""
        if self.knobs.hold and self._floor.plays:
            self._looper.begin(now)
            self._floor.looping = self._looper.running

    def _forget(self, now: float) -> None:
        self._fall_silent(now)
        self.improviser.forget()
        self._steering.forget()
        self._looper.tape.forget()
        self.turns.taken()
        self.turns.rule.forget()

    def _forget_the_old(self, now: float) -> None:
        """What was played before a long silence is forgotten, but for the last reply, which may
        still be held. It is silence if nothing sounded, either."""
        silent = now - self._last_sound > self._config.turns.forgets_after
        if silent and not self.improviser.memory.encoder.sounding:
            self.improviser.forget()
            self._steering.forget()

    def _take(self, now: float) -> None:
        self._forget_the_old(now)
        self._floor.take(now)
        if not self._looper.running and not self._floor.replying:
            self._begin_loop(now)

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
        for question in self._guard.sent(self._time, message, self.active):
            self._out(GUARD, question)
        self._out(owner, message)

    def _mind_the_loop(self, now: float) -> None:
        """Its own output may come back into its input: ask, and end what was taken for played."""
        for question in self._guard.questions(now, self.active):
            self._out(GUARD, question)
        if self._guard.alarm:
            rested = self._floor.rests
            self._quiet(now, self.active.silence())
            self.control.let_go(now)
            if not rested:
                self._floor.wake()
            self._guard.alarm = False

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
            self._wire.pass_mode_on(passed)

    def _sound(self, event: Note) -> None:
        """A note of the model's, on or off."""
        self._last_sound = event.time
        self._wire.sound(event)

    def _repeat(self, now: float, sounding_at: float) -> None:
        """The loop goes on: its notes are heard like any other, and keep what the knobs promise.

        `sounding_at`: when what is sent now is heard.
        """
        for note in self._looper.due(now, sounding_at, self.improviser, self._room):
            self._sound(note)
            self.improviser.memory.hear(note)

    def _room(self) -> int:
        """How many more notes the model may hold."""
        return int(self.knobs.polyphony) - len(self.active.of(MODEL))
