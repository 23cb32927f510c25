"""Training and validation pieces, split by composition: no work stands on both sides.

Compositions are found in the music itself. The skyline of a piece is its highest pitch at each
onset; n-grams of the skyline's intervals do not change when a piece is transposed or played in
another tempo, so two pieces that share enough of them are performances (or arrangements) of one
work. An inverted index finds the pairs, union-find makes groups of them.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from daemon.music.vocabulary import NOTE_ON, PERFORMANCE, TIME_SHIFT

from .corpus import Pieces, join_all

CHORD = 5  # steps: onsets this near to each other are one chord
LENGTH = 6  # intervals in an n-gram
DISTINCT = 4  # different intervals that it must have: scales, trills and repeated notes are no work
COMMON = 60  # pieces that may share an n-gram; one that more pieces share is a commonplace
SHARED, ALSO = 0.04, 4  # this share of the shorter piece's n-grams and so many more are one work,
ENOUGH = 0.5  # and so is this share, which is what counts for very short pieces


def split(pieces: Pieces, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices of training and of validation pieces, whole compositions, the same for a seed.

    Validation gets compositions drawn at random until it has at least `share` of the tokens; ones
    that are larger than twice that stay in training. It is empty if there is only one composition.
    """
    groups: dict[int, list[int]] = {}
    for piece, group in enumerate(compositions(pieces)):
        groups.setdefault(group, []).append(piece)
    if len(groups) < 2:
        return list(range(len(pieces))), []
    sizes = {g: sum(len(pieces[i]) for i in members) for g, members in groups.items()}
    wanted = share * sum(sizes.values())
    fitting = [g for g, size in sizes.items() if size <= 2 * wanted] or [min(sizes, key=sizes.get)]
    valid: list[int] = []
    have = 0
    for g in np.random.default_rng(seed).permutation(fitting):
        if have < wanted and len(valid) + len(groups[g]) < len(pieces):  # something must be left
            valid += groups[g]
            have += sizes[g]
    return sorted(set(range(len(pieces))) - set(valid)), sorted(valid)


def split_parts(parts: Sequence[Pieces], share: float, seed: int) -> list[tuple[Pieces, Pieces]]:
    """The training and the validation pieces of each of some folders that are split as one."""
    _, valid = split(join_all(parts), share, seed)
    chosen, first, result = set(valid), 0, []
    for pieces in parts:
        held_out = [i for i in range(len(pieces)) if first + i in chosen]
        kept = [i for i in range(len(pieces)) if first + i not in chosen]
        result.append((pieces.select(kept), pieces.select(held_out)))
        first += len(pieces)
    return result


def compositions(pieces: Pieces) -> list[int]:
    """The composition of each piece, as the index of its first piece."""
    grams = [interval_grams(ids) for ids in pieces]
    root = list(range(len(grams)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for (a, b), shared in _shared(grams).items():
        fewer = min(len(grams[a]), len(grams[b]))
        if shared >= min(ENOUGH * fewer, SHARED * fewer + ALSO):
            a, b = sorted((find(a), find(b)))
            root[b] = a
    return [find(i) for i in range(len(root))]


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


def _shared(grams: Sequence[np.ndarray]) -> dict[tuple[int, int], int]:
    """How many n-grams each pair of pieces shares, for the pairs that share any."""
    owner = np.repeat(np.arange(len(grams)), [len(g) for g in grams])
    every = np.concatenate([*grams, np.zeros(0, np.uint64)])
    order = np.lexsort((owner, every))
    every, owner = every[order], owner[order]
    changes = np.flatnonzero(every[1:] != every[:-1]) + 1
    shared: dict[tuple[int, int], int] = {}
    for start, stop in pairwise([0, *changes.tolist(), len(every)]):
        if 2 <= stop - start <= COMMON:
            some = owner[start:stop].tolist()
            for i, a in enumerate(some):
                for b in some[i + 1 :]:
                    shared[a, b] = shared.get((a, b), 0) + 1
    return shared
