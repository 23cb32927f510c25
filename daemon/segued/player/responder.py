"""The model's part: replies and the loop, when they begin and how they end.

Pure: the caller passes the time and the performer's events.
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
from ..timing.pulse import Pulse
from ..tokens.events import Event
from ..turn_taking.options import TurnOptions
from ..turn_taking.phrase import PhraseTracker
from ..turn_taking.triggers import Triggers
from ..turn_taking.turn_taking import TurnTaking
from .active_notes import MODEL
from .options import PlayerSettings
from .output_chain import OutputChain

SHAPE_EVERY = 0.1  # the shortest time in seconds between replans because of a turned knob


class Responder:
    """Combines generation, turn-taking and the looper.

    `improviser` generates notes, `turns` follows the performer's phrases, `turn_taking` decides who
    has the floor.
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
        """Replace the options and, if given, the model (see Player.apply)."""
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
        """When `tick` is next needed; None: not before something is played."""
        soonest = min(self._looper.next_due - self._early, self._shape_at)
        for time in (self.improviser.next_due, self.turn_taking.next_due, self._clock.expires):
            if time is not None and time < soonest:
                soonest = time
        return None if soonest == NEVER else soonest

    @property
    def key(self) -> KeyFollower:
        """The estimate of the key that the performer plays in."""
        return self._steering.key

    def pulse(self, now: float) -> Pulse | None:
        """The estimate of the performer's pulse; None: there is none."""
        return self._steering.tempo.pulse(now)

    def hear(self, event: Event) -> None:
        """Process an event of the performer."""
        self._forget_after_silence(event.time)
        self._last_sound = event.time
        self.turns.hear(event)
        self.improviser.hear(event)
        if self._steering.hear(event):
            self.shape(event.time)
        self.turn_taking.hear(event)

    def follow(self, now: float, message: bytes) -> None:
        """Follow clock and transport.

        Stop ends the reply. What was played before Start gets no reply.
        """
        clock = self._clock
        ran, jumps = clock.running, clock.jumps
        clock.receive(now, message)
        if ran and not clock.running:
            self.fall_silent(now)
            self.turn_taking.rest()
        elif clock.running and not ran:
            self.turns.end_phrase()
            self.turn_taking.wake()
            self.begin_loop(now)
        elif message[0] == START and self.turn_taking.rests:
            self.turn_taking.wake()
        elif clock.jumps != jumps and not self.turn_taking.replying:
            self.turn_taking.plan_ahead(now)

    def tick(self, now: float) -> None:
        """Play what is due, and give the floor to the model when its turn begins."""
        self._clock.advance(now)
        self.improviser.advance(now)
        if now >= self._shape_at:
            self.shape(now)
        self.turn_taking.tick(now)
        reply = self.improviser.reply
        while (kept := self.improviser.kept(now)) is not None:
            self._looper.tape.record(kept)
            self._play(kept)
        while (token := self.improviser.due(now)) is not None:
            for event in token.events:
                self._looper.tape.record(event)
                self._play(event)
        if reply is not None and self.turn_taking.ended():
            self._looper.tape.cut(max(now, reply.end))
            self.begin_loop(now)
        self._repeat(now, now + self._early + ROUNDING)

    def think(self, now: float) -> bool:
        """Make at most one model step, or store a little of the repertoire.

        Returns whether there was anything to do.
        """
        if self.improviser.think(now) or self.turn_taking.think(now):
            return True
        self._steering.tempo.settle()
        return self.improviser.context.quotes.read()

    def turned(self, now: float, name: str) -> None:
        """Apply the new value of a knob to all notes that have not sounded."""
        if name in HARD:
            self.shape(now)
        elif name in SHAPING:
            self.shape_soon(now)
        elif name == "tempo":
            self._clock.set_tempo(now, self._knobs.tempo)
        elif name in ("mode", "gate", "hold"):
            self.change_mode(now)
        elif name == "sensitivity":
            self.turn_taking.plan_ahead(now)

    def shape(self, now: float) -> None:
        """Replan what has not sounded, with the present knobs."""
        self._last_shaped, self._shape_at = now, NEVER
        self.improviser.play_as(self._steering.playing, now)

    def shape_soon(self, now: float) -> None:
        """Like `shape`, but at most every `SHAPE_EVERY` seconds."""
        self._shape_at = max(now, self._last_shaped + SHAPE_EVERY)
        if self._shape_at <= now:
            self.shape(now)

    def fall_silent(self, now: float) -> None:
        """End the model's notes and discard its reply; what has sounded stays in the context."""
        self._output.release_model()
        self.improviser.interrupt(now)
        self._over(now)

    def end_everything(self, now: float) -> None:
        """Discard the reply, after all notes were ended.

        In duet and solo the model then pauses until a key is played.
        """
        self.improviser.silence(now)
        self._over(now)
        self.turn_taking.rest()
        self.turns.forget()

    def change_mode(self, now: float) -> None:
        """Apply a changed mode, gate or hold. A loop continues in another mode."""
        if not (self._looper.running and self.turn_taking.plays and self._knobs.hold):
            self.fall_silent(now)
            self.turn_taking.wake()
            self.begin_loop(now)
            self.turn_taking.plan_ahead(now)

    def begin_loop(self, now: float) -> None:
        """Loop the last reply, if the knob `hold` is on and there is one."""
        if self._knobs.hold and self.turn_taking.plays:
            self._looper.begin(now)
            self.turn_taking.looping = self._looper.running

    def forget(self, now: float) -> None:
        """Forget everything that was played, and the repertoire."""
        self.fall_silent(now)
        self.improviser.context.quotes.drop_repertoire()
        self._forget_music()
        self._looper.tape.forget()
        self.turns.end_phrase()
        self.turns.forget_exchange()

    def take(self, now: float) -> None:
        """Give the floor to the model now."""
        self._forget_after_silence(now)
        self.turn_taking.take(now)
        if not self._looper.running and not self.turn_taking.replying:
            self.begin_loop(now)

    def give(self, now: float) -> None:
        """Give the floor back to the performer now."""
        self.fall_silent(now)
        self.turns.end_phrase()
        self.turn_taking.rest()

    def _triad(self) -> Triad | None:
        """The tonic triad of the key that is set or estimated; None: there is none."""
        tonic = self._steering.tonic
        return None if tonic is None else Triad.on(tonic, self._steering.minor)

    def _over(self, now: float) -> None:
        """Take note that the model's reply or loop has ended."""
        self._looper.stop(now)
        self.turn_taking.looping = False
        self.turn_taking.lose()

    def _forget_after_silence(self, now: float) -> None:
        """Forget what was played before a long silence of both, except the last reply (`hold`)."""
        silent = now - self._last_sound > self._forget_after_seconds
        if silent and not self.improviser.context.encoder.sounding:
            self._forget_music()

    def _forget_music(self) -> None:
        self.improviser.forget()
        self._steering.forget()

    def _play(self, event: Note) -> None:
        self._last_sound = event.time
        self._output.play(event)

    def _repeat(self, now: float, sounding_at: float) -> None:
        """Play the loop's notes that are due, and enter them into the context like any others.

        `sounding_at`: when a message that is sent now will be audible.
        """
        for note in self._looper.due(now, sounding_at, self.improviser, self._room):
            self._play(note)
            self.improviser.context.hear(note)

    def _room(self) -> int:
        """How many more notes the model may hold."""
        return int(self._knobs.polyphony) - len(self._output.active.of(MODEL))


def _options(settings: PlayerSettings) -> tuple[SamplingOptions, TurnOptions, SyncOptions]:
    return settings.sampling, settings.turns, settings.sync
