"""A logit bias that moves time shifts toward the performer's pulse.

A time shift becomes more likely the closer it leads to a grid line. The total probability of time
shifts, and that of every other token, stay the same. The network is fed what was drawn, so its
context is in time, too.
"""

import math

import numpy as np

from ..arrays import Floats
from ..timing.pulse import Pulse
from ..timing.swing import Swing
from ..tokens.vocabulary import TIME_SHIFT, Vocabulary

STRONGEST = 5.0  # amplitude of the bias in nats, at full strength
WITHIN = 3  # steps within which notes are of one chord
NARROW = 3  # how closely onsets are drawn to swung halves


class PulseBias:
    """The bias for one plan, whose times are `offset` seconds less than those of the pulse.

    `strength`: 0 to 1. The bias is also proportional to how steady the performer's pulse is.
    """

    def __init__(
        self, vocabulary: Vocabulary, pulse: Pulse, strength: float, offset: float
    ) -> None:
        ids = vocabulary.ids(TIME_SHIFT)
        self._ids = slice(ids.start, ids.stop)
        seconds = np.arange(1, len(ids) + 1, dtype=np.float32) / vocabulary.steps_per_second
        self._swing, self._seconds, self._offset = pulse.swing, seconds, offset
        turn = 2 * math.pi * pulse.division / pulse.beat
        height = STRONGEST * strength * max(0.0, pulse.steady)
        self._height = np.float32(height)
        self._cosine = (height * np.cos(turn * seconds)).astype(np.float32)
        self._sine = (height * np.sin(turn * seconds)).astype(np.float32)
        # after the longest shift no event need follow, so its end is not biased
        self._cosine[-1] = self._sine[-1] = 0.0
        self._turn, self._origin = turn, pulse.time - offset

    def apply(self, logits: Floats, time: float, sounding: bool = False) -> Floats:
        """The logits (V,) of a token at `time` seconds of the plan, with the bias. 10 µs.

        `sounding`: whether the reply holds notes, whose releases time shifts may lead to.
        """
        if self._swing is not None:
            return self._swung(logits, self._swing, time, sounding)
        angle = self._turn * (time - self._origin)
        shifts = logits[self._ids]
        drawn = shifts + math.cos(angle) * self._cosine - math.sin(angle) * self._sine
        biased = logits.copy()
        biased[self._ids] = drawn + np.float32(_log_sum(shifts) - _log_sum(drawn))
        return biased

    def _swung(self, logits: Floats, swing: Swing, time: float, sounding: bool) -> Floats:
        """The same for swung beats. 25 µs.

        Their halves are far apart. So releases are drawn to the middle of a half, too, and shifts
        to other notes of the same chord are left as they are; onsets are drawn the more closely.
        """
        first = WITHIN if sounding else 0
        lead = swing.straight(self._seconds[first:] + (time + self._offset)) - swing.time
        if sounding:
            lean = np.cos(2 * self._turn * lead)
        else:
            lean = 2 * (0.5 + 0.5 * np.cos(self._turn * lead)) ** NARROW - 1
        lean[-1] = 0.0  # as above
        biased = logits.copy()
        shifts = biased[self._ids][first:]
        drawn = shifts + self._height * lean.astype(np.float32)
        shifts[:] = drawn + np.float32(_log_sum(shifts) - _log_sum(drawn))
        return biased


def _log_sum(values: Floats) -> float:
    """The logarithm of the sum of exponentials."""
    most = float(values.max())
    if most == -math.inf:
        return 0.0
    return most + math.log(float(np.exp(values - most).sum()))
