"""The musician: hears, remembers, plans a reply ahead of its turn, and forgets what never sounded.

Pure: it is told the time. It does at most one model step a call of `think`, so that whoever drives
it can look after what is due between any two.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..model.chord_model import ChordModel
from ..timing.clock import Clock
from ..timing.tempo_follower import Pulse, TempoFollower
from ..tokens.events import MODEL_PART, Event, NoteOff, NoteOn
from .best_of_n import BestOfN, alone_until
from .context import Context, PrimedModel, StepModel
from .ending import Ending, Triad, no_triad, pulse_of
from .finale import candidates_for
from .plan import Plan
from .reply import Reply, Token
from .sampling import Sampler
from .scheduler import ROUNDING, Scheduler, Seconds
from .shaping import Playing, Shape
from .style_features import RecentNotes

KEPT = 0.03  # seconds: what is due within it when the performer plays is played, so that both may
# strike together


class Improviser:
    """Memory, and at most one reply with its plan.

    `heard`, where given, collects every id that enters the memory, in order. `clock`: the song that
    its replies keep to. `tempo`: the performer's own. `triad`: the chord that replies end on.
    """

    def __init__(
        self,
        model: StepModel,
        playing: Playing,
        heard: list[int] | None = None,
        clock: Clock | None = None,
        tempo: TempoFollower | None = None,
        triad: Callable[[], Triad | None] | None = None,
    ) -> None:
        self.context = Context(model, heard)
        self.reply: Reply | None = None
        self._model = model
        self._sampler = Sampler(len(model.vocabulary))
        self._plan: Plan | None = None
        self._clock, self._tempo = clock or Clock(), tempo or TempoFollower()
        self._triad = triad or no_triad
        self._ending: Ending | None = None  # that of the reply
        self._scheduler: Scheduler | None = None  # where the plan is played, if not to the letter
        self._kept: deque[NoteOn | NoteOff] = deque()
        self._best_of_n: BestOfN | None = None  # that of the plan's candidates, while it runs
        self._alone_until = 0.0  # seconds of the reply that have one candidate
        self._turn = 0
        self._lately = RecentNotes()
        self._heard = 0.0  # when something was last heard
        self._play_as(playing)

    def hear(self, event: Event) -> None:
        """The performer did something. Plans made without it are void, but for what is due next to
        it and is not on the very key that they struck."""
        self._lately.hear(event)
        self._heard = event.time
        if self.context.hear(event):
            struck = event.pitch if isinstance(event, NoteOn) else None
            if self._plan is not None and self.reply is not None and self.reply.begun:
                self._kept.extend(self._imminent(event.time, self._plan))
            self._kept = deque(kept for kept in self._kept if kept.pitch != struck)
            self._decide_anew(event.time)

    def _imminent(self, now: float, plan: Plan) -> list[NoteOn | NoteOff]:
        """What of a plan is sent within the next moment, with the times at which it is sent."""
        until = now + KEPT + self._playing.early
        events: list[NoteOn | NoteOff] = []
        cutoff = until if self._scheduler is None else self._scheduler.needed_until(until)
        while (token := plan.due(cutoff)) is not None:
            if self._scheduler is not None:
                self._scheduler.take(token, now + self._playing.early)
            else:
                events += [replace(event, time=token.time) for event in token.events]
        if self._scheduler is not None:
            events = self._scheduler.until(until)
        return [replace(event, time=event.time - self._playing.early) for event in events]

    @property
    def model(self) -> StepModel:
        """The model that chooses its notes."""
        return self._model

    def change_model(self, primed: PrimedModel) -> None:
        """Go on with another model; `play_as` has to follow, since its plans are void."""
        self._model = primed.model
        self.context.change_model(primed)

    def play_as(self, playing: Playing, now: float) -> None:
        """Play otherwise from now on: what has not sounded yet is decided anew."""
        self._kept.clear()
        self._play_as(playing)
        self._decide_anew(now)

    def prepare(
        self,
        begin: float,
        length: float,
        joins: bool = False,
        now: float | None = None,
        finishes: bool = False,
        exact: bool = False,
    ) -> None:
        """A reply will begin at `begin` if nothing else happens: think ahead.

        `now`: when that became known, by default with what was heard last.
        `joins`: it plays along with the performer from `begin` on and chooses itself when its first
        note comes; else it begins with a note. `finishes`, `exact`: see `Reply`.
        """
        if self.reply is not None and (self.reply.begin, self.reply.length) == (begin, length):
            return
        self.drop()
        known = self._heard if now is None else now
        self.reply = Reply(
            begin, length, self._playing.seed, self._turn, joins=joins, since=begin, known=known,
            finishes=finishes, exact=exact,
        )  # fmt: skip

    def postpone(self, begin: float) -> None:
        """A reply that has not begun to play begins at `begin` or later."""
        if self.reply is not None and not self.reply.begun and self.reply.begin < begin:
            self.reply.begin = self.reply.known = begin
            self._plan = self._best_of_n = None

    def extend(self, until: float) -> None:
        """The reply may begin notes until then; it counts from the next decision on."""
        if self.reply is not None:
            self.reply.length = until - self.reply.begin

    def forget(self) -> None:
        """Forget all that was heard, and what was planned after it. What sounds goes on."""
        self.drop()
        self.context.forget()
        self._lately.forget()

    def drop(self) -> None:
        """Forget the reply and whatever of its plan has not sounded."""
        if self.reply is not None and self.reply.playing:
            self._turn += 1
        self.reply = self._plan = self._best_of_n = None
        self._kept.clear()

    def interrupt(self, time: float) -> None:
        """The reply was silenced at `time`: what sounded of it stays in memory, the rest never
        was."""
        self.drop()
        self.context.cut(time)

    def silence(self, time: float) -> None:
        """All that sounded was silenced at `time`, and so ends in memory too."""
        self.drop()
        self.context.silence(time)

    def advance(self, now: float) -> None:
        """Time has come to `now`."""
        if self._plan is None or self._scheduler is not None:
            self.context.advance(now)

    @property
    def next_due(self) -> float | None:
        """When the next planned token is due, or when it can think on about a reply."""
        if self._kept:
            return self._kept[0].time
        plan = self._plan
        if plan is None:
            return None if self.reply is None else self.context.encoder.settles
        due = plan.next_due if self._scheduler is None else self._scheduler.next_due(plan.next_due)
        return None if due is None else due - self._playing.early

    @property
    def planned(self) -> Sequence[Token]:
        """What it is about to play, in order."""
        return self._plan.tokens if self._plan else ()

    @property
    def plan(self) -> Plan | None:
        """The plan of the reply, to look at."""
        return self._plan

    def sounds_at(self, planned: float) -> float:
        """When a token that the plan has at the time `planned` is to sound, before the grid."""
        return planned if self._scheduler is None else self._scheduler.sounds_at(planned)

    def kept(self, now: float) -> NoteOn | NoteOff | None:
        """The next note of a plan now void whose time has come, if any. It is heard."""
        while self._kept and self._kept[0].time <= now:
            event = replace(self._kept.popleft(), time=now)
            encoder = self.context.encoder
            if isinstance(event, NoteOn):
                possible = event.pitch not in encoder.sounding
            else:
                possible = event.pitch in encoder.sounding_of(MODEL_PART)
            if possible:
                self.context.hear(event)
                self._decide_anew(now)
                return event
        return None

    def due(self, now: float) -> Token | None:
        """The next token whose time has come, if any. It counts as heard from now on."""
        if self._plan is None:
            return None
        if self._playing.early:
            now += self._playing.early + ROUNDING
        plan, scheduler = self._plan, self._scheduler or self._late_stage(now, self._plan)
        if scheduler is not None:
            return self._due_on_stage(now, plan, scheduler)
        token = plan.due(now)
        if token is not None:
            if self.context.encoder.written is None:
                self.context.encoder.begin(token.time)
            self.context.adopt(token.id, token.state, token.logits)
        elif plan.complete and not plan.tokens:
            self.drop()
        return token

    def _due_on_stage(self, now: float, plan: Plan, scheduler: Scheduler) -> Token | None:
        """What is not played to the letter of the plan is heard as it sounds."""
        while (token := plan.due(scheduler.needed_until(now))) is not None:
            scheduler.take(token, now)
        staged = scheduler.due(now)
        if staged is not None:
            for event in staged.events:
                self.context.hear(event)
        elif plan.complete and not plan.tokens and scheduler.empty:
            self.drop()
        return staged

    def _pulse(self, reply: Reply) -> Pulse | None:
        """The performer's pulse that a reply is to keep to, where it keeps to no clock's beats."""
        if not self._playing.timekeeping or self._follows_beats:
            return None
        return self._tempo.pulse(reply.begin)

    @property
    def _follows_beats(self) -> bool:
        """Whether replies are played in the beats of the clock."""
        return self._clock.synced or self._playing.quantize_strength > 0

    def _new_stage(self, reply: Reply) -> Scheduler | None:
        """Where the plan is played other than to the letter; None if it is not."""
        follows = self._follows_beats
        if not follows and self._playing.late_notes == "shift":
            return None
        anchor = reply.since if reply.begun else reply.begin
        sounding = self.context.encoder.sounding_of(MODEL_PART)
        return Scheduler(self._clock if follows else Seconds(), self._playing, anchor, sounding)

    def _late_stage(self, now: float, plan: Plan) -> Scheduler | None:
        """Where a plan goes on that is late; None if it is in time."""
        due = plan.next_due
        if due is None or not (plan.shifted or now - due > self._playing.late_after):
            return None
        sounding = self.context.encoder.sounding_of(MODEL_PART)
        self._scheduler = Scheduler(Seconds(), self._playing, due, sounding)
        return self._scheduler

    def think(self, now: float) -> bool:
        """At most one model step of what there is to do; whether there was anything."""
        if self.context.step():
            return True
        if self.reply is None or self._kept:
            return False
        if self._plan is None and self.context.encoder.holds:
            return False
        if self._best_of_n is not None:
            winner = self._best_of_n.think(
                now if self._scheduler is None else self._scheduler.planned_at(now)
            )
            if winner is not None:
                self._plan, self._best_of_n = winner, None
            return True
        if self._plan is None:
            self._scheduler = self._new_stage(self.reply)
            self._plan = Plan(
                self._model, self.context, self._sampler, self._playing, self.shape, self.reply,
                self._pulse(self.reply),
            )  # fmt: skip
            self._alone_until = alone_until(self.reply, self._plan)
            self._ending = self._new_ending(self.reply)
        plan = self._plan
        if plan.complete:
            return False
        enough = max(now, self.reply.begin) + self._playing.lookahead
        if self._scheduler is not None:
            now, enough = self._scheduler.planned_at(now), self._scheduler.planned_at(enough)
        if plan.tokens and plan.horizon > enough:
            return False
        self._best_of_n = candidates_for(
            self._model, plan, self._ending, self._lately.features, self._playing,
            alone=plan.reached < self._alone_until,
        )  # fmt: skip
        if self._best_of_n is None:
            plan.grow(now)
        return True

    def _new_ending(self, reply: Reply) -> Ending | None:
        """Where a reply may close; None if it just stops."""
        pulse = self._tempo.pulse(reply.begin)
        if self._follows_beats:
            anchor = reply.since if reply.begun else reply.begin
            pulse = pulse_of(self._clock, anchor)
        return Ending.of(reply, self._playing, self._triad(), pulse)

    def _play_as(self, playing: Playing) -> None:
        if isinstance(self._model, ChordModel):  # what it may choose is not the ids' to say
            playing = replace(playing, quoting=0.0)
        self._playing, self.shape = playing, Shape(self._model.vocabulary, playing)
        self._sampler.temperature, self._sampler.top_p = playing.temperature, playing.top_p

    def _decide_anew(self, time: float) -> None:
        self._plan = self._best_of_n = None
        if self.reply is not None:
            self.reply.decide_anew(time)
