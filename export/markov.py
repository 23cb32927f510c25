"""A Markov model of variable order, the Continuator's kind, that learns a corpus: a yardstick.

Interpolated modified Kneser-Ney smoothing (Chen and Goodman, "An empirical study of smoothing
techniques for language modeling", 1998): the counts after a context are discounted, and what that
frees goes to the prediction from the next shorter context. As in the Continuator (Pachet, 2003)
each piece is also learned in neighbouring keys.

A run of up to seven tokens is one integer, nine bits a token, the newest lowest, so sorting brings
equal contexts together. The runs are counted one newest context token at a time, for the tokens
that are asked about only: memory stays small, whatever the size of the corpus, and the discounts
are those of that context token.
"""

from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from daemon.music.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE

from .corpus import Pieces

HIGHEST = 6
"""The highest order: its runs of seven tokens fill an integer."""

BITS = 9  # of a token in a run
SIZE = len(PERFORMANCE)
BEGIN = SIZE  # stands before the first token of a piece
NOWHERE = 2**BITS - 1  # a note that was transposed off the keyboard


def predict(
    training: Pieces, asked: Pieces, highest: int = 4, transpose: int = 5, title: str = "counting"
) -> np.ndarray:
    """What a model of each order 0..`highest` gives to the tokens of `asked`, given those before.

    Float64 (highest + 1, tokens), over every token but the first of each piece. `transpose`: how
    many semitones up and down the training pieces are learned in too.
    """
    heard, told = stream(training, highest), stream(asked, highest)
    tables = [_transposed(semitones) for semitones in range(-transpose, transpose + 1)]
    chances, low = _without_context(heard, tables)
    result = np.zeros((highest + 1, len(told)))
    result[0] = chances[told]
    heard_after, told_after = _places_after(heard), _places_after(told)
    answered = sum(len(told_after[token]) for token in range(SIZE))
    with tqdm(total=answered, desc=title, unit="token", leave=False) as bar:
        for token in range(SIZE if highest else 0):
            places = told_after[token]
            if len(places):
                sources = [
                    (table, heard_after[int(old)])
                    for table in tables
                    for old in np.flatnonzero(table[:SIZE] == token)
                ]
                runs = _runs(heard, sources, highest)
                _answer(runs, told, places, low[told[places]], result)
            bar.update(len(places))
    return result[:, predicted(told)]


def stream(pieces: Pieces, highest: int) -> np.ndarray:
    """Pieces end to end, int64, each after as many BEGIN as the longest context holds."""
    begin = np.full(highest + 1, BEGIN, np.int64)
    return np.concatenate([part for piece in pieces for part in (begin, piece.astype(np.int64))])


def predicted(tokens: np.ndarray) -> np.ndarray:
    """Which tokens of a stream are predicted: all but each piece's first."""
    return (tokens != BEGIN) & (_before(tokens, 1) != BEGIN)


def run_of(tokens: np.ndarray, places: np.ndarray, order: int) -> np.ndarray:
    """The token at each place and the `order` ones before it, as one integer."""
    runs = np.zeros(len(places), np.int64)
    for back in range(order + 1):
        runs |= tokens[places - back] << BITS * back
    return runs


def _before(tokens: np.ndarray, back: int) -> np.ndarray:
    return np.concatenate((np.full(back, BEGIN), tokens[: len(tokens) - back]))


def _transposed(semitones: int) -> np.ndarray:
    """Token to transposed token, (2 ** BITS,)."""
    table = np.arange(2**BITS)
    for kind in (NOTE_ON, NOTE_OFF):
        ids = np.array(PERFORMANCE.ids(kind))
        moved = ids + semitones
        table[ids] = np.where((moved >= ids[0]) & (moved <= ids[-1]), moved, NOWHERE)
    return table


