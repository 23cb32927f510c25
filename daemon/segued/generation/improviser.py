"""The improviser: keeps the context, plans the reply ahead, and rolls back what never sounded.

Rollback: the context holds only what has sounded (see `context`). A plan holds the tokens that have
not, with the state after each. When the performer plays, the plan is discarded and the context is
already right; a planned token that sounds is committed with its state.

Pure: the caller passes the time. `think` makes at most one model step per call, so that due
messages can be sent between any two steps.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..model.chord_model import ChordModel
from ..recall.motifs import Motifs
from ..timing.clock import Clock
from ..timing.tempo_follower import TempoFollower
from ..tokens.events import MODEL_PART, Event, NoteOff, NoteOn
from .best_of_n import BestOfN, alone_until
from .context import Context, PrimedModel, StepModel
from .contrast import OFF, contrasted
from .ending import Ending, Triad, no_triad
from .finale import candidates_for
from .plan import Plan
from .reply import Reply, Token
from .reply_beats import ReplyBeats
from .sampling import Sampler
from .scheduler import ROUNDING, Scheduler, Seconds
from .shaping import Playing, Shape
from .style_features import RecentNotes
from .texture_bias import times_the_keys

KEPT = 0.03  # seconds; planned notes due this soon after a note of the performer are still played


class Improviser:
    """The context, and at most one reply with its plan.

    `heard`, if given, collects every id that enters the context. `clock`: the MIDI clock that
    replies follow. `tempo`: follows the performer's tempo. `triad`: the chord for endings.
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
        self._scheduler: Scheduler | None = None  # moves notes in time; None: played as planned
        self._kept: deque[NoteOn | NoteOff] = deque()
        self._best_of_n: BestOfN | None = None  # the plan's candidates, while there are any
        self._alone_until = 0.0  # up to this second the reply has one candidate
        self._turn = 0
        self._recent_notes = RecentNotes()
        self._heard = 0.0  # the time of the performer's last event
        self._use(playing)

    def hear(self, event: Event) -> None:
        """Process an event of the performer, which discards the plan.

        Notes that are due within `KEPT` are still played, unless they are on the same key.
        """
        self._recent_notes.hear(event)
        self._heard = event.time
        if self.context.hear(event):
            struck = event.pitch if isinstance(event, NoteOn) else None
            if self._plan is not None and self.reply is not None and self.reply.begun:
                self._kept.extend(self._imminent(event.time, self._plan))
            self._kept = deque(kept for kept in self._kept if kept.pitch != struck)
            self._replan(event.time)

    def _imminent(self, now: float, plan: Plan) -> list[NoteOn | NoteOff]:
        """The planned events that are due within `KEPT`, with the times at which to send them."""
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
        """The model in use."""
        return self._model

    def change_model(self, primed: PrimedModel) -> None:
        """Replace the model. The caller must call `play_as` afterwards, to discard the plan."""
        self._model = primed.model
        self.context.change_model(primed)

    def play_as(self, playing: Playing, now: float) -> None:
        """Replace the parameters of playing, and replan what has not sounded."""
        self._kept.clear()
        self._use(playing)
        self._replan(now)

    def prepare(
        self,
        begin: float,
        length: float,
        joins: bool = False,
        now: float | None = None,
        finishes: bool = False,
        exact: bool = False,
    ) -> None:
        """Start to plan a reply that begins at `begin` if nothing else is played.

        `now`: when this became known, by default at the performer's last event. `joins`: the reply
        plays along, so its first note may come later than `begin`. `finishes`, `exact`: see
        `Reply`.
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
        """Move a reply that has not begun to `begin`, if that is later."""
        if self.reply is not None and not self.reply.begun and self.reply.begin < begin:
            self.reply.begin = self.reply.known = begin
            self._plan = self._best_of_n = None

    def extend(self, until: float) -> None:
        """Let the reply begin notes until `until`; this counts from the next replanning on."""
        if self.reply is not None:
            self.reply.length = until - self.reply.begin

    def forget(self) -> None:
        """Forget everything that was played, and discard the plan. Sounding notes go on."""
        self.drop()
        self.context.forget()
        self._recent_notes.forget()

    def drop(self) -> None:
        """Discard the reply and its plan."""
        if self.reply is not None and self.reply.playing:
            self._turn += 1
        self.reply = self._plan = self._best_of_n = None
        self._kept.clear()

    def interrupt(self, time: float) -> None:
        """Roll back: discard the plan; what has sounded until `time` stays in the context."""
        self.drop()
        self.context.end_model_notes(time)

    def silence(self, time: float) -> None:
        """Discard the plan, and enter into the context that all notes ended at `time`."""
        self.drop()
        self.context.silence(time)

    def advance(self, now: float) -> None:
        """Advance the time to `now`."""
        if self._plan is None or self._scheduler is not None:
            self.context.advance(now)

    @property
    def next_due(self) -> float | None:
        """When the next planned token is due, or when planning can continue; None: never."""
        if self._kept:
            return self._kept[0].time
        plan = self._plan
        if plan is None:
            return None if self.reply is None else self.context.encoder.settles
        due = plan.next_due if self._scheduler is None else self._scheduler.next_due(plan.next_due)
        return None if due is None else due - self._playing.early

    @property
    def planned(self) -> Sequence[Token]:
        """The planned tokens, in order."""
        return self._plan.tokens if self._plan else ()

    @property
    def plan(self) -> Plan | None:
        """The plan of the reply, for reading; None when there is none."""
        return self._plan

    def sounds_at(self, planned: float) -> float:
        """When a token with the plan's time `planned` will sound, before quantization."""
        return planned if self._scheduler is None else self._scheduler.sounds_at(planned)

    def kept(self, now: float) -> NoteOn | NoteOff | None:
        """The next due note of a discarded plan (see `hear`); None when there is none."""
        while self._kept and self._kept[0].time <= now:
            event = replace(self._kept.popleft(), time=now)
            encoder = self.context.encoder
            if isinstance(event, NoteOn):
                possible = event.pitch not in encoder.sounding
            else:
                possible = event.pitch in encoder.sounding_of(MODEL_PART)
            if possible:
                self.context.hear(event)
                self._replan(now)
                return event
        return None

    def due(self, now: float) -> Token | None:
        """Remove the next due token from the plan and commit it; None when none is due."""
        if self._plan is None:
            return None
        if self._playing.early:
            now += self._playing.early + ROUNDING
        plan, scheduler = self._plan, self._scheduler or self._late_scheduler(now, self._plan)
        if scheduler is not None:
            return self._due_from_scheduler(now, plan, scheduler)
        token = plan.due(now)
        if token is not None:
            if self.context.encoder.written is None:
                self.context.encoder.begin(token.time)
            self.context.commit(token.id, token.state, token.logits)
        elif plan.complete and not plan.tokens:
            self.drop()
        return token

    def _due_from_scheduler(self, now: float, plan: Plan, scheduler: Scheduler) -> Token | None:
        """The next due event of the scheduler, entered into the context as it sounds."""
        while (token := plan.due(scheduler.needed_until(now))) is not None:
            scheduler.take(token, now)
        scheduled = scheduler.due(now)
        if scheduled is not None:
            for event in scheduled.events:
                self.context.hear(event)
        elif plan.complete and not plan.tokens and scheduler.empty:
            self.drop()
        return scheduled

    def _beats(self, reply: Reply) -> ReplyBeats:
        """The beats that a reply follows."""
        return ReplyBeats(self._clock, self._tempo, self._playing, reply)

    def _motifs(self, beats: ReplyBeats) -> Motifs | None:
        """What a reply may take up of what the performer played."""
        if not self._playing.motifs:
            return None
        pulse, times = beats.of_motifs, times_the_keys(self._playing.texture)
        if pulse is None:
            return self.context.motifs.motifs(None, times)
        return self.context.motifs.motifs(pulse.beat / pulse.division, times, pulse.swing)

    def _late_scheduler(self, now: float, plan: Plan) -> Scheduler | None:
        """A scheduler for a plan that is late; None if it is in time."""
        due = plan.next_due
        if due is None or not (plan.shifted or now - due > self._playing.late_after):
            return None
        sounding = self.context.encoder.sounding_of(MODEL_PART)
        self._scheduler = Scheduler(Seconds(), self._playing, due, sounding)
        return self._scheduler

    def think(self, now: float) -> bool:
        """Make at most one model step; return whether there was anything to do."""
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
            self._contrast()
            beats = self._beats(self.reply)
            self._scheduler = beats.scheduler(self.context.encoder.sounding_of(MODEL_PART))
            self._plan = Plan(
                self._model, self.context, self._sampler, self._playing, self.shape, self.reply,
                beats.timekeeping, self._motifs(beats), beats.told,
            )  # fmt: skip
            self._alone_until = alone_until(self.reply, self._plan)
            self._ending = Ending.of(self.reply, self._playing, self._triad(), beats.of_ending)
        plan = self._plan
        if plan.complete:
            return False
        enough = max(now, self.reply.begin) + self._playing.lookahead
        if self._scheduler is not None:
            now, enough = self._scheduler.planned_at(now), self._scheduler.planned_at(enough)
        if plan.tokens and plan.horizon > enough:
            return False
        self._best_of_n = candidates_for(
            self._model, plan, self._ending, self._recent_notes.features, self._playing,
            alone=plan.reached < self._alone_until,
        )  # fmt: skip
        if self._best_of_n is None:
            plan.grow(now)
        return True

    def _use(self, playing: Playing) -> None:
        if isinstance(self._model, ChordModel):  # both work on ids, not on chord tokens
            playing = replace(playing, quoting=0.0, motifs=0.0)
        self._asked = self._playing = playing
        self.shape = Shape(self._model.vocabulary, playing)
        self._sampler.temperature, self._sampler.top_p = playing.temperature, playing.top_p

    def _contrast(self) -> None:
        """Play as asked, in contrast to what the performer played lately if that is asked."""
        playing, heard = self._asked, self._recent_notes
        if playing.contrast != OFF:
            playing = contrasted(playing, heard.features, heard.pace)
        if playing != self._playing:
            self._playing, self.shape = playing, Shape(self._model.vocabulary, playing)

    def _replan(self, time: float) -> None:
        self._plan = self._best_of_n = None
        if self.reply is not None:
            self.reply.replan(time)
