"""Ids with the exact times of what they begin and end, so that a training quantizes only once.

The ids are the daemon's own encoder's. Beside each lies how far its event was from the id's step:
stretched, jittered or shifted, a time that was never rounded is rounded as a player's would be.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from segued.tokens.events import Event
from segued.tokens.tokenizer import Encoder, _Note
from segued.tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE

PARTS = 256  # of a step
ON, OFF = PERFORMANCE.ids(NOTE_ON).start, PERFORMANCE.ids(NOTE_OFF).start


class Exact(NamedTuple):
    """Ids uint16 (tokens,), and for each how many 256ths of a step its event came after the step,
    int8 (tokens,): -128 to 127, which is half a step; 0 for what is no event."""

    ids: np.ndarray
    offsets: np.ndarray


def on_the_step(ids: np.ndarray) -> Exact:
    """Ids of which nothing more is known."""
    return Exact(ids, np.zeros(len(ids), np.int8))


def encode_exactly(events: Iterable[Event]) -> Exact:
    """A finished performance."""
    encoder = ExactEncoder()
    ids = [id for event in events for id in encoder.feed(event)]
    ids += encoder.flush()
    return Exact(np.array(ids, np.uint16), np.array(encoder.offsets, np.int8))


class ExactEncoder(Encoder):
    """The encoder, which also keeps an offset for each id that it has returned."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets: list[int] = []
        self._now = 0.0
        self._ended: dict[_Note, float] = {}

    def feed(self, event: Event) -> list[int]:
        self._now = event.time
        return super().feed(event)

    def _end(self, note: _Note, popped: bool = False) -> None:
        self._ended[note] = self._now
        super()._end(note, popped)

    def _write_step(self, ids: list[int]) -> None:
        times = {OFF + note.pitch: self._ended.pop(note) for note in self._offs}
        times |= {ON + note.pitch: note.began[0] for note in self._ons}
        count = len(ids)
        super()._write_step(ids)
        self.offsets += [self._offset(times.get(id)) for id in ids[count:]]

    def _offset(self, time: float | None) -> int:
        """Of a note that had to last a step the end is earlier than half a step before its id."""
        if time is None:
            return 0
        parts = (time * self.vocabulary.steps_per_second - self._step) * PARTS
        return max(-PARTS // 2, min(PARTS // 2 - 1, int((parts + 0.5) // 1)))
