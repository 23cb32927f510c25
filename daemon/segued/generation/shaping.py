"""How it plays, as a value, and what that does to the model's probabilities before it draws.

Hard rules (range, scale) make ids impossible. Leanings (density, register, dynamics) make them more
or less likely: of notes that might come, higher or lower, louder or softer ones; of time shifts,
shorter or longer ones. Nothing is dropped after it was drawn.
"""

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from ..tokens.vocabulary import NOTE_ON, TIME_SHIFT, VELOCITY, Vocabulary
from .scales import ALL

FORBIDDEN = np.float32(-np.inf)
_PITCHES = np.arange(128, dtype=np.float32)
_CLASS_OF = np.arange(128) % 12

# Fitted to the shipped model's replies (tests/tools/measure_shaping.py). What it has played it goes
# on with, so a leaning of each draw adds up to more.
PITCH_SPREAD = 12.0  # semitones around the middle, of the notes that might come
VELOCITY_SPREAD = 23.0  # velocities around the middle
MORE_NOTES = (2.5, 0.77)  # for e times the notes: how much less a second is likely, a note more
FEWER_NOTES = (1.7, 0.25)


@dataclass(frozen=True)
class Playing:
    """How it plays: see the options and knobs of the same names in config.yaml.

    `pitch_classes`: those that new notes may have. `grid`: beats from line to line. `late_notes`:
    what becomes of notes that are late by more than `late_after` seconds. `early`: seconds by which
    notes are sent before they are due.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    lowest_pitch: int = 0
    highest_pitch: int = 127
    longest_note: float = 60.0
    lookahead: float = 1.0
    seed: int = 0
    candidates: int = 1
    quoting: float = 0.0
    density: float = 1.0
    register: int = 0
    dynamics: int = 0
    polyphony: int = 128
    max_notes_per_second: int = 1 << 20
    pitch_classes: frozenset[int] = ALL
    grid: float = 0.25
    quantize_strength: float = 0.0
    timekeeping: float = 0.0
    ending: float = 0.0
    focus: float = 0.0
    late_notes: str = "shift"
    late_after: float = 0.02
    early: float = 0.0


class Shape:
    """`Playing` as arrays over a vocabulary.

    `allowed` (128,): 0 where a new note may have the pitch, -inf where not.
    """

    def __init__(self, vocabulary: Vocabulary, playing: Playing) -> None:
        classes = np.full(12, FORBIDDEN)
        classes[list(playing.pitch_classes)] = 0.0
        self.allowed: Floats = classes[_CLASS_OF]
        self.allowed[: playing.lowest_pitch] = FORBIDDEN
        self.allowed[playing.highest_pitch + 1 :] = FORBIDDEN
        self._leanings: list[tuple[slice, Floats, Floats]] = []
        self._lean(vocabulary, NOTE_ON, _PITCHES, playing.register, PITCH_SPREAD)
        loud = np.arange(len(vocabulary.ids(VELOCITY)), dtype=np.float32)
        loud *= vocabulary.velocity_bin_size
        self._lean(vocabulary, VELOCITY, loud, playing.dynamics, VELOCITY_SPREAD)
        self._dense = _density(vocabulary, playing.density)
        self.neutral = not self._leanings and self._dense is None

    def _lean(
        self, vocabulary: Vocabulary, kind: str, values: Floats, by: float, spread: float
    ) -> None:
        """Normally distributed values that are weighted like this move by `by` in the mean."""
        if not by:
            return
        ids = vocabulary.ids(kind)
        tilt = np.exp((values - values.mean()) * np.float32(by / spread**2))
        tilt = tilt.astype(np.float32)
        self._leanings.append((slice(ids.start, ids.stop), tilt, np.ones_like(tilt)))

    def apply(self, weights: Floats) -> None:
        """Shape unnormalised probabilities (V,) in place.

        Register and dynamics leave the probability that there will be a note at all, or another
        velocity, as it is.
        """
        for part, tilt, ones in self._leanings:
            some = weights[part]
            after = some.dot(tilt)
            if after > 0.0:
                before = some.dot(ones)  # a third of the time of `sum`
                some *= tilt
                some *= before / after
        if self._dense is not None:
            weights *= self._dense


def nearest(pitch: int, allowed: Floats) -> int | None:
    """The nearest pitch of those that are allowed (128,), the lower of two; None: there is none."""
    pitches = np.flatnonzero(allowed == 0.0)
    return int(pitches[np.abs(pitches - pitch).argmin()]) if len(pitches) else None


def _density(vocabulary: Vocabulary, density: float) -> Floats | None:
    """Factors (V,) on the probabilities that make it play about `density` times the notes a second.

    Time shifts are weighted by an exponential of their length: of a gap whose length is as likely
    as in a Poisson process, that changes the rate and nothing else.
    """
    if density == 1.0:
        return None
    bias = np.zeros(len(vocabulary), np.float32)
    by, shorter, more = np.log(density), *(MORE_NOTES if density > 1.0 else FEWER_NOTES)
    shifts = vocabulary.ids(TIME_SHIFT)
    seconds = np.arange(1, len(shifts) + 1, dtype=np.float32) / vocabulary.steps_per_second
    bias[shifts.start : shifts.stop] = -shorter * by * seconds
    for kind in (NOTE_ON, VELOCITY):
        ids = vocabulary.ids(kind)
        bias[ids.start : ids.stop] = more * by
    factors: Floats = np.exp(bias)
    return factors
