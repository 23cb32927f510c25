"""The model's part: replies, and what is held of them as a loop; when it begins, and how it ends.

Pure: it is told the time, and what the performer does. What it plays it hands to the wire.
"""

from ..control.knobs import Knobs
from ..generation.context import PrimedModel, StepModel
from ..generation.ending import Triad
from ..generation.improviser import Improviser
from ..generation.options import SamplingOptions
from ..generation.scales import KeyFollower
from ..generation.scheduler import ROUNDING
from ..generation.steering import HARD, SHAPING, Steering
from ..midi.messages import START
from ..playback.loop import Note
from ..playback.looper import NEVER, Looper
from ..timing.clock import Clock
from ..timing.options import SyncOptions
from ..timing.tempo_follower import Pulse
from ..tokens.events import Event
from ..turn_taking.options import TurnOptions
from ..turn_taking.phrase import PhraseTracker
from ..turn_taking.triggers import Triggers
from ..turn_taking.turn_taking import TurnTaking
from .active_notes import MODEL
from .options import PlayerSettings
from .output_chain import OutputChain

SHAPE_EVERY = 0.1  # seconds between decisions for which a turning knob is the reason


class Responder:
    """Who plays when, and what the model plays and remembers.

    `improviser` decides on notes, `turns` follows the performer's phrases, `floor` says who has the
    floor.
    """

    def __init__(
        self,
        model: StepModel,
        settings: PlayerSettings,
        knobs: Knobs,
        clock: Clock,
        output: OutputChain,
        seed: int,
        heard: list[int] | None,
    ) -> None:
        self._knobs, self._output, self._clock = knobs, output, clock
        self._options = _options(settings)
        sampling, turns, sync = self._options
        self._early = sync.output_latency_ms / 1000
        self._forget_after_seconds = turns.forget_after_seconds
        self._steering = Steering(sampling, turns.lookahead, sync, knobs, seed)
        self.improviser = Improviser(model, self._steering.playing, heard, clock,
                                     self._steering.tempo, self._triad)  # fmt: skip
        self._triggers = Triggers(turns, model, clock, self._steering, knobs)
        rule, listeners = self._triggers.rule(turns), self._triggers.listeners
        self.turns = PhraseTracker(rule, turns.longest_key, listeners)
        tempo = self._steering.tempo
        self.turn_taking = TurnTaking(self.improviser, self.turns, clock, tempo, turns, sync, knobs)
        self._looper = Looper(clock)
        self._last_sound = 0.0
        self._last_shaped, self._shape_at = -NEVER, NEVER

    def apply(self, now: float, settings: PlayerSettings, primed: PrimedModel | None) -> None:
        """Go on with other options and, where one was `taught`, another model (see Player)."""
        options = _options(settings)
        if options == self._options and primed is None:
            return
        self._options = options
        sampling, turns, sync = options
        self._early = sync.output_latency_ms / 1000
        self._forget_after_seconds = turns.forget_after_seconds
        playing = self._steering.playing
        self._steering.apply(sampling, turns.lookahead, sync)
        if primed is not None:
            self.improviser.change_model(primed)
        self.turns.rule = self._triggers.apply(turns, self.improviser.model)
        self.turns.longest_key = turns.longest_key
        longer = self.turn_taking.apply(now, turns, sync)
        if primed is not None or longer or self._steering.playing != playing:
            self.shape(now)

    @property
    def next_due(self) -> float | None:
        """When `tick` has something to do next; None: not until something is heard."""
        soonest = min(self._looper.next_due - self._early, self._shape_at)
        for time in (self.improviser.next_due, self.turn_taking.next_due, self._clock.expires):
            if time is not None and time < soonest:
                soonest = time
        return None if soonest == NEVER else soonest

    @property
    def key(self) -> KeyFollower:
        """The key that the performer plays in, as heard."""
        return self._steering.key

    @property
    def pulse(self) -> Pulse | None:
        """The performer's own pulse, as last known."""
        return self._steering.tempo.last

    def hear(self, event: Event) -> None:
        """The performer did something."""
        self._forget_the_old(event.time)
        self._last_sound = event.time
        self.turns.hear(event)
        self.improviser.hear(event)
        if self._steering.hear(event):
            self.shape(event.time)
        self.turn_taking.hear(event)

    def follow(self, now: float, message: bytes) -> None:
        """Clock and transport. Stop ends what plays; what was played before Start asks no reply."""
        clock = self._clock
        ran, jumps = clock.running, clock.jumps
        clock.receive(now, message)
        if ran and not clock.running:
            self.fall_silent(now)
            self.turn_taking.rest()
        elif clock.running and not ran:
            self.turns.taken()
            self.turn_taking.wake()
            self.begin_loop(now)
        elif message[0] == START and self.turn_taking.rests:
            self.turn_taking.wake()  # it was told to stop, and the DAW begins anew
        elif clock.jumps != jumps and not self.turn_taking.replying:
            self.turn_taking.look_ahead(now)

    def tick(self, now: float) -> None:
        """Play what is due; pass the floor on when its time has come."""
        self._clock.advance(now)
        self.improviser.advance(now)
        if now >= self._shape_at:
            self.shape(now)
        self.turn_taking.tick(now)
        reply = self.improviser.reply
        while (kept := self.improviser.kept(now)) is not None:
            self._looper.tape.record(kept)
            self._sound(kept)
        while (token := self.improviser.due(now)) is not None:
            for event in token.events:
                self._looper.tape.record(event)
                self._sound(event)
        if reply is not None and self.turn_taking.ended():
            self._looper.tape.cut(max(now, reply.end))
            self.begin_loop(now)
        self._repeat(now, now + self._early + ROUNDING)

    def think(self, now: float) -> bool:
        """At most one model step; whether there was one to do."""
        return self.improviser.think(now) or self.turn_taking.think(now)

    def turned(self, now: float, name: str) -> None:
        """A knob has another value, which counts for all that has not sounded yet."""
        if name in HARD:
            self.shape(now)
        elif name in SHAPING:
            self.shape_soon(now)
        elif name == "tempo":
            self._clock.set_tempo(now, self._knobs.tempo)
        elif name in ("mode", "gate", "hold"):
            self.change_way(now)
        elif name == "sensitivity":
            self.turn_taking.look_ahead(now)

    def shape(self, now: float) -> None:
        """What has not sounded is decided anew, by the knobs as they are now."""
        self._last_shaped, self._shape_at = now, NEVER
        self.improviser.play_as(self._steering.playing, now)

    def shape_soon(self, now: float) -> None:
        """The same, unless it was done just now: then with whatever else is turned meanwhile."""
        self._shape_at = max(now, self._last_shaped + SHAPE_EVERY)
        if self._shape_at <= now:
            self.shape(now)

    def fall_silent(self, now: float) -> None:
        """The model's notes end and its reply is given up; what sounded of it stays in memory."""
        self._output.hush()
        self.improviser.interrupt(now)
        self._over(now)

    def end_everything(self, now: float) -> None:
        """All that sounds is silenced, whoever played it. What plays of its own accord does so no
        more until a key is played."""
        self.improviser.silence(now)
        self._over(now)
        self.turn_taking.rest()
        self.turns.forget()

    def change_way(self, now: float) -> None:
        """Mode, gate or hold was switched. A loop goes on from one mode to another."""
        if not (self._looper.running and self.turn_taking.plays and self._knobs.hold):
            self.fall_silent(now)
            self.turn_taking.wake()
            self.begin_loop(now)
            self.turn_taking.look_ahead(now)

    def begin_loop(self, now: float) -> None:
        """Play the last reply again and again, if that is asked for and there is one."""
        if self._knobs.hold and self.turn_taking.plays:
            self._looper.begin(now)
            self.turn_taking.looping = self._looper.running

    def forget(self, now: float) -> None:
        """Nothing was ever heard or played."""
        self.fall_silent(now)
        self._forget_music()
        self._looper.tape.forget()
        self.turns.taken()
        self.turns.forget_exchange()

    def take(self, now: float) -> None:
        """The model plays, now."""
        self._forget_the_old(now)
        self.turn_taking.take(now)
        if not self._looper.running and not self.turn_taking.replying:
            self.begin_loop(now)

    def give(self, now: float) -> None:
        """The performer has the floor back, now."""
        self.fall_silent(now)
        self.turns.taken()
        self.turn_taking.rest()

    def _triad(self) -> Triad | None:
        """The tonic chord of the key that is set or heard."""
        tonic = self._steering.tonic
        return None if tonic is None else Triad.on(tonic, self._steering.minor)

    def _over(self, now: float) -> None:
        """The model plays no more, be it a reply or a loop."""
        self._looper.stop(now)
        self.turn_taking.looping = False
        self.turn_taking.lose()

    def _forget_the_old(self, now: float) -> None:
        """What was played before a long silence is forgotten, but for the last reply, which may
        still be held. It is silence if nothing sounded, either."""
        silent = now - self._last_sound > self._forget_after_seconds
        if silent and not self.improviser.context.encoder.sounding:
            self._forget_music()

    def _forget_music(self) -> None:
        self.improviser.forget()
        self._steering.forget()

    def _sound(self, event: Note) -> None:
        """A note of the model's, on or off."""
        self._last_sound = event.time
        self._output.sound(event)

    def _repeat(self, now: float, sounding_at: float) -> None:
        """The loop goes on: its notes are heard like any other, and keep what the knobs promise.

        `sounding_at`: when what is sent now is heard.
        """
        for note in self._looper.due(now, sounding_at, self.improviser, self._room):
            self._sound(note)
            self.improviser.context.hear(note)

    def _room(self) -> int:
        """How many more notes the model may hold."""
        return int(self._knobs.polyphony) - len(self._output.active.of(MODEL))


def _options(settings: PlayerSettings) -> tuple[SamplingOptions, TurnOptions, SyncOptions]:
    return settings.sampling, settings.turns, settings.sync
