"""A Markov model of variable order, the Continuator's kind, that learns a corpus: a yardstick.

Interpolated modified Kneser-Ney smoothing (Chen and Goodman, "An empirical study of smoothing
techniques for language modeling", 1998): the counts after a context are discounted, and what that
frees goes to the prediction from the next shorter context. As in the Continuator (Pachet, 2003)
each piece is also learned in neighbouring keys.

A run of up to seven tokens is one integer, nine bits a token, the newest lowest, so sorting brings
equal contexts together. The runs are counted one newest context token at a time: no table of all of
them is ever held, the memory is some fifty bytes for a token of the corpus, and the discounts are
those of that context token.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from segued.tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE

from ..corpus.pieces import Pieces
from ..report import progress

HIGHEST = 6
"""The highest order: its runs of seven tokens fill an integer."""

BITS = 9  # of a token in a run
SIZE = len(PERFORMANCE)
BEGIN = SIZE  # stands before the first token of a piece
NOWHERE = 2**BITS - 1  # a note that was transposed off the keyboard
PITCHES = len(PERFORMANCE.ids(NOTE_ON))
NOTES = PITCHES + len(PERFORMANCE.ids(NOTE_OFF))  # tokens below it have a pitch
CHUNK = 1_000_000  # tokens that are taken in at a time

SLOTS = np.array(
    [sum(((bits >> slot) & 1) << BITS * slot for slot in range(HIGHEST + 1)) for bits in range(256)]
)
"""A one in each slot of a run whose bit is set."""


def predict(
    training: Pieces,
    asked: Pieces,
    highest: int = 4,
    transpose: int = 5,
    some: Sequence[int] = range(SIZE),
    title: str = "counting",
) -> np.ndarray:
    """What a model of each order 0..`highest` gives to the tokens of `asked`, given those before.

    Float64 (highest + 1, tokens), over every token but the first of each piece. `transpose`: how
    many semitones up and down the training pieces are learned in too. Where only tokens that follow
    `some` are of interest, the other columns are NaN in all orders but 0.
    """
    learned, tokens = stream(training, highest), stream(asked, highest)
    keys = range(-transpose, transpose + 1)
    chances, low = _without_context(learned, keys)
    result = np.full((highest + 1, len(tokens)), np.nan)
    result[0] = chances[tokens]
    places = _places_after(tokens)
    runs_of = _Learned(learned, highest) if highest else None
    with progress(total=len(some), desc=title, unit="context", leave=False) as bar:
        for token in some:
            if runs_of is not None and len(places[token]):
                runs = runs_of.after(token, keys)
                _answer(runs, tokens, places[token], low[tokens[places[token]]], result)
            bar.update()
    return result[:, predicted(tokens)]


def stream(pieces: Pieces, highest: int) -> np.ndarray:
    """Pieces end to end, int64, each after as many BEGIN as the longest context holds."""
    begin = np.full(highest + 1, BEGIN, np.int64)
    return np.concatenate([part for piece in pieces for part in (begin, piece.astype(np.int64))])


def predicted(tokens: np.ndarray) -> np.ndarray:
    """Which tokens of a stream are predicted: all but each piece's first."""
    inside: np.ndarray = (tokens != BEGIN) & (_before(tokens, 1) != BEGIN)
    return inside


def run_of(tokens: np.ndarray, places: np.ndarray, order: int) -> np.ndarray:
    """The token at each place and the `order` ones before it, as one integer."""
    runs = np.zeros(len(places), np.int64)
    for back in range(order + 1):
        runs |= tokens[places - back] << BITS * back
    return runs


def _before(tokens: np.ndarray, back: int) -> np.ndarray:
    return np.concatenate((np.full(back, BEGIN), tokens[: len(tokens) - back]))


