"""Latches: exact state beside the LSTMs, such as which notes sound and the present velocity.

An LSTM has to learn to remember which keys are down, and makes mistakes, although this follows from
the tokens. A latch is a bit of state that some tokens set and others clear:

- one for each pitch: a note-on of it sets it, its note-off clears it;
- one for each velocity bin: set by its token, cleared by the others;
- one that any note-on of the present step sets, and a time shift clears;
- one that is set by a time shift below the longest, and one by a velocity; any other token clears
  them.

Latches are inputs of the first LSTM and of the last layer. The last layer's initial weights are
`rules()`: a token that the encoder never writes while a latch is set gets `UNLIKELY` nats less. All
these weights are trained. Without latches the network gave 4.4 % of the probability on rolls to
impossible tokens.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from segued.tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, TIME_SHIFT, VELOCITY

if TYPE_CHECKING:
    from torch import Tensor

UNLIKELY = 10.0  # nats

ON, OFF = PERFORMANCE.ids(NOTE_ON), PERFORMANCE.ids(NOTE_OFF)
SHIFT, BIN = PERFORMANCE.ids(TIME_SHIFT), PERFORMANCE.ids(VELOCITY)
PITCHES, BINS = len(ON), len(BIN)
STRUCK, SHIFTED, LOUDNESS = (PITCHES + BINS + i for i in range(3))
COUNT = PITCHES + BINS + 3
"""Latches, in this order: pitches, velocity bins, the three others."""


def effects() -> np.ndarray:
    """The effect of each token on each latch, int8 (V, COUNT): 1 sets, -1 clears, 0 keeps it."""
    does = np.zeros((len(PERFORMANCE), COUNT), np.int8)
    does[:, [SHIFTED, LOUDNESS]] = -1
    for pitch in range(PITCHES):
        does[ON[pitch], pitch], does[OFF[pitch], pitch] = 1, -1
    does[ON, STRUCK] = 1
    does[SHIFT, STRUCK] = -1
    does[SHIFT[:-1], SHIFTED] = 1
    does[BIN, PITCHES : PITCHES + BINS] = 2 * np.eye(BINS, dtype=np.int8) - 1
    does[BIN, LOUDNESS] = 1
    return does


def rules() -> tuple[np.ndarray, np.ndarray]:
    """Initial weights (V, COUNT) and bias (V,) of the logits from latches, float32."""
    weights = np.zeros((len(PERFORMANCE), COUNT), np.float32)
    bias = np.zeros(len(PERFORMANCE), np.float32)
    for pitch in range(PITCHES):
        weights[ON[pitch], pitch], weights[OFF[pitch], pitch] = -UNLIKELY, UNLIKELY
    bias[OFF] = -UNLIKELY
    weights[OFF, STRUCK] = -UNLIKELY
    weights[SHIFT, SHIFTED] = -UNLIKELY
    weights[BIN, PITCHES : PITCHES + BINS] = -UNLIKELY * np.eye(BINS, dtype=np.float32)
    for kind in (OFF, SHIFT, BIN):
        weights[kind, LOUDNESS] = -UNLIKELY
    return weights, bias


def latches_of(weights: "Mapping[str, np.ndarray] | Mapping[str, Tensor]") -> int:
    """How many latches the network of these weights (torch's names) has: COUNT, or 0."""
    return weights["lstms.0.weight_ih_l0"].shape[1] - weights["embedding.weight"].shape[1]


def latched(does: "Tensor", tokens: "Tensor", before: "Tensor") -> "Tensor":
    """The latches after each token, float (batch, time, COUNT).

    `does` is `effects()`, `tokens` int64 (batch, time), `before` float (batch, COUNT).
    """
    now = does[tokens]  # (batch, time, COUNT)
    place = tokens.new_ones(tokens.shape[1]).cumsum(0).view(1, -1, 1)  # 1, 2, ...
    last = (place * (now != 0)).cummax(dim=1).values  # 1 and more: where it was last touched
    touched = now.gather(1, (last - 1).clamp(min=0)) > 0
    return touched.to(before.dtype).where(last > 0, before.unsqueeze(1))
