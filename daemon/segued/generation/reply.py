"""A turn of the model, and the tokens that are planned for it."""

import math
from dataclasses import dataclass, field

import numpy as np

from ..arrays import Floats
from ..tokens.events import NoteOff, NoteOn

DRAWS = 64  # draws that are made at a time


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

    The draws depend on the seed, the number of the turn, how many draws have sounded and how often
    something made it decide anew, so that the same performance gives the same replies, however
    often a plan was thrown away. `joins`: it plays along, and need not begin at once.
    `finishes`: it looks for a close near its end; if it is `exact`, it is over by then.
    """

    begin: float
    length: float
    seed: int
    number: int
    drawn: int = 0  # drawn tokens that have sounded, time shifts among them
    playing: bool = False  # whether a note of it has begun
    joins: bool = False
    finishes: bool = False
    exact: bool = False
    closed: bool = False  # whether its last note has begun
    decided: int = 0  # how often it decided anew in its midst
    since: float = 0.0  # when it did so last
    known: float = 0.0  # since when it is known what comes before it
    _blocks: dict[int, tuple[int, list[float]]] = field(default_factory=dict)

    @property
    def end(self) -> float:
        """From when on no note begins; the beginning for one that would last for ever."""
        return self.begin + (self.length if self.length < math.inf else 0.0)

    @property
    def begun(self) -> bool:
        """Whether it goes on from what sounds, rather than beginning with a note."""
        return self.playing or self.joins

    def decide_anew(self, time: float) -> None:
        """Something at `time` changed what comes next."""
        if self.begun:
            self.decided += 1
            self.since = time
        else:
            self.known = max(self.known, time)

    def uniform(self, position: int, candidate: int = 0) -> float:
        """The draw in [0, 1) for the drawn token at `position` of a candidate for this reply."""
        block, place = divmod(position, DRAWS)
        known, uniforms = self._blocks.get(candidate, (-1, []))
        if block != known:
            more = (candidate,) if candidate else ()
            rng = np.random.default_rng((self.seed, self.number, block, *more))
            uniforms = rng.random(DRAWS).tolist()
            self._blocks[candidate] = block, uniforms
        return uniforms[place]
