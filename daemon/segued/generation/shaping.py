"""The parameters of playing as a value, and the logit biases that follow from them.

Hard constraints (range, scale) make ids impossible. Biases (density, register, dynamics) make them
more or less likely: higher or lower pitches, louder or softer velocities, shorter or longer time
shifts. Nothing is dropped after it was drawn.
"""

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from ..tokens.vocabulary import NOTE_ON, TIME_SHIFT, VELOCITY, Vocabulary
from .scales import ALL

FORBIDDEN = np.float32(-np.inf)
_PITCHES = np.arange(128, dtype=np.float32)
_CLASS_OF = np.arange(128) % 12

# Fitted to the shipped model's replies (tests/tools/measure_shaping.py). The model continues what
# it has played, so the effect of a bias grows over a reply.
PITCH_SPREAD = 12.0  # standard deviation of the pitches, in semitones
VELOCITY_SPREAD = 23.0  # standard deviation of the velocities
MORE_NOTES = (2.5, 0.77)  # for e times the notes: bias in nats of a second less, of a note more
FEWER_NOTES = (1.7, 0.25)


@dataclass(frozen=True)
class Playing:
    """The parameters of playing: see the options and knobs of the same names in config.yaml.

    `pitch_classes`: those of new notes. `grid`: its unit in beats. `late_notes`: the policy for
    notes that are more than `late_after` seconds late. `early`: how many seconds before they are
    due notes are sent.
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
    motifs: float = 0.0
    texture: float = 0.0
    contrast: str = "off"
    swing: bool = False
    late_notes: str = "shift"
    late_after: float = 0.02
    early: float = 0.0


class Shape:
    """`Playing` as arrays over a vocabulary.

    `allowed` (128,): 0 for the pitches of new notes, -inf for all others.
    """

    def __init__(self, vocabulary: Vocabulary, playing: Playing) -> None:
        classes = np.full(12, FORBIDDEN)
        classes[list(playing.pitch_classes)] = 0.0
        self.allowed: Floats = classes[_CLASS_OF]
        self.allowed[: playing.lowest_pitch] = FORBIDDEN
        self.allowed[playing.highest_pitch + 1 :] = FORBIDDEN
        self._tilts: list[tuple[slice, Floats, Floats]] = []
        self._tilt(vocabulary, NOTE_ON, _PITCHES, playing.register, PITCH_SPREAD)
        loud = np.arange(len(vocabulary.ids(VELOCITY)), dtype=np.float32)
        loud *= vocabulary.velocity_bin_size
        self._tilt(vocabulary, VELOCITY, loud, playing.dynamics, VELOCITY_SPREAD)
        self._dense = _density(vocabulary, playing.density)
        self.neutral = not self._tilts and self._dense is None

    def _tilt(
        self, vocabulary: Vocabulary, kind: str, values: Floats, by: float, spread: float
    ) -> None:
        """Add factors that move the mean of normally distributed values by `by`."""
        if not by:
            return
        ids = vocabulary.ids(kind)
        tilt = np.exp((values - values.mean()) * np.float32(by / spread**2))
        tilt = tilt.astype(np.float32)
        self._tilts.append((slice(ids.start, ids.stop), tilt, np.ones_like(tilt)))

    def apply(self, weights: Floats) -> None:
        """Change unnormalized probabilities (V,) in place.

        Register and dynamics keep the total probability of note-ons and of velocities.
        """
        for part, tilt, ones in self._tilts:
            some = weights[part]
            after = some.dot(tilt)
            if after > 0.0:
                before = some.dot(ones)  # a third of the time of `sum`
                some *= tilt
                some *= before / after
        if self._dense is not None:
            weights *= self._dense


def nearest(pitch: int, allowed: Floats) -> int | None:
    """The nearest allowed (128,) pitch, the lower one of two; None when none is allowed."""
    pitches = np.flatnonzero(allowed == 0.0)
    return int(pitches[np.abs(pitches - pitch).argmin()]) if len(pitches) else None


def _density(vocabulary: Vocabulary, density: float) -> Floats | None:
    """Factors (V,) of the probabilities for about `density` times the notes per second.

    Time shifts are weighted by an exponential of their length, which changes the rate of a Poisson
    process and nothing else.
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