def _without_context(heard: np.ndarray, tables: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Order 0, (SIZE + 1,): from how often a token came, and from after how many others it came."""
    side = 2**BITS
    real = heard != BEGIN
    pairs = np.bincount(_before(heard, 1)[real] * side + heard[real], minlength=side * side)
    pairs = pairs.reshape(side, side)
    total = np.zeros((side, side), np.int64)
    for table in tables:
        np.add.at(total, (table[:, np.newaxis], table[np.newaxis, :]), pairs)
    total = total[: SIZE + 1, :SIZE]
    every, uniform = np.arange(SIZE), np.full(SIZE, 1.0 / SIZE)
    parts = []
    for counts in (total.sum(axis=0), (total > 0).sum(axis=0)):
        seen = np.flatnonzero(counts)
        parts.append(np.append(interpolate(seen, counts[seen], every, uniform), 0.0))
    return parts[0], parts[1]


def _places_after(tokens: np.ndarray) -> list[np.ndarray]:
    """For each token the places of what follows it."""
    before = _before(tokens, 1)
    before[tokens == BEGIN] = NOWHERE
    places = np.argsort(before.astype(np.uint16), kind="stable")
    ends = np.cumsum(np.bincount(before, minlength=2**BITS))
    return np.split(places, ends[:-1])


Counted = tuple[np.ndarray, np.ndarray]
"""Runs in order, each once, and how often each came."""


def _runs(
    heard: np.ndarray, sources: list[tuple[np.ndarray, np.ndarray]], highest: int
) -> Iterator[Counted]:
    """The runs of order 1, 2, ... that end at the given places of transposed streams."""
    runs = [table[heard[places]] for table, places in sources]
    places = [places for _, places in sources]
    kept = [run != NOWHERE for run in runs]
    for order in range(1, highest + 1):
        for i, (table, _) in enumerate(sources):
            token = table[heard[places[i] - order]]
            kept[i] &= token != NOWHERE
            runs[i] |= token << BITS * order
            if not kept[i].all():
                runs[i], places[i] = runs[i][kept[i]], places[i][kept[i]]
                kept[i] = np.ones(len(runs[i]), bool)
        yield counted(np.concatenate(runs) if runs else np.zeros(0, np.int64))


def counted(runs: np.ndarray) -> Counted:
    """Different runs, in order, with their counts."""
    runs = np.sort(runs)
    first = np.flatnonzero(np.diff(runs, prepend=-1))
    return runs[first], np.diff(np.append(first, len(runs)))


def _answer(
    runs: Iterator[Counted],
    told: np.ndarray,
    places: np.ndarray,
    low: np.ndarray,
    result: np.ndarray,
) -> None:
    """Fill in orders 1, 2, ... at some places of the asked stream.

    `low` is the prediction from the next shorter context, by Kneser and Ney's counts: not how often
    a run came, but after how many different tokens.
    """
    for order, (keys, counts) in enumerate(runs, start=1):
        if order > 1:
            shorter = counted(keys & ((1 << BITS * order) - 1))
            low = interpolate(*shorter, run_of(told, places, order - 1), low)
        result[order, places] = interpolate(keys, counts, run_of(told, places, order), low)


def interpolate(
    keys: np.ndarray, counts: np.ndarray, asked: np.ndarray, low: np.ndarray
) -> np.ndarray:
    """P(token | context) of each asked run, from counted runs and the shorter context's P, `low`.

    Where the context was never seen it is `low`. For any context the sum over all tokens is 1 if
    that of `low` is.
    """
    if not len(keys):
        return low
    contexts = keys >> BITS
    first = np.flatnonzero(np.diff(contexts, prepend=-1))
    discount = discounts(counts)[np.minimum(counts, 3)]
    total = np.add.reduceat(counts, first)
    freed = np.add.reduceat(discount, first)
    run = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    own = np.where(keys[run] == asked, counts[run] - discount[run], 0.0)
    context = np.minimum(np.searchsorted(contexts[first], asked >> BITS), len(first) - 1)
    known = contexts[first][context] == asked >> BITS
    return np.where(known, (own + freed[context] * low) / total[context], low)


def discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken from a count of 0, 1, 2, and 3 or more, (4,): Chen and Goodman's estimate.

    One is added to each count of counts, and none is below 0.1, so that it stands on few data too.
    """
    n = 1.0 + np.bincount(np.minimum(counts, 5), minlength=6)[1:5]
    y = n[0] / (n[0] + 2 * n[1])
    best = [i - (i + 1) * y * n[i] / n[i - 1] for i in (1, 2, 3)]
    return np.array([0.0, *np.clip(best, 0.1, [1.0, 2.0, 3.0])])
