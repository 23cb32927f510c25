"""A logit bias by which a reply has fewer or more keys at once than the performer.

The performer's texture is the mean number of keys that are down after each of their onsets. The
knob `texture` asks for up to half or twice as many. A note becomes less likely the more are held
beyond that, and a note-off more likely; where keys are missing, another note of the same chord
becomes more likely and a note-off less likely. Nothing makes a new onset likelier, so the rhythm
remains the performer's.
"""

import math

import numpy as np

from ..arrays import Floats
from ..recall.motifs import CHORD
from ..tokens.vocabulary import NOTE_OFF, NOTE_ON, VELOCITY, Vocabulary

USUAL = 2.5  # keys at once where the performer has not played
FEWER, MORE = 3.0, 2.5  # nats for each key too many, or missing: for another note
SOONER, LATER = 1.5, 2.0  # and for a note-off
MOST = 3.0  # keys too many or missing; more than that count the same


def times_the_keys(texture: float) -> float:
    """How many times the performer's keys at once a value of the knob asks for."""
    return float(2.0**texture)


class TextureBias:
    """The bias for one plan. `keys`: the performer's keys at once; None: unknown."""

    def __init__(self, vocabulary: Vocabulary, texture: float, keys: float | None) -> None:
        parts = [vocabulary.ids(kind) for kind in (NOTE_ON, VELOCITY, NOTE_OFF)]
        self._ons, self._velocities, self._offs = (slice(p.start, p.stop) for p in parts)
        self._chord = math.ceil(CHORD * vocabulary.steps_per_second)
        self._wanted = max(1.0, times_the_keys(texture) * (USUAL if keys is None else keys))
        self._fuller = texture > 0.0
        self._strength = min(1.0, 2.0 * abs(texture))

    def apply(self, logits: Floats, held: int, passed: int) -> Floats:
        """Logits (V,) with the bias, while the model holds `held` keys. 5 µs.

        `passed`: steps since the onset of the latest of these.
        """
        missing = min(MOST, max(-MOST, self._wanted - held))
        on = off = 0.0
        if missing < 1.0:  # another key would be more than is wanted
            on = FEWER * (missing - 1.0)
            off = -SOONER * missing if missing < 0.0 else 0.0
        elif held and self._fuller:
            on = MORE * missing if passed < self._chord else 0.0
            off = -LATER * missing
        if not on and not off:
            return logits
        biased = logits.copy()
        biased[self._ons] += np.float32(self._strength * on)
        biased[self._velocities] += np.float32(self._strength * on)
        biased[self._offs] += np.float32(self._strength * off)
        return biased
