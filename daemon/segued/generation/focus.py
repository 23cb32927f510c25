"""Notes and loudness drawn nearer to what is likely, right after the performer has played.

A network that has heard eight notes knows little of who plays them. Its unlikely choices are
guesses then, and a wrong one is believed by all that follows. So pitches and velocities are drawn
at a lower temperature and without their tail, each kind for itself: that a note comes at all stays
as likely as it was, and when it comes. The longer the network goes on by itself, the less of this
there is: an hour of it keeps the variety that it has learned.
"""

import numpy as np

from ..arrays import Floats
from ..tokens.vocabulary import NOTE_ON, VELOCITY, Vocabulary

TEMPERATURE = 0.85  # of a kind, at full strength
LEAST_SHARE = 0.03  # of the likeliest id's probability: what has less is not drawn
HALVED_AFTER = 20.0  # seconds that it plays by itself, in which the strength halves


class Focus:
    """What changes the probabilities of one vocabulary. `strength` 0 (nothing) to 1."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        ids = [vocabulary.ids(kind) for kind in (NOTE_ON, VELOCITY)]
        self._kinds = [slice(part.start, part.stop) for part in ids]
        self.strength = 0.0

    @property
    def neutral(self) -> bool:
        """Whether it changes nothing."""
        return self.strength <= 0.0

    def apply(self, weights: Floats) -> None:
        """Shape unnormalised probabilities (V,) in place; of each kind the sum stays. 15 µs."""
        exponent = np.float32(1.0 / (1.0 - self.strength * (1.0 - TEMPERATURE)))
        least = np.float32(self.strength * LEAST_SHARE)
        for kind in self._kinds:
            some = weights[kind]
            before = some.sum()
            if before > 0.0:
                np.power(some, exponent, out=some)
                some *= some >= least * some.max()
                after = some.sum()
                if after > 0.0:  # else all of them are too small for a float
                    some *= before / after


def faded(strength: float, alone: float) -> float:
    """What is left of a strength (of focus, of quoting) after so many seconds that the network has
    played by itself."""
    return strength * float(0.5 ** (max(0.0, alone) / HALVED_AFTER))
