"""A plan: the tokens that the model is about to play, each with its time and the state after it.

A plan grows ahead from the context and is discarded whenever something else is played. It has no
clock: the caller says up to which time its tokens are due.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import replace

import numpy as np

from ..arrays import Floats
from ..recall.motifs import Motifs
from ..timing.beat_grid import BeatGrid
from ..timing.pulse import Pulse
from ..tokens.events import MODEL_PART
from ..tokens.tokenizer import Decoder
from ..tokens.vocabulary import NOTE_OFF, NOTE_ON, TIME_SHIFT, VELOCITY, Vocabulary
from .biases import Biases
from .constraints import Constraints
from .context import BeatModel, Context, StepModel
from .ending import note_offs
from .focus import Focus, faded
from .rate_limit import RateLimit
from .reply import Reply, Token
from .sampling import Sampler
from .shaping import Playing, Shape

TAIL = 2.0  # seconds that notes may sound after the end of a reply
PAUSE = 3  # steps of silence when a playing reply is replanned, to have time for it
LONGEST = 1e6  # seconds of a reply; longer ones are endless
OPENING = ((NOTE_ON, 62, 7), (VELOCITY, 16, 2))  # kind, mean and spread of a first note


class Plan:
    """The tokens of a reply that have not sounded.

    `complete`: no more tokens follow. `closing`: its last note is planned. `shifted`: it was late
    and was moved. `pending`: the newest token, while the model was not stepped on it. `candidate`:
    the number of the candidate whose draws it uses.
    """

    def __init__(
        self,
        model: StepModel,
        context: Context,
        sampler: Sampler,
        playing: Playing,
        shape: Shape,
        reply: Reply,
        pulse: Pulse | None = None,
        motifs: Motifs | None = None,
        beats: Pulse | None = None,
    ) -> None:
        """`pulse`: to which it is drawn. `beats`: what the model is told, if it takes a beat."""
        vocabulary = model.vocabulary
        self._model, self._sampler, self._shape, self.reply = model, sampler, shape, reply
        self.tokens: deque[Token] = deque()
        self.complete = False
        self.closing = False
        self.shifted = False
        self.pending: Token | None = None
        self._close: Token | None = None  # the last note
        self._leading: list[Token] = []  # the newest tokens that no event has followed yet
        self.state, self._logits = context.state, context.logits
        self._expected: Floats | None = None
        self.position = reply.drawn + reply.replanned  # of the next draw
        self.candidate = 0
        encoder = context.encoder
        self._shifts, self._late_after = playing.late_notes == "shift", playing.late_after
        self._longest_note = round(playing.longest_note * vocabulary.steps_per_second)
        self._longest_shift = vocabulary.id(TIME_SHIFT, vocabulary.max_shift())
        first = vocabulary.step_of(reply.begin)
        self.first = vocabulary.time_of(first)
        """The time of a token at the beginning of the reply."""
        self._offset = reply.begin - self.first
        self._end = first + round(min(reply.length, LONGEST) * vocabulary.steps_per_second)
        written = encoder.written if encoder.written is not None else first
        # the step at which all notes must have ended; None: they may sound on
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
        self._biases = Biases(vocabulary, context, playing, reply, own, pulse, motifs, self._offset)
        self._beat_model = self._grid = None
        if beats is not None and isinstance(model, BeatModel) and model.takes_beat:
            self._beat_model = model
            self._grid = BeatGrid.of(beats, self._offset, vocabulary.steps_per_second)
        self._waits = reply.begun  # the first token is a time shift, to gain time
        if reply.begun:
            self._resume(context, own, written)

    def _constrained(
        self, context: Context, playing: Playing, own: Mapping[int, int], written: int
    ) -> Constraints:
        """The constraints after the notes that sound; `own`: the model's (pitch -> step)."""
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

    def _resume(self, context: Context, own: Mapping[int, int], written: int) -> None:
        """Continue a playing reply after a short pause, and end notes that are too long by then."""
        vocabulary = self._model.vocabulary
        soonest = max(written + 1, vocabulary.step_of(self._alone_since) + PAUSE)
        self._constraints.wait(soonest - written)
        overdue = [p for p, step in own.items() if soonest - step >= self._longest_note]
        if overdue:
            self._forced.extend(context.encoder.shifts_to(soonest))
            self._forced.extend(vocabulary.id(NOTE_OFF, pitch) for pitch in overdue)

    @property
    def next_due(self) -> float | None:
        """When the next token is due; None when there is none."""
        return self.tokens[0].time if self.tokens else None

    @property
    def horizon(self) -> float:
        """The time of the last token."""
        return self._decoder.time + self._offset

    @property
    def reached(self) -> float:
        """How many seconds of the reply are planned."""
        return self._decoder.time - self.first

    @property
    def begins(self) -> float:
        """When the reply begins according to the plan."""
        return self.first + self._offset

    @property
    def sounding(self) -> dict[int, float]:
        """The model's sounding notes: pitch -> onset in seconds of the reply."""
        time_of = self._model.vocabulary.time_of
        return {pitch: time_of(step) - self.first for pitch, step in self._decoder.began.items()}

    def fork(self, candidate: int) -> "Plan":
        """A copy that continues from here with the draws of a candidate; its `tokens` are new.

        No token may be pending.
        """
        twin = copy(self)
        twin.candidate = candidate
        twin.tokens = deque()
        twin._leading = [replace(token) for token in self._leading]
        twin._forced = self._forced.copy()
        twin._decoder, twin._constraints = self._decoder.copy(), self._constraints.copy()
        twin._biases = self._biases.copy()
        return twin

    def remove_end(self) -> None:
        """Make the plan endless for now."""
        self._over = None
        self._end = round(LONGEST * self._model.vocabulary.steps_per_second)

    def repeat(self, token: Token) -> None:
        """Append the token of another fork of the same plan with the same draws."""
        self._waits = False
        self._append(token.id, -math.inf, token.drawn)
        self.position += token.drawn

    def close(self, offs: Iterable[tuple[float, int]]) -> None:
        """Make the newest note the last. `offs`: (second of the reply, pitch) of the note-offs."""
        self.closing, self._close, self._end = True, self.pending, self._decoder.step
        self._waits = False
        self._forced = deque(note_offs(self._model.vocabulary, self._end, self.first, offs))

    def follow(self, before: "Plan", logits: Floats, state: Floats, now: float) -> None:
        """Continue the plan `before`, from which this one was forked.

        `logits` and `state` are those after the last token that was stepped. A fork that is ready
        too late is shifted as a whole, which keeps its rhythm.
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
        """Remove and return the next token if it is due."""
        if self.tokens and self.tokens[0].time <= now:
            token = self.tokens.popleft()
            self.reply.drawn += token.drawn
            self.reply.playing = self.reply.playing or bool(token.events)
            self.reply.closed = self.reply.closed or token is self._close
            return token
        return None

    def grow(self, now: float) -> None:
        """Step the model on the last token, then choose the next one."""
        self.step()
        self.choose(now)

    def step(self) -> None:
        """Step the model on the pending token, if there is one."""
        if self.pending is not None:
            self.stepped(*self.after(self.pending, self.state))

    def after(self, token: Token, state: Floats) -> tuple[Floats, Floats]:
        """Logits and state after a token of this plan."""
        if token.beat is None or self._beat_model is None:
            return self._model.step((token.id,), state)
        return self._beat_model.step((token.id,), state, token.beat)

    def stepped(self, logits: Floats, state: Floats) -> None:
        """Store the result of the model's step on the pending token."""
        assert self.pending is not None
        self.pending.state, self.pending.logits = self.state, self._logits = state, logits
        self.pending = self._expected = None

    def choose(self, now: float) -> None:
        """Choose the next token, or set `complete`. No token may be pending.

        A caller that grows several plans steps the model for all of them between two choices.
        """
        if not self._forced and not self._waits:
            self._force_note_offs()
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
        """A drawn token, with a time shift shortened so that it does not go beyond step `over`."""
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
        events = self._decoder.feed(id, MODEL_PART)
        self._biases.follow(id, self._decoder.step, events)
        if events and self._late_after < now - self.horizon and self._shifts:
            self._offset += now - self.horizon
            self.shifted = True
        self.pending = Token(id, self.horizon, events, drawn)
        if self._grid is not None:
            self.pending.beat = self._grid.at(self._decoder.time)
        self._leading.append(self.pending)
        if events or id == self._longest_shift:
            for token in self._leading:
                token.time = self.horizon
            self.tokens.extend(self._leading)
            self._leading.clear()

    @property
    def logits(self) -> Floats:
        """The model's logits (V,) for the next token."""
        if self._logits is None:
            self._logits = opening(self._model.vocabulary)
        return self._logits

    @property
    def _alone(self) -> float:
        """How many seconds the model has played alone."""
        return max(0.0, self._decoder.time - self._alone_since)

    @property
    def expected(self) -> Floats:
        """The logits (V,) for the next token, with all biases but those of `Shape`."""
        if self._expected is None:
            self._expected = self._biases.apply(
                self.logits, self._decoder, self._alone, bool(self._constraints.own)
            )
        return self._expected

    def _force_note_offs(self) -> None:
        """Force the note-offs of notes that are too long and, after the reply's end, of all notes.

        After the end no note begins; `TAIL` later the last ones are released.
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
    """Logits (V,) for a first token without any context: a mezzo-forte note near middle C."""
    logits = np.zeros(len(vocabulary), np.float32)
    for kind, middle, spread in OPENING:
        ids = vocabulary.ids(kind)
        values = np.arange(len(ids), dtype=np.float32)
        logits[ids.start : ids.stop] = -0.5 * ((values - middle) / spread) ** 2
    return logits
