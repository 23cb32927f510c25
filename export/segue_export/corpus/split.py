"""Training and validation pieces, split by composition: no work is on both sides.

Compositions are found in the music itself: pieces that share enough n-grams of their skylines are
performances (or arrangements) of one work. An inverted index finds the pairs, union-find makes
groups of them. Of a large corpus a fair sample of the n-grams is compared, and the rarest of them
first, so that time and memory stay within bounds.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from .pieces import GRAMS, Pieces, join_all

COMMON = 60  # pieces that may share an n-gram; one that more pieces share is a commonplace
SHARED, ALSO = 0.04, 4  # this share of the shorter piece's n-grams and so many more are one work,
ENOUGH = 0.5  # and so is this share, which is what counts for very short pieces
LEAST = 2  # n-grams of a sample that two pieces share: one may be chance
ENTRIES, PAIRS = 8_000_000, 16_000_000  # of the index: what is compared of a corpus of any size


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
    lengths = pieces.lengths.tolist()
    sizes = {g: sum(lengths[i] for i in members) for g, members in groups.items()}
    wanted = share * sum(sizes.values())
    fitting = [g for g, size in sizes.items() if size <= 2 * wanted] or [
        min(sizes, key=lambda g: sizes[g])
    ]
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
    every, owner, sample = _index(pieces)
    counts = np.bincount(owner, minlength=len(pieces))
    root = list(range(len(pieces)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    def unite(first: np.ndarray, second: np.ndarray) -> None:
        for i, j in zip(first.tolist(), second.tolist(), strict=True):
            i, j = sorted((find(i), find(j)))
            root[j] = i

    unite(*_twins(every, owner, counts))
    first, second, shared = _shared(every, owner, len(pieces))
    fewer = np.minimum(counts[first], counts[second])
    also = max(LEAST, ALSO * sample)
    alike = shared >= np.minimum(np.maximum(1, ENOUGH * fewer), SHARED * fewer + also)
    unite(first[alike], second[alike])
    return [find(i) for i in range(len(root))]


def _index(pieces: Pieces) -> tuple[np.ndarray, np.ndarray, float]:
    """Fingerprint entries uint64 (n,), the piece of each, and the share that was sampled."""
    sample = min(1.0, ENTRIES / max(1, int(pieces.places[:, GRAMS].sum())))
    limit = np.uint64(min(2**64 - 1, int(sample * 2**64)))
    grams, owner = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)]
    for i in range(len(pieces)):
        some = pieces.fingerprint(i)
        if sample < 1:
            some = some[: np.searchsorted(some, limit)]
        grams.append(np.array(some, np.uint64))
        owner.append(np.full(len(some), i, np.int32))
    return np.concatenate(grams), np.concatenate(owner), sample


def _twins(
    every: np.ndarray, owner: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of pieces with the same fingerprint: copies, in any number."""
    seen: dict[bytes, int] = {}
    starts = np.cumsum(counts) - counts
    first, second = [], []
    for i in np.flatnonzero(counts >= LEAST).tolist():
        some = every[starts[i] : starts[i] + counts[i]].tobytes()
        twin = seen.setdefault(hashlib.blake2b(some, digest_size=16).digest(), i)
        if twin != i:
            first.append(twin)
            second.append(i)
    return np.array(first, np.int64), np.array(second, np.int64)


def _shared(
    every: np.ndarray, owner: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of pieces (i < j) and how many entries they share, for the pairs that share any."""
    order = np.lexsort((owner, every))
    every, owner = every[order], owner[order]
    starts = np.flatnonzero(np.concatenate([[True], every[1:] != every[:-1]])[: len(every)])
    sizes = np.diff(np.append(starts, len(every)))
    pairs, have = [np.zeros(0, np.int64)], 0
    for size in range(2, COMMON + 1):  # the rarest first
        groups = starts[sizes == size]
        i, j = np.triu_indices(size, 1)
        groups = groups[: max(0, (PAIRS - have) // len(i))]
        members = owner[groups[:, None] + np.arange(size)].astype(np.int64)
        pairs.append((members[:, i] * count + members[:, j]).reshape(-1))
        have += len(pairs[-1])
    codes, shared = np.unique(np.concatenate(pairs), return_counts=True)
    return codes // max(1, count), codes % max(1, count), shared
