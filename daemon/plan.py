"""What the model is about to play: tokens with the time they are due and the state after each.

A plan grows from the memory by look-ahead and is thrown away whenever something else is heard. It
has no clock: tokens are taken from it when the caller says that their time has come.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from .grammar import Grammar
from .memory import Memory, StepModel
from .music.events import MODEL_PART, NoteOff, NoteOn
from .music.tokenizer import Decoder
from .music.vocabulary import NOTE_OFF, TIME_SHIFT
from .sampling import Floats, Sampler

TAIL = 2.0  # seconds that notes may ring on after the end of a reply
PAUSE = 5  # steps that it has to think when it plans anew in the midst of a reply
LATE = 0.02  # seconds: a plan that is later than this is moved, so that its rhythm stays


@dataclass(frozen=True)
class Playing:
    """How it plays: see the options of the same names in config.yaml."""

    temperature: float = 1.0
    top_p: float = 1.0
    lowest_pitch: int = 0
    highest_pitch: int = 127
    longest_note: float = 60.0
    lookahead: float = 1.0
    seed: int = 0


@dataclass(slots=True)
class Token:
    """A planned token. `events` sound at `time`; `state` is known once the model was stepped.

    What leads to an event (a time shift, a velocity) has the time of the event. `drawn`: the model
    chose it.
    """

    id: int
    time: float
    events: list[NoteOn | NoteOff]
    drawn: bool
    state: Floats | None = None
    logits: Floats | None = None


@dataclass
class Reply:
    """One turn of the model: begins at `begin`, may begin notes for `length` seconds.

    The draws depend on the seed, the number of the turn and how many draws have sounded only, so
    that the same performance gives the same replies, however often a plan was thrown away.
    """

    begin: float
    length: float
    seed: int
    number: int
    drawn: int = 0  # drawn tokens that have sounded, time shifts among them
    playing: bool = False  # whether a note of it has begun
    _uniforms: list[float] = field(default_factory=list)
    _rng: np.random.Generator | None = None

    def uniform(self, position: int) -> float:
        """The draw in [0, 1) for the drawn token at `position` of this reply."""
        if self._rng is None:
            self._rng = np.random.default_rng((self.seed, self.number))
        while position >= len(self._uniforms):
            self._uniforms.extend(self._rng.random(64).tolist())
        return self._uniforms[position]


class Plan:
    """The tokens of a reply that have not sounded yet."""

    def __init__(
        self,
        model: StepModel,
        memory: Memory,
        sampler: Sampler,
        playing: Playing,
        reply: Reply,
        now: float,
    ) -> None:
        vocabulary = model.vocabulary
        self._model, self._sampler, self.reply = model, sampler, reply
        self.tokens: deque[Token] = deque()
        self.complete = False
        self.pending: Token | None = None  # the newest token while its state is not known
        self._leading: list[Token] = []  # newest tokens, as long as they lead to no event
        self.state, self._logits = memory.state, memory.logits
        self._position = reply.drawn
        encoder = memory.encoder
        self._longest_note = round(playing.longest_note * vocabulary.steps_per_second)
        self._longest_shift = vocabulary.id(TIME_SHIFT, vocabulary.max_shift())
        first = vocabulary.step_of(reply.begin)
        self._offset = reply.begin - vocabulary.time_of(first)
        self._end = first + round(min(reply.length, 1e6) * vocabulary.steps_per_second)
        written = encoder.written if encoder.written is not None else first
        self._decoder = Decoder(vocabulary, written, max(0, encoder.velocity_bin))
        own = encoder.sounding_of(MODEL_PART)
        self._decoder.resume(own)
        self._forced: deque[int] = deque(encoder.shifts_to(first))
        self._grammar = Grammar(
            vocabulary,
            playing.lowest_pitch,
            playing.highest_pitch,
            velocity_bin=encoder.velocity_bin,
            own=own,
            others=[p for p in encoder.sounding if p not in own],
            must_play=not reply.playing,
        )
        if reply.playing:
            elapsed = vocabulary.step_of(now - self._offset) - written
            self._grammar.wait(max(elapsed, PAUSE))

    @property
    def next_due(self) -> float | None:
        """When the next token is due."""
        return self.tokens[0].time if self.tokens else None

    @property
    def horizon(self) -> float:
        """How far it is planned: the time of its last token."""
        return self._decoder.time + self._offset

    def due(self, now: float) -> Token | None:
        """Take the next token if its time has come."""
        if self.tokens and self.tokens[0].time <= now:
            token = self.tokens.popleft()
            self.reply.drawn += token.drawn
            self.reply.playing = self.reply.playing or bool(token.events)
            return token
        return None

    def grow(self, now: float) -> None:
        """One token more: step the model on the last one, then choose the next."""
        if self.pending is not None:
            self.take(*self._model.step((self.pending.id,), self.state))
        self.choose(now)

    def take(self, logits: Floats, state: Floats) -> None:
        """What the model's step on the `pending` token from `state` gave."""
        assert self.pending is not None
        self.pending.state, self.pending.logits = self.state, self._logits = state, logits
        self.pending = None

    def choose(self, now: float) -> None:
        """One token more, after the state that is known; or it is `complete`.

        There must be none pending. Whoever grows several plans at once steps the model for all of
        them between two choices.
        """
        if not self._forced:
            self._end_what_must_end()
        if self.complete:
            return
        if self._forced:
            self._append(self._forced.popleft(), now, drawn=False)
        else:
            uniform = self.reply.uniform(self._position)
            id = self._sampler.sample(self._known_logits(), self._grammar.bias, uniform)
            self._append(id, now, drawn=True)
            self._position += 1

    def _append(self, id: int, now: float, drawn: bool) -> None:
        self._grammar.accept(id)
        events = self._decoder.feed(id, MODEL_PART)
        if events and self.horizon < now - LATE:
            self._offset += now - self.horizon
        self.pending = Token(id, self.horizon, events, drawn)
        self._leading.append(self.pending)
        if events or id == self._longest_shift:
            for token in self._leading:
                token.time = self.horizon
            self.tokens.extend(self._leading)
            self._leading.clear()

    def _known_logits(self) -> Floats:
        if self._logits is None:  # nothing was ever heard: all is equally likely
            self._logits = np.zeros(len(self._model.vocabulary), np.float32)
        return self._logits

    def _end_what_must_end(self) -> None:
        """A note that has sounded for too long; after the end of the reply, all of them.

        After the end no note begins, and soon after it the last ones are released.
        """
        step, vocabulary = self._decoder.step, self._model.vocabulary
        too_long = self._decoder.longer_than(self._longest_note)
        if step >= self._end:
            self._grammar.close()
            if not self._grammar.own:
                self.complete = True
            elif step >= self._end + TAIL * vocabulary.steps_per_second:
                too_long = list(self._grammar.own)
        self._forced.extend(vocabulary.id(NOTE_OFF, pitch) for pitch in too_long)
