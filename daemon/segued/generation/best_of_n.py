"""What comes next, several times over; the one that suits best is played.

A plan grows in stretches of `HORIZON` seconds (or `MOST` tokens). For each stretch it is forked
into `candidates`, which are stepped as one batch: four cost an int8 model 1.2 times what one does.
Each has draws of its own, which depend on the seed, the number of the turn and of the candidate. At
the end of the stretch each is compared with what the performer played lately, and the plan goes on
from the best one.

A reply is the same whenever it is played to again, live or by `render`: what is done depends on the
music and its times, never on how quick the machine is or how often a plan was thrown away. So

- a reply that was announced less than `NOTICE` seconds before it begins (the model is given the
  floor, a pedal lifts at the last moment), and one that has to decide anew in its midst, goes alone
  for one stretch;
- all candidates grow to the end of the stretch, and what comes next waits for that. It is an amount
  of work with a bound: `MOST` batched steps and as many single ones at most, in practice 20 ms of
  the half second and more that the silence lasts and of the second that `turns.lookahead` is. A
  machine ten times slower would still be in time. On one that is not, the music stops for as long,
  and its rhythm is kept; `sampling.candidates: 1` does without;
- a batched step is not in the last bit what a single one is (see `Model.step_many`). It serves to
  draw and to compare. The tokens of the chosen one are fed once more, singly, before any of them
  may sound, so that the memory is that of a fresh model that heard exactly these.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from ..arrays import Floats
from ..tokens.events import NoteOn
from .context import StepModel
from .plan import Plan
from .reply import Reply, Token
from .sampling import COLD
from .shaping import Playing
from .style_features import StyleFeatures

HORIZON = 1.0  # seconds of a stretch
MOST = 64  # tokens of it, at most
NOTICE = 0.25  # seconds between the last thing heard and a reply with candidates
A_LITTLE = 1e-6  # seconds, by which times may differ in their last digits
GROUP = 4  # plans that choose a token in one call: what is due waits no longer than for a step

NOTHING = -100.0  # how well a stretch without a note suits
SHORTEST = 0.1  # seconds that a stretch is taken to last at least


@runtime_checkable
class BatchModel(StepModel, Protocol):
    """A model that steps several states in one call: see `Model.step_many`."""

    def step_many(
        self, ids: Sequence[int], states: Sequence[Floats]
    ) -> tuple[Floats, Sequence[Floats]]:
        """One id for each of some states (S,): logits (N, V) and the new states."""


def step_many(
    model: StepModel, ids: Sequence[int], states: Sequence[Floats]
) -> tuple[Sequence[Floats], Sequence[Floats]]:
    """One id for each state, as one batch where the model can."""
    if len(ids) > 1 and isinstance(model, BatchModel):
        rows, after = model.step_many(ids, states)
        return list(rows), after
    both = [model.step((id,), state) for id, state in zip(ids, states, strict=True)]
    return [logits for logits, _ in both], [state for _, state in both]


def tries(playing: Playing) -> bool:
    """Whether there are several candidates. Without chance all would be the same; a look-ahead that
    is too short has no time for them."""
    return playing.candidates > 1 and playing.temperature >= COLD and playing.lookahead >= NOTICE


def alone_until(reply: Reply, plan: Plan) -> float:
    """Seconds of a reply up to which a new plan for it grows without candidates."""
    if not reply.begun and reply.begin - reply.known > NOTICE - A_LITTLE:
        return -np.inf
    return max(0.0, plan.reached) + HORIZON


class Candidate:
    """A plan in a race, its tokens so far, and how likely the model takes them to be."""

    def __init__(self, plan: Plan, until: float = np.inf, most: float = np.inf) -> None:
        """It is over when `until` seconds of the reply are planned, or after `most` tokens."""
        self.plan = plan
        self.tokens: list[Token] = []
        self.over = False
        self._start = max(0.0, plan.reached)
        self._until, self._most = until, most
        self._drawn = 0
        self._likelihood = 0.0  # sum of the log-probabilities of what was drawn

    def choose(self, now: float) -> None:
        """One token more; it is `over` at the end of the stretch or of the reply."""
        plan = self.plan
        logits = plan.expected
        plan.choose(now)
        token = plan.pending
        if token is not None:
            self.tokens.append(token)
            if token.drawn:
                self._drawn += 1
                self._likelihood += log_probability(logits, token.id)
        reached = plan.reached >= self._until
        self.over = plan.complete or reached or len(self.tokens) >= self._most

    def suits(self, wanted: StyleFeatures | None, playing: Playing) -> float:
        """How well it goes on from what was heard: its likelihood to the model, in nats a token,
        and its likeness to what the performer played, where that is known."""
        notes = [e for token in self.tokens for e in token.events if isinstance(e, NoteOn)]
        if not notes:
            return NOTHING
        likely = self._likelihood / max(1, self._drawn)
        if wanted is None:
            return likely
        seconds = max(SHORTEST, self.plan.reached - self._start)
        return likely + StyleFeatures.of(notes, seconds).likeness(wanted, playing)


class BestOfN:
    """The candidates for the next stretch of a plan, until one of them is chosen."""

    def __init__(
        self,
        model: StepModel,
        plan: Plan,
        wanted: StyleFeatures | None,
        playing: Playing,
        until: float = np.inf,
    ) -> None:
        """Nothing is done yet. `wanted`: what the performer played. `until`: seconds of the reply
        that end the stretch, if it is not over sooner."""
        self._model, self._plan = model, plan
        self._wanted, self._playing = wanted, playing
        self._until = until
        self._candidates: Sequence[Candidate] = ()
        self._winner: Plan | None = None
        self._again: deque[Token] = deque()  # tokens of the winner whose states are the batch's
        self._logits = self._state = np.empty(0, np.float32)

    def think(self, now: float) -> Plan | None:
        """A step of the model, or a few tokens chosen; the plan to be played once that is known."""
        if not self._candidates:
            self._begin()
        elif self._winner is None:
            self._grow(now)
        elif self._again:
            self._feed_again(self._winner)
        else:
            self._winner.follow(self._plan, self._logits, self._state, now)
            return self._winner
        return None

    def _begin(self) -> None:
        self._plan.step()
        self._logits, self._state = self._plan.logits, self._plan.state
        self._candidates = self._rivals()

    def _rivals(self) -> Sequence[Candidate]:
        until = min(max(0.0, self._plan.reached) + HORIZON, self._until)
        count = self._playing.candidates
        return [Candidate(self._plan.fork(number), until, MOST) for number in range(count)]

    def _grow(self, now: float) -> None:
        running = [one for one in self._candidates if not one.over]
        waiting = [one for one in running if one.plan.pending is None]
        for one in waiting[:GROUP]:
            one.choose(now)
        if waiting:
            return
        if running:
            self._step()
            return
        self._decide()

    def _decide(self) -> None:
        """All of them are over: the best one is the winner."""
        best = max(self._candidates, key=lambda one: one.suits(self._wanted, self._playing))
        self._winner = best.plan
        self._again.extend(token for token in best.tokens if token is not best.plan.pending)

    def _step(self) -> None:
        """All of them, those that are over too: a batch of one size is prepared once."""
        plans = [one.plan for one in self._candidates]
        ids = [plan.pending.id if plan.pending is not None else 0 for plan in plans]
        logits, states = step_many(self._model, ids, [plan.state for plan in plans])
        for one, row, state in zip(self._candidates, logits, states, strict=True):
            if not one.over:
                one.plan.take(row, state)

    def _feed_again(self, winner: Plan) -> None:
        """The next token of the winner, singly."""
        token = self._again.popleft()
        self._logits, self._state = self._model.step((token.id,), self._state)
        token.logits, token.state = self._logits, self._state


def log_probability(logits: Floats, id: int) -> float:
    """Of one id under logits (V,), in nats."""
    best = logits.max()
    return float(logits[id] - best - np.log(np.exp(logits - best).sum()))
