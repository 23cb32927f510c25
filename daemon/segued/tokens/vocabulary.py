"""The performance vocabulary: one integer for each thing that can happen next.

The whole vocabulary is a table of (kind, lowest value, highest value), as in note-seq's
performance encoding (Oore et al., "This time with feeling", 2018); encoding and decoding are walks
over it. It is data, so it has a fingerprint, and a model file carries the fingerprint of the
vocabulary it was trained with.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

NOTE_ON = "NOTE_ON"
NOTE_OFF = "NOTE_OFF"
TIME_SHIFT = "TIME_SHIFT"
VELOCITY = "VELOCITY"


@dataclass(frozen=True)
class Vocabulary:
    """Ranges of tokens, the length of a time step, and the velocity bins.

    `ranges` holds (kind, lowest value, highest value) in the order of the ids. A kind's values are
    consecutive and so are its ids. `velocity_bin_size` MIDI velocities share a bin; bin 0 begins at
    velocity 1.
    """

    name: str
    ranges: tuple[tuple[str, int, int], ...]
    steps_per_second: int
    velocity_bin_size: int

    def __len__(self) -> int:
        return sum(high - low + 1 for _, low, high in self.ranges)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with anything that changes what an id means."""
        table = [self.ranges, self.steps_per_second, self.velocity_bin_size]
        return hashlib.sha256(json.dumps(table).encode()).hexdigest()[:16]

    def ids(self, kind: str) -> range:
        """All ids of one kind, in the order of their values."""
        first = 0
        for name, low, high in self.ranges:
            if name == kind:
                return range(first, first + high - low + 1)
            first += high - low + 1
        raise KeyError(kind)

    def id(self, kind: str, value: int) -> int:
        """The id of one token; ValueError tells the range when the value is outside it."""
        first = 0
        for name, low, high in self.ranges:
            if name == kind:
                if not low <= value <= high:
                    raise ValueError(f"{kind} must be in range {low}..{high}, not {value}")
                return first + value - low
            first += high - low + 1
        raise KeyError(kind)

    def token(self, id: int) -> tuple[str, int]:
        """The (kind, value) of an id; ValueError tells the range when there is no such id."""
        if not 0 <= id < len(self.tokens):
            raise ValueError(f"token id must be in range 0..{len(self) - 1}, not {id}")
        return self.tokens[id]

    @cached_property
    def tokens(self) -> tuple[tuple[str, int], ...]:
        """(kind, value) of every id, in the order of the ids."""
        return tuple(
            (kind, value) for kind, low, high in self.ranges for value in range(low, high + 1)
        )

    def max_shift(self) -> int:
        """The longest time shift that one token holds, in steps."""
        return next(high for name, _, high in self.ranges if name == TIME_SHIFT)

    def step_of(self, time: float) -> int:
        """Seconds to the nearest step, halves up: absolute times, so rounding never adds up."""
        return int(time * self.steps_per_second + 0.5)

    def time_of(self, step: int) -> float:
        """A step's time in seconds."""
        return step / self.steps_per_second

    def bin_of(self, velocity: int) -> int:
        """The bin of a MIDI velocity 1..127."""
        return (velocity - 1) // self.velocity_bin_size

    def velocity_of(self, bin: int) -> int:
        """The MIDI velocity in the middle of a bin (the upper of two), never above 127."""
        return min(127, bin * self.velocity_bin_size + 1 + self.velocity_bin_size // 2)


PERFORMANCE = Vocabulary(
    name="performance-388",
    ranges=((NOTE_ON, 0, 127), (NOTE_OFF, 0, 127), (TIME_SHIFT, 1, 100), (VELOCITY, 0, 31)),
    steps_per_second=100,
    velocity_bin_size=4,
)
