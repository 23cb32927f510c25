"""A turn of the model, and the tokens that are planned for it."""

import math
from dataclasses import dataclass, field

import numpy as np

from ..arrays import Floats
from ..timing.beat_grid import Beat
from ..tokens.events import NoteOff, NoteOn

DRAWS = 64  # random numbers drawn at a time


@dataclass(slots=True)
class Token:
    """A planned token. `events` are due at `time`; `state` and `logits` are those after it.

    A time shift or velocity has the time of the event that follows it. `drawn`: it was sampled, not
    forced. `beat` is that after it, if it is known and the model takes one.
    """

    id: int
    time: float
    events: list[NoteOn | NoteOff]
    drawn: bool
    state: Floats | None = None
    logits: Floats | None = None
    beat: Beat | None = None


@dataclass
class Reply:
    """One turn of the model, which starts at `begin` and may begin notes for `length` seconds.

    The random draws depend on the seed, the number of the turn, how many drawn tokens have sounded
    and how often the reply was replanned. So the same performance gives the same replies, however
    often a plan was discarded. `joins`: it plays along, so its first note may come later.
    `finishes`: it is to end with a close; `exact`: all its notes must have ended after `length`.
    """

    begin: float
    length: float
    seed: int
    number: int
    drawn: int = 0  # drawn tokens that have sounded, including time shifts
    playing: bool = False  # whether its first note has begun
    joins: bool = False
    finishes: bool = False
    exact: bool = False
    closed: bool = False  # whether its last note has begun
    replanned: int = 0  # how often it was replanned while it played
    since: float = 0.0  # when it was last replanned
    known: float = 0.0  # since when the performer's last event before it is known
    _blocks: dict[int, tuple[int, list[float]]] = field(default_factory=dict)

    @property
    def end(self) -> float:
        """The time after which no note begins; `begin` for an endless reply."""
        return self.begin + (self.length if self.length < math.inf else 0.0)

    @property
    def begun(self) -> bool:
        """Whether it continues music, rather than having to begin with a note."""
        return self.playing or self.joins

    def replan(self, time: float) -> None:
        """An event at `time` has made its plan invalid."""
        if self.begun:
            self.replanned += 1
            self.since = time
        else:
            self.known = max(self.known, time)

    def uniform(self, position: int, candidate: int = 0) -> float:
        """The random number in [0, 1) for the drawn token at `position` of a candidate."""
        block, index = divmod(position, DRAWS)
        known, uniforms = self._blocks.get(candidate, (-1, []))
        if block != known:
            more = (candidate,) if candidate else ()
            rng = np.random.default_rng((self.seed, self.number, block, *more))
            uniforms = rng.random(DRAWS).tolist()
            self._blocks[candidate] = block, uniforms
        return uniforms[index]
