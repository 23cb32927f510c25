"""A MIDI file as the training reads it: the daemon's own tokens, exact times, and a fingerprint.

Beside each id lies how far its event was from the id's step, so that a training quantizes once:
stretched, jittered or shifted, a time that was never rounded is rounded as a player's would be.

The fingerprint tells compositions apart. The skyline of a piece is its highest pitch at each onset;
n-grams of the skyline's intervals do not change when a piece is transposed or played in another
tempo, so two pieces that share enough of them are performances (or arrangements) of one work.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from segued.errors import DataError
from segued.midi.files import read_events
from segued.tokens.events import Event
from segued.tokens.tokenizer import Encoder, _Note
from segued.tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, TIME_SHIFT

VERSION = 4
"""Raise it with any change to the tokens, offsets or fingerprint of a file, or to the layout of
shards: prepared corpora are then encoded again. A golden test (test_encoding.py) detects such a
change."""

KEY = f"{PERFORMANCE.fingerprint}-{VERSION}"
"""The versions that shards were encoded with."""

PARTS = 256  # of a step
ON, OFF = PERFORMANCE.ids(NOTE_ON).start, PERFORMANCE.ids(NOTE_OFF).start

CHORD_STEPS = 5  # onsets this near to each other are one chord
GRAM_INTERVALS = 6  # intervals in an n-gram
DISTINCT = 4  # different intervals that it must have: scales, trills and repeated notes are no work


class Exact(NamedTuple):
    """Ids uint16 (tokens,), and for each how many 256ths of a step its event came after the step,
    int8 (tokens,): -128 to 127, which is half a step; 0 for tokens that are not events."""

    ids: np.ndarray
    offsets: np.ndarray


def on_the_step(ids: np.ndarray) -> Exact:
    """Ids without exact times: all offsets are 0."""
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
        """A note end is more than half a step early if the note was extended to a step."""
        if time is None:
            return 0
        parts = (time * self.vocabulary.steps_per_second - self._step) * PARTS
        return max(-PARTS // 2, min(PARTS // 2 - 1, int((parts + 0.5) // 1)))


def encode_file(path: Path) -> np.ndarray | str:
    """The ids of one file, uint16 (tokens,), or the reason why there are none."""
    piece = encode_file_exactly(path)
    return piece if isinstance(piece, str) else piece.ids


def encode_file_exactly(path: Path) -> Exact | str:
    """The same with exact times."""
    try:
        return encode_exactly(read_events(path))
    except DataError as error:
        return str(error)


def skyline(ids: np.ndarray) -> np.ndarray:
    """The highest pitch of each chord of a piece, int64 (chords,)."""
    shift, on = PERFORMANCE.ids(TIME_SHIFT), PERFORMANCE.ids(NOTE_ON)
    ids = ids.astype(np.int64)
    shifts = (ids >= shift.start) & (ids < shift.stop)
    times = np.cumsum(np.where(shifts, ids - shift.start + 1, 0))
    notes = (ids >= on.start) & (ids < on.stop)
    began, line = -CHORD_STEPS - 1, []
    for time, pitch in zip(times[notes].tolist(), (ids[notes] - on.start).tolist(), strict=True):
        if time - began > CHORD_STEPS:
            began = time
            line.append(pitch)
        elif pitch > line[-1]:
            line[-1] = pitch
    return np.array(line, np.int64)


def interval_grams(ids: np.ndarray) -> np.ndarray:
    """The distinct interval n-grams of a piece, each as one number, sorted, uint64 (n,)."""
    intervals = np.diff(skyline(ids))
    if len(intervals) < GRAM_INTERVALS:
        return np.zeros(0, np.uint64)
    grams = np.lib.stride_tricks.sliding_window_view(intervals, GRAM_INTERVALS)
    changes = np.diff(np.sort(grams, axis=1), axis=1) != 0
    grams = grams[changes.sum(axis=1) + 1 >= DISTINCT]
    powers = np.uint64(256) ** np.arange(GRAM_INTERVALS, dtype=np.uint64)
    return np.unique(((grams + 128).astype(np.uint64) * powers).sum(axis=1, dtype=np.uint64))


def fingerprint(ids: np.ndarray) -> np.ndarray:
    """The interval n-grams of a piece, scattered evenly over all 64 bits, sorted, uint64 (n,).

    Scattering is one to one, so equal n-grams stay equal. Those below a limit are a fair sample,
    the same one for every piece: the beginning of the array is enough to compare many pieces by.
    """
    return np.sort(_scattered(interval_grams(ids)))


def _scattered(grams: np.ndarray) -> np.ndarray:
    """The finalizer of splitmix64 (Steele, Lea and Flood 2014)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        grams = (grams ^ (grams >> np.uint64(shift))) * np.uint64(factor)
    scattered: np.ndarray = grams ^ (grams >> np.uint64(31))
    return scattered
