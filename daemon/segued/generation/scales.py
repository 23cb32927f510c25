"""Keys and scales: which pitches belong, and which key it is that somebody plays in.

The key is found as Krumhansl and Schmuckler did (Krumhansl, "Cognitive foundations of musical
pitch", 1990): the time that each pitch class has sounded, correlated with how well listeners found
it to fit each key.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ..control.knobs import SCALES
from ..tokens.events import NoteOn

MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""How well each degree fits (Krumhansl and Kessler 1982)."""

Weights = NDArray[np.float64]

HALF_LIFE = 24.0  # notes after which one counts half as much
ENOUGH = 5  # notes before there is a key
MARGIN = 0.08  # correlation by which another key must be better before it is believed

ALL = frozenset(range(12))


def pitch_classes(tonic: int, scale: str) -> frozenset[int]:
    """The pitch classes 0..11 of a scale on a tonic (0 is C)."""
    return frozenset((tonic + degree) % 12 for degree in SCALES[scale])


class KeyFollower:
    """A running estimate of the key of what is played.

    Each note counts as it comes, by its loudness; older notes fade. The key changes only when
    another fits clearly better, so that a passing note does not turn the harmony.
    """

    def __init__(self) -> None:
        self.tonic: int | None = None
        """The key's pitch class 0..11; None while too little was played."""
        self.minor = False
        self._key = -1
        self._notes = 0
        self._weights = np.zeros(12)

    @property
    def certainty(self) -> float:
        """How well the key fits what was played, 0..1 (a correlation); 0 while there is none."""
        return max(0.0, float(fit(self._weights)[self._key])) if self._key >= 0 else 0.0

    def hear(self, note: NoteOn) -> bool:
        """A note begins; whether the key is another one now."""
        weights = self._weights
        weights *= _FADE
        weights[note.pitch % 12] += 0.5 + note.velocity / 127
        self._notes += 1
        if self._notes < ENOUGH:
            return False
        fits = fit(weights)
        best = int(fits.argmax())
        if best == self._key or (self._key >= 0 and fits[best] < fits[self._key] + MARGIN):
            return False
        self._key = best
        self.tonic, self.minor = best % 12, best >= 12
        return True


def fit(weights: Weights) -> Weights:
    """How well the weights of the pitch classes (12,) fit each key: correlations (24,), the major
    keys from C up, then the minor ones."""
    spread = weights.std() * math.sqrt(12)
    return _PROFILES @ weights / spread if spread > 0.0 else np.zeros(24)


def _profiles() -> Weights:
    """The profile of each key, of mean 0 and length 1: (24, 12)."""
    rows = [
        np.roll(profile, tonic) for profile in (MAJOR_PROFILE, MINOR_PROFILE) for tonic in range(12)
    ]
    normal: Weights = np.array(rows) - np.mean(rows, axis=1, keepdims=True)
    normal /= np.sqrt((normal**2).sum(axis=1, keepdims=True))
    return normal


_PROFILES = _profiles()
_FADE = 0.5 ** (1 / HALF_LIFE)