def _without_context(learned: np.ndarray, keys: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Order 0, (SIZE + 1,): from how often a token came, and from after how many others it came."""
    side = 2**BITS
    real = learned != BEGIN
    followed = _before(learned, 1)[real] * side + learned[real]
    pairs = np.bincount(followed, minlength=side * side).reshape(side, side)
    total = np.zeros((side, side), np.int64)
    for semitones in keys:
        table = np.array([transposed(token, semitones) for token in range(side)])
        np.add.at(total, (table[:, np.newaxis], table[np.newaxis, :]), pairs)
    total = total[: SIZE + 1, :SIZE]
    every, uniform = np.arange(SIZE), np.full(SIZE, 1.0 / SIZE)
    parts = []
    for counts in (total.sum(axis=0), (total > 0).sum(axis=0)):
        seen = np.flatnonzero(counts)
        parts.append(np.append(interpolate(seen, counts[seen], every, uniform), 0.0))
    return parts[0], parts[1]


def transposed(token: int, semitones: int) -> int:
    """The same token in another key; NOWHERE for a note that is then off the keyboard."""
    if token >= NOTES:
        return token
    return token + semitones if 0 <= token % PITCHES + semitones < PITCHES else NOWHERE


def _places_after(tokens: np.ndarray) -> list[np.ndarray]:
    """For each token the places of what follows it."""
    order, ends = _by_context(tokens)
    return np.split(order, ends[:-1])


def _by_context(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places in the order of the token before them, and where those of each token end."""
    before = _before(tokens, 1)
    before[tokens == BEGIN] = NOWHERE
    order = np.argsort(before.astype(np.uint16), kind="stable")
    return order, np.cumsum(np.bincount(before, minlength=2**BITS))


Counted = tuple[np.ndarray, np.ndarray]
"""Runs in order, each once, and how often each came."""


class _Learned:
    """All runs of the highest order of a corpus, sorted by the newest token of their context.

    A run is moved to another key by adding to it: `notes` tells in which of its slots. It is left
    out where its lowest or highest pitch would be off the keyboard.
    """

    def __init__(self, learned: np.ndarray, highest: int) -> None:
        self.highest = highest
        order, self._ends = _by_context(learned)
        self._runs = np.empty(len(learned), np.int64)
        self._notes = np.empty(len(learned), np.uint8)
        self._low = np.empty(len(learned), np.uint8)
        self._high = np.empty(len(learned), np.uint8)
        for start in range(0, len(order), CHUNK):
            places = order[start : start + CHUNK]
            part = slice(start, start + len(places))
            self._take_in(learned, np.maximum(places, highest), part)

    def _take_in(self, learned: np.ndarray, places: np.ndarray, part: slice) -> None:
        runs, notes = np.zeros(len(places), np.int64), np.zeros(len(places), np.uint8)
        low, high = np.full(len(places), PITCHES - 1), np.zeros(len(places), np.int64)
        for back in range(self.highest + 1):
            tokens = learned[places - back]
            runs |= tokens << BITS * back
            note, pitches = tokens < NOTES, tokens % PITCHES
            notes |= note.astype(np.uint8) << back
            low = np.where(note, np.minimum(low, pitches), low)
            high = np.where(note, np.maximum(high, pitches), high)
        self._runs[part], self._notes[part] = runs, notes
        self._low[part], self._high[part] = low, high

    def after(self, token: int, keys: Sequence[int]) -> Iterator[Counted]:
        """The runs of order 1, 2, ... whose context ends with a token, in all keys together."""
        parts = [np.zeros(0, np.int64)]
        for semitones in keys:
            old = transposed(token, -semitones)
            if old == NOWHERE:
                continue
            part = slice(self._ends[old - 1] if old else 0, self._ends[old])
            fits = (self._low[part] >= -semitones) & (self._high[part] < PITCHES - semitones)
            parts.append((self._runs[part] + semitones * SLOTS[self._notes[part]])[fits])
        runs = np.concatenate(parts)
        for order in range(1, self.highest + 1):
            yield counted(runs & ((1 << BITS * (order + 1)) - 1))


def counted(runs: np.ndarray) -> Counted:
    """Different runs, in order, with their counts. Sorts the given array."""
    runs.sort()
    first = np.flatnonzero(np.diff(runs, prepend=-1))
    return runs[first], np.diff(np.append(first, len(runs)))


def _answer(
    runs: Iterator[Counted],
    tokens: np.ndarray,
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
            low = interpolate(*shorter, run_of(tokens, places, order - 1), low)
        result[order, places] = interpolate(keys, counts, run_of(tokens, places, order), low)


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


def predict_listening(asked: Pieces, highest: int = HIGHEST) -> np.ndarray:
    """What each order 0..`highest` gives to every token but the first of each piece.

    That is the Continuator as it sits down at the piano: a model that learns nothing but the piece
    itself, while it is heard. Orders are smoothed by Witten and Bell's method, "the zero-frequency
    problem" (1991): after a context heard n times with t different tokens, the next shorter context
    has the share t / (n + t). Float64 (highest + 1, tokens). Each piece begins with nothing
    learned; order 0 starts from all tokens being equally likely.
    """
    tokens = stream(asked, highest)
    piece = np.repeat(np.arange(len(asked)), [len(p) + highest + 1 for p in asked])
    real = np.flatnonzero(tokens != BEGIN)
    low = np.full(len(real), 1.0 / len(PERFORMANCE))
    rows = []
    for order in range(highest + 1):
        runs = run_of(tokens, real, order)
        same = _earlier(runs, piece[real], np.ones(len(real)))
        context = runs >> BITS
        times = _earlier(context, piece[real], np.ones(len(real)))
        different = _earlier(context, piece[real], (same == 0).astype(float))
        low = np.where(times > 0, (same + different * low) / np.maximum(1, times + different), low)
        rows.append(low)
    return np.stack(rows)[:, predicted(tokens)[real]]


def _earlier(keys: np.ndarray, piece: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """For each place the sum of the weights of earlier places of equal key in its piece."""
    names = np.unique(keys, return_inverse=True)[1] * (piece.max() + 1) + piece
    order = np.argsort(names, kind="stable")
    names, weights = names[order], weights[order]
    first = np.flatnonzero(np.diff(names, prepend=-1))
    running = np.cumsum(weights) - weights
    running -= np.repeat(running[first], np.diff(np.append(first, len(names))))
    result = np.empty(len(keys))
    result[order] = running
    return result
