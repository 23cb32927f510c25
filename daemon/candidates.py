"""Several beginnings of a reply, grown side by side, of which the one that suits best is played.

While the performer's silence runs down, `candidates` plans grow from the same memory, stepped as
one batch: for an int8 model four cost 1.2 times what one does. Each has draws of its own, which
depend on the seed, the number of the turn and the number of the candidate. At `HORIZON` seconds (or
`MOST` tokens) each is compared with what was heard lately, and the best one becomes the plan; from
there on it grows alone, with its own draws.

A reply is the same whenever it is played to again, live or by `render`: what is done depends on the
music and its times, never on how quick the machine is or how often a plan was thrown away. So

- candidates are tried only when nothing was heard for `NOTICE` seconds before the reply is to
  begin, as far as can be told beforehand, and never in the midst of a reply, nor when the model is
  given the floor at once: then there is one candidate, the first;
- all of them grow to the end, and the reply waits for that. It is an amount of work with a bound:
  at most `MOST` batched steps and as many single ones. That is 30 ms of the 700 that the silence
  lasts by default; a machine ten times slower would still be in time. On one that is not, the first
  note comes late, and its rhythm is kept (`Plan`); `sampling.candidates: 1` does without;
- a batched step is not in the last bit what a single one is (see `Model.step_many`). It serves to
  draw and to compare. The tokens of the chosen one are fed once more, singly, before any of them
  may sound, so that the memory is that of a fresh model that heard exactly these.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from .memory import Memory, StepModel
from .music.events import Event, NoteOn
from .plan import Plan, Token
from .sampling import Floats
from .shaping import Playing

HORIZON = 2.0  # seconds of a reply that are compared
MOST = 96  # tokens of it, at most
NOTICE = 0.25  # seconds between the last thing heard and a reply with candidates
GROUP = 4  # plans that choose a token in one call: what is due waits no longer than for a step

WINDOW = 20.0  # seconds of the performer's playing that a candidate is compared with
REMEMBERED = 128  # notes of it, at most
FEWEST = 4  # notes that can be compared with

LIKELIHOOD = 1.0
SEMITONES = 12.0


@runtime_checkable
class BatchModel(StepModel, Protocol):
    """A model that steps several states in one call: see `daemon.model.Model.step_many`."""

    def step_many(
        self, ids: Sequence[int], states: Sequence[Floats]
    ) -> tuple[Floats, Sequence[Floats]]:
        """One id for each of some states (S,): logits (N, V) and the new states."""


def step_many(
    model: StepModel, ids: Sequence[int], states: Sequence[Floats]
) -> tuple[Sequence[Floats], Sequence[Floats]]:
    """One id for each state, as one batch where the model can."""
    if isinstance(model, BatchModel):
        rows, after = model.step_many(ids, states)
        return list(rows), after
    both = [model.step((id,), state) for id, state in zip(ids, states, strict=True)]
    return [logits for logits, _ in both], [state for _, state in both]


@dataclass(frozen=True, slots=True)
class Portrait:
    """What some notes are like: notes a second, their middle and spread in semitones."""

    density: float
    pitch: float
    spread: float

    @classmethod
    def of(cls, notes: Collection[NoteOn], seconds: float) -> "Portrait":
        """Of at least one note, in so many seconds."""
        pitches = [note.pitch for note in notes]
        middle = sum(pitches) / len(pitches)
        spread = sum((pitch - middle) ** 2 for pitch in pitches) / len(pitches)
        return cls(len(notes) / seconds, middle, spread**0.5)


class Lately:
    """What the performer played lately: the notes of the last `WINDOW` seconds of it."""

    def __init__(self) -> None:
        self._notes: deque[NoteOn] = deque(maxlen=REMEMBERED)

    def hear(self, event: Event) -> None:
        """Something that was played."""
        if isinstance(event, NoteOn):
            self._notes.append(event)
            while self._notes[0].time <= event.time - WINDOW:
                self._notes.popleft()

    def forget(self) -> None:
        """Nothing was played."""
        self._notes.clear()

    @property
    def portrait(self) -> Portrait | None:
        """None: too little to compare anything with."""
        count = len(self._notes)
        seconds = self._notes[-1].time - self._notes[0].time if count else 0.0
        if count < FEWEST or seconds <= 0.0:
            return None
        return Portrait.of(self._notes, seconds * count / (count - 1))


@dataclass(slots=True)
class Candidate:
    """A plan in a race. `likelihood` is the sum of the log-probabilities of its `drawn` tokens,
    as the model gives them, before masks, temperature and leanings."""

    plan: Plan
    grown: int = 0  # tokens
    drawn: int = 0
    likelihood: float = 0.0
    over: bool = False

    def choose(self, now: float) -> None:
        """One token more; it is `over` at its horizon or its end."""
        plan = self.plan
        logits, position = plan.logits, plan.position
        plan.choose(now)
        if plan.position > position and plan.pending is not None:
            self.drawn += 1
            self.likelihood += log_probability(logits, plan.pending.id)
        self.grown += plan.pending is not None
        if plan.complete or plan.reached >= HORIZON or self.grown >= MOST:
            self.over = True

    def suits(self, wanted: Portrait, playing: Playing) -> float:
        """How well it goes on from what was played; more is better."""
        plan = self.plan
        notes = [e for token in plan.tokens for e in token.events if isinstance(e, NoteOn)]
        if not notes:
            return -np.inf
        mean = self.likelihood / max(1, self.drawn)
        own = Portrait.of(notes, max(plan.reached, 0.1))
        density = abs(np.log(own.density / (wanted.density * playing.density)))
        pitch = abs(own.pitch - wanted.pitch - playing.register) / SEMITONES
        return float(LIKELIHOOD * mean - density - pitch)


class Race:
    """Candidates for a reply, until one is chosen."""

    def __init__(
        self,
        model: StepModel,
        memory: Memory,
        plans: Sequence[Plan],
        wanted: Portrait,
        playing: Playing,
    ) -> None:
        self._model, self._wanted, self._playing = model, wanted, playing
        self._state = memory.state
        self._candidates = [Candidate(plan) for plan in plans]
        self._winner: Plan | None = None
        self._again: deque[Token] = deque()  # tokens of the winner whose states are the batch's

    def think(self, now: float) -> Plan | None:
        """A step of the model, or some tokens chosen; the plan to be played once that is known."""
        if self._winner is None:
            self._grow(now)
            return None
        if self._again:
            token = self._again.popleft()
            token.logits, token.state = self._model.step((token.id,), self._state)
            self._state = token.state
            return None
        self._winner.settle(self._state, now)
        return self._winner

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
        best = max(self._candidates, key=lambda one: one.suits(self._wanted, self._playing))
        self._winner = best.plan
        self._again.extend(best.plan.stepped)

    def _step(self) -> None:
        """All of them, those that are over too: a batch of one size is prepared once."""
        plans = [one.plan for one in self._candidates]
        ids = [plan.pending.id if plan.pending is not None else 0 for plan in plans]
        logits, states = step_many(self._model, ids, [plan.state for plan in plans])
        for one, row, state in zip(self._candidates, logits, states, strict=True):
            if not one.over:
                one.plan.take(row, state)


def log_probability(logits: Floats, id: int) -> float:
    """Of one id under logits (V,), in nats."""
    best = logits.max()
    return float(logits[id] - best - np.log(np.exp(logits - best).sum()))
