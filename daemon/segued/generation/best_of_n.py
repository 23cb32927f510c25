"""Best of n: several candidates for what comes next are generated, and the best one is played.

A plan grows in stretches of `HORIZON` seconds (or `MAX_TOKENS`). For each stretch it is forked into
`candidates`, which are stepped as one batch: four cost an int8 model 1.2 times as much as one. Each
has its own random draws, which depend on the seed, the number of the turn and of the candidate. At
the end of the stretch each is compared with what the performer played recently, and the plan
continues from the best one.

The same performance gives the same reply, live and by `render`. So all decisions depend on the
music and its times, never on the speed of the machine or on how often a plan was discarded:

- There is only one candidate for one stretch if the reply became known less than `NOTICE` seconds
  before it begins (for example by the action `take`), or if it is replanned while it plays.
- All candidates grow to the end of the stretch before the plan continues. This work is bounded by
  `MAX_TOKENS` batched steps and as many single ones. In practice it takes 20 ms of the half second
  of silence before a reply, or of the second of `turns.lookahead`. On a machine more than ten times
  slower the music pauses for that long and keeps its rhythm; `sampling.candidates: 1` avoids it.
- A batched step differs from a single one in the last bits (see `Model.step_many`), so it is only
  used to draw and to compare. The tokens of the chosen candidate are fed again one by one before
  any of them sounds. So the context equals that of a fresh model that was fed exactly these.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from ..arrays import Floats
from ..timing.beat_grid import UNKNOWN, Beat
from ..tokens.events import NoteOn
from .context import BeatModel, StepModel
from .plan import Plan
from .reply import Reply, Token
from .sampling import COLD
from .shaping import Playing
from .style_features import StyleFeatures

HORIZON = 1.0  # seconds of a stretch
MAX_TOKENS = 64  # of a stretch
NOTICE = 0.25  # seconds that a reply must be known in advance to have several candidates
ROUNDING = 1e-6  # seconds by which equal times may differ
GROUP = 4  # plans that choose a token in one call, which takes about as long as a model step

NOTHING = -100.0  # the score of a stretch without a note
SHORTEST = 0.1  # seconds; shorter stretches count as this long


@runtime_checkable
class BatchModel(StepModel, Protocol):
    """A model that steps several states in one call: see `Model.step_many`."""

    def step_many(
        self, ids: Sequence[int], states: Sequence[Floats]
    ) -> tuple[Floats, Sequence[Floats]]:
        """Step each of N states (S,) with its id: logits (N, V) and the new states."""


@runtime_checkable
class BatchBeatModel(BeatModel, Protocol):
    """The same with the beat after each id."""

    def step_many(
        self, ids: Sequence[int], states: Sequence[Floats], beats: Sequence[Beat] | None = None
    ) -> tuple[Floats, Sequence[Floats]]:
        """Step each of N states (S,) with its id and its beat: logits (N, V) and the new states."""


def step_many(
    model: StepModel, ids: Sequence[int], states: Sequence[Floats], beats: Sequence[Beat | None]
) -> tuple[Sequence[Floats], Sequence[Floats]]:
    """Step each state with its id, as one batch if the model supports it. `beats`: None where it is
    unknown or the model takes none."""
    if len(ids) > 1 and isinstance(model, BatchModel):
        if any(beats) and isinstance(model, BatchBeatModel):
            rows, after = model.step_many(ids, states, [beat or UNKNOWN for beat in beats])
        else:
            rows, after = model.step_many(ids, states)
        return list(rows), after
    if any(beats) and isinstance(model, BeatModel):
        both = [
            model.step((id,), state, beat or UNKNOWN)
            for id, state, beat in zip(ids, states, beats, strict=True)
        ]
    else:
        both = [model.step((id,), state) for id, state in zip(ids, states, strict=True)]
    return [logits for logits, _ in both], [state for _, state in both]


def tries(playing: Playing) -> bool:
    """Whether there are several candidates.

    At temperature 0 all would be equal, and a short lookahead leaves no time for them.
    """
    return playing.candidates > 1 and playing.temperature >= COLD and playing.lookahead >= NOTICE


def alone_until(reply: Reply, plan: Plan) -> float:
    """Up to which second of a reply a new plan for it has only one candidate."""
    if not reply.begun and reply.begin - reply.known > NOTICE - ROUNDING:
        return -np.inf
    return max(0.0, plan.reached) + HORIZON


class Candidate:
    """A forked plan with the tokens of its stretch and their likelihood."""

    def __init__(self, plan: Plan, until: float = np.inf, most: float = np.inf) -> None:
        """The stretch ends when `until` seconds of the reply are planned, or at `most` tokens."""
        self.plan = plan
        self.tokens: list[Token] = []
        self.over = False
        self._start = max(0.0, plan.reached)
        self._until, self._most = until, most
        self._drawn = 0
        self._likelihood = 0.0  # sum of the log-probabilities of the drawn tokens

    def choose(self, now: float) -> None:
        """Add a token; sets `over` at the end of the stretch or of the reply."""
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

    def score(self, wanted: StyleFeatures | None, playing: Playing) -> float:
        """The mean log-likelihood per token, in nats, plus the similarity to `wanted`, if given."""
        notes = [e for token in self.tokens for e in token.events if isinstance(e, NoteOn)]
        if not notes:
            return NOTHING
        likely = self._likelihood / max(1, self._drawn)
        if wanted is None:
            return likely
        seconds = max(SHORTEST, self.plan.reached - self._start)
        return likely + StyleFeatures.of(notes, seconds).similarity(wanted, playing)


class BestOfN:
    """The candidates for the next stretch of a plan, until the best one is chosen."""

    def __init__(
        self,
        model: StepModel,
        plan: Plan,
        wanted: StyleFeatures | None,
        playing: Playing,
        until: float = np.inf,
    ) -> None:
        """Prepare without a model step.

        `wanted`: features of what the performer played. `until`: the second of the reply at which
        the stretch ends at the latest.
        """
        self._model, self._plan = model, plan
        self._wanted, self._playing = wanted, playing
        self._until = until
        self._candidates: Sequence[Candidate] = ()
        self._winner: Plan | None = None
        self._again: deque[Token] = deque()  # tokens of the winner that must be fed again singly
        self._logits = self._state = np.empty(0, np.float32)

    def think(self, now: float) -> Plan | None:
        """Make one model step or choose a few tokens; return the winning plan once it is ready."""
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
        self._candidates = self._new_candidates()

    def _new_candidates(self) -> Sequence[Candidate]:
        until = min(max(0.0, self._plan.reached) + HORIZON, self._until)
        count = self._playing.candidates
        return [Candidate(self._plan.fork(number), until, MAX_TOKENS) for number in range(count)]

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
        """Choose the best candidate, after all are over."""
        best = max(self._candidates, key=lambda one: one.score(self._wanted, self._playing))
        self._winner = best.plan
        self._again.extend(token for token in best.tokens if token is not best.plan.pending)

    def _step(self) -> None:
        """Step all candidates, also those that are over, so that the batch size stays the same."""
        plans = [one.plan for one in self._candidates]
        ids = [plan.pending.id if plan.pending is not None else 0 for plan in plans]
        beats = [plan.pending.beat if plan.pending is not None else None for plan in plans]
        logits, states = step_many(self._model, ids, [plan.state for plan in plans], beats)
        for one, row, state in zip(self._candidates, logits, states, strict=True):
            if not one.over:
                one.plan.stepped(row, state)

    def _feed_again(self, winner: Plan) -> None:
        """Feed the winner's next token again, singly."""
        token = self._again.popleft()
        self._logits, self._state = winner.after(token, self._state)
        token.logits, token.state = self._logits, self._state


def log_probability(logits: Floats, id: int) -> float:
    """The log-probability of an id under logits (V,), in nats."""
    best = logits.max()
    return float(logits[id] - best - np.log(np.exp(logits - best).sum()))
