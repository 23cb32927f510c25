"""The beats of a MIDI file, where its own tempo map and time signatures tell them.

They do if its onsets keep to them: a score does, while a roll or a performance has one tempo from
beginning to end that means nothing, and some files begin anywhere within a beat.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from segued.errors import DataError
from segued.midi.files import TempoMap, open_midi
from segued.midi.messages import CHANNEL_MASK, DRUMS, KIND_MASK, NOTE_ON
from segued.midi.smf import META, Smf
from segued.timing.beat_grid import UNKNOWN
from segued.tokens.vocabulary import PERFORMANCE, TIME_SHIFT

TIME_SIGNATURE = 0x58
KEPT = 64  # files whose beats are remembered
DIVISIONS = 2, 3  # of a beat: onsets keep to one of them
AGREE = 0.5  # mean cosine of onsets' phases from which on they keep to it
BESIDE = -0.1  # the same for whole beats: below it most onsets are between the beats that are told

INPUTS = len(UNKNOWN)
SHIFT = PERFORMANCE.ids(TIME_SHIFT)


@dataclass(frozen=True)
class Beats:
    """Beats in order: when they are, in steps from the first event of the piece, float64; each
    one's place in its bar and the beats of that bar, 0 where bars are not known."""

    times: np.ndarray
    places: np.ndarray
    bars: np.ndarray

    def at(self, steps: np.ndarray, barred: bool = True) -> np.ndarray:
        """What the model hears at some steps, float32 (steps, 3); without bars if not `barred`.

        Beyond the first and the last beat it is unknown.
        """
        result = np.zeros((len(steps), INPUTS), np.float32)
        which = np.searchsorted(self.times, steps, side="right") - 1
        inside = np.flatnonzero((which >= 0) & (which < len(self.times) - 1))
        i = which[inside]
        length = self.times[i + 1] - self.times[i]
        place = (steps[inside] - self.times[i]) / length
        result[inside, 1] = 1.0 / length
        if barred:
            result[inside, 2] = self.bars[i]
            place = place + self.places[i]
        result[inside, 0] = place
        return result


@lru_cache(KEPT)
def beats_of_file(path: Path) -> Beats | None:
    """The beats of a MIDI file; None where they are not known, or it is not there any more."""
    try:
        file = open_midi(path)
    except DataError:
        return None
    onsets = sorted(
        tick
        for track in file.tracks
        for tick, message in track
        if message[0] & KIND_MASK == NOTE_ON and message[2] and message[0] & CHANNEL_MASK != DRUMS
    )
    if not onsets or file.division < 0:
        return None
    beats = _marks(file, onsets[-1])
    if len(beats) < 2 or not _kept(np.array(onsets, float), np.array([b[0] for b in beats])):
        return None
    tempo, rate = TempoMap(file), PERFORMANCE.steps_per_second
    first = np.floor(tempo.seconds(onsets[:1])[0] * rate + 0.5)
    times = np.array(tempo.seconds([tick for tick, _, _ in beats])) * rate - first
    places, bars = np.array([beat[1:] for beat in beats]).T
    return Beats(times, places, bars)


def _marks(file: Smf, last: int) -> list[tuple[int, int, int]]:
    """(tick, place in its bar, beats of the bar) of each beat, until after the last onset."""
    signatures = sorted(
        {
            tick: (message[2], 2 ** message[3])
            for track in file.tracks
            for tick, message in track
            if message[0] == META and message[1] == TIME_SIGNATURE and len(message) >= 4
        }.items()
    )
    known = bool(signatures)
    if not known or signatures[0][0] > 0:
        signatures.insert(0, (0, (4, 4)))
    marks = []
    ends = [tick for tick, _ in signatures[1:]] + [last + 8 * file.division]
    for (tick, (count, unit)), end in zip(signatures, ends, strict=True):
        parts = 3 if unit >= 8 and count > 3 and count % 3 == 0 else 1  # of a beat: 6/8 has two
        length, bar = 4 * file.division * parts / unit, max(1, count // parts)
        if length < 1:
            return []
        number = 0
        while tick + number * length < end - 0.5:
            place = (number % bar, bar) if known and bar > 1 else (0, 0)  # 1: no bars were written
            marks.append((round(tick + number * length), *place))
            number += 1
    return marks


def _kept(onsets: np.ndarray, beats: np.ndarray) -> bool:
    """Whether onsets keep to the beats."""
    i = np.clip(np.searchsorted(beats, onsets, side="right") - 1, 0, len(beats) - 2)
    place = (onsets - beats[i]) / np.maximum(1.0, beats[i + 1] - beats[i])
    agree = {parts: np.cos(2 * np.pi * parts * place).mean() for parts in (1, *DIVISIONS)}
    return agree[1] > BESIDE and any(agree[parts] > AGREE for parts in DIVISIONS)


def steps_after(ids: np.ndarray) -> np.ndarray:
    """Steps from the first event of a piece to the moment after each token, int64 (tokens,)."""
    ids = ids.astype(np.int64)
    shifts = (ids >= SHIFT.start) & (ids < SHIFT.stop)
    return np.cumsum(np.where(shifts, ids - SHIFT.start + 1, 0))
