"""Keys and scales: the pitches of a scale, and an estimate of the key that somebody plays in.

A key is recognized by how often each of its degrees occurs, by how often each is in the bass, and
by the bass with which the music opens. The weights were fitted to songs, hymns, folk tunes and
piano pieces whose keys are known (`tests/tools/fit_key.py`): 71 of 100 keys are found within half a
minute, where the profiles of Krumhansl and Kessler found 59.
"""

import numpy as np
from numpy.typing import NDArray

from ..control.knobs import SCALES
from ..tokens.events import NoteOn

MAJOR = (
    (5.2, -3.7, 2.1, -8.2, 7.2, 3.8, -4.9, 5.9, -3.4, -0.6, -8.4, 1.6),
    (4.3, -3.9, 1.2, -3.3, -0.5, 1.9, -0.8, 2.2, -3.4, 0.0, -2.0, 1.0),
    (1.5, -2.1, -0.9, -1.3, 0.1, -0.2, -1.7, 0.3, 0.5, -0.6, 0.0, -1.1),
)
MINOR = (
    (4.9, -0.9, 3.7, 6.0, -9.2, 1.8, -2.7, 7.5, 0.4, -6.4, -3.1, -0.7),
    (3.2, 0.2, 0.8, 0.2, -3.4, 1.1, -1.2, 0.2, 1.7, -1.8, 0.8, -1.2),
    (1.7, 0.7, -0.8, -0.1, 0.3, 0.0, 1.3, 0.9, -0.1, -1.2, 0.0, 0.4),
)
"""Evidence in nats for a key by each degree, in semitones from the tonic: among all notes, in the
bass, in the bass of the opening."""
MINOR_IS_RARER = 0.2  # nats against a minor key

Weights = NDArray[np.float64]

HALF_LIFE = 48.0  # notes after which a note's weight has halved
OPENING = 192.0  # notes after which the opening's weight has halved
ENOUGH = 5  # notes needed for an estimate
MARGIN = 0.5  # nats by which another key must be better to replace the present one
CHORD = 0.06  # seconds within which onsets count as one

ALL = frozenset(range(12))


def pitch_classes(tonic: int, scale: str) -> frozenset[int]:
    """The pitch classes 0..11 of a scale on a tonic (0 is C)."""
    return frozenset((tonic + degree) % 12 for degree in SCALES[scale])


class KeyFollower:
    """A running estimate of the key. `hear` takes 10 µs.

    Older notes fade. The key changes only when another fits clearly better, so that a passing note
    does not change it.
    """

    def __init__(self) -> None:
        self.tonic: int | None = None
        """The key's pitch class 0..11; None while too little was played."""
        self.minor = False
        self._key = -1
        self._notes = 0
        self._chord, self._keys, self._bass = (
            0.0,
            0,
            0,
        )  # the newest one: when, how many, the lowest
        self._rows = slice(1, 2)  # what its bass counts for
        self._weights = np.zeros((3, 12))  # of all notes, of the bass, of the opening's bass

    @property
    def certainty(self) -> float:
        """The probability of the key; 0 while there is none."""
        if self._key < 0:
            return 0.0
        fits = fit(self.heard)
        return float(1.0 / np.exp(fits - fits[self._key]).sum())

    @property
    def heard(self) -> Weights:
        """Pitch classes (3, 12): shares of all notes, shares of the basses, the opening's bass."""
        shares = self._weights.copy()
        shares[:2] /= shares[:2].sum(axis=1, keepdims=True)
        return shares

    def hear(self, note: NoteOn) -> bool:
        """Process a note-on; return whether the key has changed."""
        self._count(note)
        if self._notes < ENOUGH:
            return False
        fits = fit(self.heard)
        best = int(fits.argmax())
        if best == self._key or (self._key >= 0 and fits[best] < fits[self._key] + MARGIN):
            return False
        self._key = best
        self.tonic, self.minor = best % 12, best >= 12
        return True

    def _count(self, note: NoteOn) -> None:
        """Count a note, and as the bass if it is the lowest of its chord so far."""
        weights, degree = self._weights, note.pitch % 12
        weights[0] *= _FADE
        weights[0, degree] += 1.0
        self._notes += 1
        if note.time >= self._chord + CHORD or self._notes == 1:
            weights[1:] *= _FADES**self._keys
            self._rows = slice(1, 3 if self._notes == 1 else 2)
            self._chord, self._keys = note.time, 1
        else:
            self._keys += 1
            if note.pitch >= self._bass:
                return
            weights[self._rows, self._bass % 12] -= 1.0
        weights[self._rows, degree] += 1.0
        self._bass = note.pitch


def fit(heard: Weights) -> Weights:
    """The evidence (24,) in nats for each key, major from C, then minor, by shares (3, 12)."""
    nats: Weights = _TABLE @ heard.ravel() - _AGAINST
    return nats


def _table() -> Weights:
    """The evidence of each pitch class for each key: (24, 36)."""
    return np.array([
        np.roll(rows, tonic, axis=1).ravel() for rows in (MAJOR, MINOR) for tonic in range(12)
    ])  # fmt: skip


_TABLE = _table()
_AGAINST = np.repeat((0.0, MINOR_IS_RARER), 12)
_FADE = 0.5 ** (1 / HALF_LIFE)
_FADES = 0.5 ** (1 / np.array([[HALF_LIFE], [OPENING]]))
