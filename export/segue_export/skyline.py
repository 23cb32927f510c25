"""What a composition is known by: the intervals of its highest voice.

The skyline of a piece is its highest pitch at each onset; n-grams of the skyline's intervals do not
change when a piece is transposed or played in another tempo, so two pieces that share enough of
them are performances (or arrangements) of one work.
"""

import numpy as np
from segued.tokens.vocabulary import NOTE_ON, PERFORMANCE, TIME_SHIFT

CHORD = 5  # steps: onsets this near to each other are one chord
LENGTH = 6  # intervals in an n-gram
DISTINCT = 4  # different intervals that it must have: scales, trills and repeated notes are no work


def skyline(ids: np.ndarray) -> np.ndarray:
    """The highest pitch of each chord of a piece, int64 (chords,)."""
    shift, on = PERFORMANCE.ids(TIME_SHIFT), PERFORMANCE.ids(NOTE_ON)
    ids = ids.astype(np.int64)
    shifts = (ids >= shift.start) & (ids < shift.stop)
    times = np.cumsum(np.where(shifts, ids - shift.start + 1, 0))
    notes = (ids >= on.start) & (ids < on.stop)
    began, line = -CHORD - 1, []
    for time, pitch in zip(times[notes].tolist(), (ids[notes] - on.start).tolist(), strict=True):
        if time - began > CHORD:
            began = time
            line.append(pitch)
        elif pitch > line[-1]:
            line[-1] = pitch
    return np.array(line, np.int64)


def interval_grams(ids: np.ndarray) -> np.ndarray:
    """The distinct interval n-grams of a piece, each as one number, sorted, uint64 (n,)."""
    intervals = np.diff(skyline(ids))
    if len(intervals) < LENGTH:
        return np.zeros(0, np.uint64)
    grams = np.lib.stride_tricks.sliding_window_view(intervals, LENGTH)
    changes = np.diff(np.sort(grams, axis=1), axis=1) != 0
    grams = grams[changes.sum(axis=1) + 1 >= DISTINCT]
    powers = np.uint64(256) ** np.arange(LENGTH, dtype=np.uint64)
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
    return grams ^ (grams >> np.uint64(31))
