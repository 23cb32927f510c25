"""Focus: a lower temperature for pitches and velocities right after the performer has played.

After only a few notes the network knows little about the performer. Its unlikely choices are then
guesses, and everything after a wrong one follows it. So pitches and velocities are drawn at a lower
temperature and without the tail of the distribution, each kind separately: the probability that a
note comes, and when, stays the same. The effect fades while the model plays alone, so that long
solos keep the learned variety.
"""

import numpy as np

from ..arrays import Floats
from ..tokens.vocabulary import NOTE_ON, VELOCITY, Vocabulary

TEMPERATURE = 0.85  # within a kind, at full strength
LEAST_SHARE = 0.03  # ids with less than this share of the likeliest id's probability are left out
HALVED_AFTER = 20.0  # seconds of playing alone after which the strength has halved


class Focus:
    """A logit bias over a vocabulary. `strength`: 0 (no effect) to 1."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        ids = [vocabulary.ids(kind) for kind in (NOTE_ON, VELOCITY)]
        self._kinds = [slice(part.start, part.stop) for part in ids]
        self.strength = 0.0

    @property
    def neutral(self) -> bool:
        """Whether it changes nothing."""
        return self.strength <= 0.0

    def apply(self, weights: Floats) -> None:
        """Change unnormalized probabilities (V,) in place; the sum of each kind stays. 15 µs."""
        exponent = np.float32(1.0 / (1.0 - self.strength * (1.0 - TEMPERATURE)))
        least = np.float32(self.strength * LEAST_SHARE)
        for kind in self._kinds:
            some = weights[kind]
            before = some.sum()
            if before > 0.0:
                np.power(some, exponent, out=some)
                some *= some >= least * some.max()
                after = some.sum()
                if after > 0.0:  # otherwise all of them have underflowed
                    some *= before / after


def faded(strength: float, alone: float) -> float:
    """A strength (of focus or quoting) after the model has played alone for `alone` seconds."""
    return strength * float(0.5 ** (max(0.0, alone) / HALVED_AFTER))
