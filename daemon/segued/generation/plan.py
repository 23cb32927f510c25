"""What the model is about to play: tokens with the time they are due and the state after each.

A plan grows from the memory by look-ahead and is thrown away whenever something else is heard. It
has no clock: tokens are taken from it when the caller says that their time has come.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import replace

import numpy as np

from ..arrays import Floats
from ..recall.quoting import Place
from ..timing.tempo_follower import Pulse
from ..tokens.events import MODEL_PART
from ..tokens.tokenizer import Decoder
from ..tokens.vocabulary import NOTE_OFF, NOTE_ON, TIME_SHIFT, VELOCITY, Vocabulary
from .constraints import Constraints
from .context import Context, StepModel
from .ending import note_offs
from .focus import Focus, faded
from .pulse_bias import PulseBias
from .rate_limit import RateLimit
from .reply import Reply, Token
from .sampling import Sampler
from .shaping import Playing, Shape

TAIL = 2.0  # seconds that notes may ring on after the end of a reply
PAUSE = 3  # steps that it has to think when it decides anew in the midst of a reply
LONGEST = 1e6  # seconds of a reply: what is longer never ends
LOOKED_BACK = 160  # ids in which the last pitches are looked for
OPENING = ((NOTE_ON, 62, 7), (VELOCITY, 16, 2))  # where its first note is likely, if it begins


class Plan:
    """The tokens of a reply that have not sounded yet."""

    def __init__(
        self,
        model: StepModel,
        context: Context,
        sampler: Sampler,
        playing: Playing,
        shape: Shape,
        reply: Reply,
        pulse: Pulse | None = None,
    ) -> None:
        vocabulary = model.vocabulary
        self._model, self._sampler, self._shape, self.reply = model, sampler, shape, reply
        self.tokens: deque[Token] = deque()
        self.complete = False
        self.closing = False  # whether its last note is planned
        self.shifted = False  # whether it was thought of too late, and put off
        self.pending: Token | None = None  # the newest token while its state is not known
        self._close: Token | None = None  # its last note
        self._leading: list[Token] = []  # newest tokens, as long as they lead to no event
        self.state, self._logits = context.state, context.logits
        self._expected: Floats | None = None
        self._quotes, self._quoting = context.quotes, playing.quoting
        self._place = self._where(context) if self._quoting else Place()
        self.position = reply.drawn + reply.decided  # of the next draw
        self.candidate = 0  # which draws it takes
        encoder = context.encoder
        self._shifts, self._late_after = playing.late_notes == "shift", playing.late_after
        self._longest_note = round(playing.longest_note * vocabulary.steps_per_second)
        self._longest_shift = vocabulary.id(TIME_SHIFT, vocabulary.max_shift())
        first = vocabulary.step_of(reply.begin)
        self.first = vocabulary.time_of(first)
        """The time that its tokens have at the beginning of the reply."""
        self._offset = reply.begin - self.first
        self._end = first + round(min(reply.length, LONGEST) * vocabulary.steps_per_second)
        written = encoder.written if encoder.written is not None else first
        # the step at which it has to be over; None: its notes may ring on
        self._over = self._end if reply.exact and playing.ending > 0.0 else None
        if reply.closed:
            self.closing, self._end = True, min(self._end, written)
        self._alone_since = reply.since - self._offset
        self._decoder = Decoder(vocabulary, written, max(0, encoder.velocity_bin))
        own = encoder.began(MODEL_PART)
        self._decoder.resume(own)
        self._forced: deque[int] = deque(encoder.shifts_to(first))
        self._constraints = self._constrained(context, playing, own, written)
        self._focus, self._focused = Focus(vocabulary), playing.focus
        self._pulse_bias = None
        if pulse is not None:
            self._pulse_bias = PulseBias(vocabulary, pulse, playing.timekeeping, self._offset)
        self._waits = reply.begun  # the first token is a time shift, to have time to think
        if reply.begun:
            self._take_up(context, own, written)

    def _constrained(
        self, context: Context, playing: Playing, own: Mapping[int, int], written: int
    ) -> Constraints:
        """What may come next, after what sounds; `own` are the model's notes (pitch: step)."""
        vocabulary, encoder = self._model.vocabulary, context.encoder
        return Constraints(
            vocabulary,
            self._shape.allowed,
            velocity_bin=encoder.velocity_bin,
            own=own,
            others=[p for p in encoder.sounding if p not in own],
            most=playing.polyphony,
            must_play=not self.reply.begun,
            rate_limit=RateLimit(
                playing.max_notes_per_second, vocabulary.steps_per_second, context.ages(written)
            ),
        )

    def _take_up(self, context: Context, own: Mapping[int, int], written: int) -> None:
        """Go on in the midst of a reply: a moment later, without notes that are too long then."""
        vocabulary = self._model.vocabulary
        soonest = max(written + 1, vocabulary.step_of(self._alone_since) + PAUSE)
        self._constraints.wait(soonest - written)
        overdue = [p for p, step in own.items() if soonest - step >= self._longest_note]
        if overdue:
            self._forced.extend(context.encoder.shifts_to(soonest))
            self._forced.extend(vocabulary.id(NOTE_OFF, pitch) for pitch in overdue)

    @property
    def next_due(self) -> float | None:
        """When the next token is due."""
        return self.tokens[0].time if self.tokens else None

    @property
    def horizon(self) -> float:
        """How far it is planned: the time of its last token."""
        return self._decoder.time + self._offset

    @property
    def reached(self) -> float:
        """Seconds of the reply that are planned, whenever that will sound."""
        return self._decoder.time - self.first

    @property
    def begins(self) -> float:
        """When the reply begins, as it is planned."""
        return self.first + self._offset

    @property
    def sounding(self) -> dict[int, float]:
        """What of its own sounds: pitch, and the second of the reply in which it began."""
        time_of = self._model.vocabulary.time_of
        return {pitch: time_of(step) - self.first for pitch, step in self._decoder.began.items()}

    @staticmethod
    def _where(context: Context) -> Place:
        """Where what was heard stands in what the performer played before."""
        context.quotes.settle()
        return context.quotes.place(context.recent.last(LOOKED_BACK))

    def fork(self, candidate: int) -> "Plan":
        """It goes on from here, with the draws of a candidate; `tokens` are those that follow.

        The model must have been stepped on the last one.
        """
        twin = copy(self)
        twin.candidate = candidate
        twin.tokens = deque()
        twin._leading = [replace(token) for token in self._leading]
        twin._forced = self._forced.copy()
        twin._decoder, twin._constraints = self._decoder.copy(), self._constraints.copy()
        return twin

    def go_on(self) -> None:
        """It has no end so far."""
        self._over = None
        self._end = round(LONGEST * self._model.vocabulary.steps_per_second)

    def repeat(self, token: Token) -> None:
        """Go on with the token of another fork of the same plan, whose draws it has."""
        self._waits = False
        self._append(token.id, -math.inf, token.drawn)
        self.position += token.drawn

    def close(self, offs: Iterable[tuple[float, int]]) -> None:
        """Its newest note was the last. `offs`: when those that sound end: (second of the reply,
        pitch) in order."""
        self.closing, self._close, self._end = True, self.pending, self._decoder.step
        self._waits = False
        self._forced = deque(note_offs(self._model.vocabulary, self._end, self.first, offs))

    def follow(self, before: "Plan", logits: Floats, state: Floats, now: float) -> None:
        """It is to be played after what is left of the plan from which it was forked.

        `logits` and `state` are those after its last token that was stepped. If it comes too late
        to be in time it is moved as a whole, so that its rhythm stays.
        """
        self._logits, self.state, self._expected = logits, state, None
        late = now - next((token.time for token in self.tokens if token.events), now)
        if self._shifts and late > self._late_after:
            self._offset += late
            self.shifted = True
            for token in (*self.tokens, *self._leading):
                token.time += late
        self.tokens.extendleft(reversed(before.tokens))

    def due(self, now: float) -> Token | None:
        """Take the next token if its time has come."""
        if self.tokens and self.tokens[0].time <= now:
            token = self.tokens.popleft()
            self.reply.drawn += token.drawn
            self.reply.playing = self.reply.playing or bool(token.events)
            self.reply.closed = self.reply.closed or token is self._close
            return token
        return None

    def grow(self, now: float) -> None:
        """One token more: step the model on the last one, then choose the next."""
        self.step()
        self.choose(now)

    def step(self) -> None:
        """Step the model on the last token, if it was not yet."""
        if self.pending is not None:
            self.take(*self._model.step((self.pending.id,), self.state))

    def take(self, logits: Floats, state: Floats) -> None:
        """What the model's step on the `pending` token from `state` gave."""
        assert self.pending is not None
        self.pending.state, self.pending.logits = self.state, self._logits = state, logits
        self.pending = self._expected = None

    def choose(self, now: float) -> None:
        """One token more, after the state that is known; or it is `complete`.

        There must be none pending. Whoever grows several plans at once steps the model for all of
        them between two choices.
        """
        if not self._forced and not self._waits:
            self._end_what_must_end()
        self._waits = False
        if self.complete:
            return
        if self._forced:
            self._append(self._forced.popleft(), now, drawn=False)
        else:
            uniform = self.reply.uniform(self.position, self.candidate)
            id = self._draw(uniform)
            id = id if self._over is None else self._within(id, self._over)
            self._append(id, now, drawn=True)
            self.position += 1

    def _within(self, id: int, over: int) -> int:
        """A drawn token; of a time shift, no more than leads to where it has to be over."""
        vocabulary, left = self._model.vocabulary, over - self._decoder.step
        kind, value = vocabulary.token(id)
        return vocabulary.id(TIME_SHIFT, left) if kind == TIME_SHIFT and 0 < left < value else id

    def _draw(self, uniform: float) -> int:
        self._focus.strength = faded(self._focused, self._alone)
        return self._sampler.sample(
            self.expected, self._constraints.bias, uniform, self._shape, self._focus
        )

    def _append(self, id: int, now: float, drawn: bool) -> None:
        self._constraints.accept(id)
        if self._quoting:
            self._place = self._quotes.after(self._place, id)
        events = self._decoder.feed(id, MODEL_PART)
        if events and self._late_after < now - self.horizon and self._shifts:
            self._offset += now - self.horizon
            self.shifted = True
        self.pending = Token(id, self.horizon, events, drawn)
        self._leading.append(self.pending)
        if events or id == self._longest_shift:
            for token in self._leading:
                token.time = self.horizon
            self.tokens.extend(self._leading)
            self._leading.clear()

    @property
    def logits(self) -> Floats:
        """What the model expects (V,) after the state that is known."""
        if self._logits is None:
            self._logits = opening(self._model.vocabulary)
        return self._logits

    @property
    def _alone(self) -> float:
        """Seconds that the model has played by itself."""
        return max(0.0, self._decoder.time - self._alone_since)

    @property
    def expected(self) -> Floats:
        """What may come next (V,): the model's logits, leaning to what the performer played."""
        if self._expected is None:
            strength = faded(self._quoting, self._alone)
            self._expected = self._quotes.lean(self.logits, self._place, strength)
            if self._pulse_bias is not None:
                self._expected = self._pulse_bias.apply(self._expected, self._decoder.time)
        return self._expected

    def _end_what_must_end(self) -> None:
        """A note that has sounded for too long; after the end of the reply, all of them.

        After the end no note begins, and soon after it the last ones are released.
        """
        step, vocabulary, over = self._decoder.step, self._model.vocabulary, self._over
        tail = TAIL * vocabulary.steps_per_second
        too_long = self._decoder.longer_than(self._longest_note)
        if step >= self._end:
            self._constraints.close()
            if not self._constraints.own:
                self.complete = True
            elif step >= (over if over is not None else self._end + tail):
                too_long = list(self._constraints.own)
        self._forced.extend(vocabulary.id(NOTE_OFF, pitch) for pitch in too_long)


def opening(vocabulary: Vocabulary) -> Floats:
    """Logits (V,) before anything was heard, of which no model knows: a note near middle C, neither
    soft nor loud."""
    logits = np.zeros(len(vocabulary), np.float32)
    for kind, middle, spread in OPENING:
        ids = vocabulary.ids(kind)
        values = np.arange(len(ids), dtype=np.float32)
        logits[ids.start : ids.stop] = -0.5 * ((values - middle) / spread) ** 2
    return logits
