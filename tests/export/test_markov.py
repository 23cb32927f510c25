"""The Markov models against ones that are written out in plain Python, on tiny data."""

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segue_export.corpus.pieces import Pieces, join
from segue_export.judge.baselines import Baseline, counting, markov, mixture, unigram
from segue_export.judge.markov import (
    BEGIN,
    HIGHEST,
    NOWHERE,
    SIZE,
    discounts,
    predict,
    predict_listening,
    transposed,
)

from ..support.tiny import pieces_of, scale_work, work

few = st.sampled_from([60, 62, 188, 190, 256, 261, 370])
one_piece = st.lists(few, min_size=1, max_size=12)
some_pieces = st.lists(one_piece, min_size=1, max_size=4)


def made(pieces: list[list[int]]) -> Pieces:
    return join([str(i) for i in range(len(pieces))], [np.array(p, np.uint16) for p in pieces])


def moved(token: int, semitones: int) -> int | None:
    if token >= 256:
        return token
    pitch = token % 128 + semitones
    return token + semitones if 0 <= pitch <= 127 else None


class PlainMarkov:
    """Interpolated modified Kneser-Ney with dictionaries, a context at a time.

    Discounts are those of all contexts that end with the same token.
    """

    def __init__(self, pieces: list[list[int]], highest: int, keys: int) -> None:
        self.counts: list[Counter[Any]] = [Counter() for _ in range(highest + 1)]
        for semitones in range(-keys, keys + 1):
            for piece in pieces:
                padded = [BEGIN] * highest + piece
                for end in range(highest, len(padded)):
                    for order in range(highest + 1):
                        run = padded[end - order : end + 1]
                        other = [moved(t, semitones) if t != BEGIN else t for t in run]
                        if None not in other:
                            self.counts[order][tuple(other)] += 1
        pairs: set[tuple[int, int]] = set()
        for semitones in range(-keys, keys + 1):
            for piece in pieces:
                for a, b in zip([BEGIN, *piece], piece, strict=False):
                    first = a if a == BEGIN else moved(a, semitones)
                    second = moved(b, semitones)
                    if first is not None and second is not None:
                        pairs.add((first, second))
        self.after: list[Counter[Any]] = [Counter(b for _, b in pairs)]
        self.after[0] = Counter({(b,): n for b, n in self.after[0].items()})
        for order in range(1, highest):
            self.after.append(Counter(run[1:] for run in self.counts[order + 1]))

    def chance(self, context: tuple[int, ...], token: int, order: int) -> float:
        low = self.low(context, token, order - 1)
        return self._interpolated(self.counts[order], context, token, order, low)

    def low(self, context: tuple[int, ...], token: int, order: int) -> float:
        if order < 0:
            return 1.0 / SIZE
        shorter = self.low(context, token, order - 1)
        return self._interpolated(self.after[order], context, token, order, shorter)

    def _interpolated(
        self,
        counts: Counter[Any],
        context: tuple[int, ...],
        token: int,
        order: int,
        low: float,
    ) -> float:
        ending = context[len(context) - order :]
        alike = [n for run, n in counts.items() if not order or run[-2] == ending[-1]]
        taken = discounts(np.array(alike)) if alike else np.zeros(4)
        here = {run[-1]: n for run, n in counts.items() if run[:-1] == ending}
        if not here:
            return low
        total = sum(here.values())
        freed = sum(taken[min(n, 3)] for n in here.values())
        own = here.get(token, 0)
        return float((own - taken[min(own, 3)] + freed * low) / total)


@pytest.mark.slow
@given(some_pieces, some_pieces, st.integers(0, 3), st.integers(0, 2))
def test_it_is_what_it_is_in_plain_python(
    training: list[list[int]], asked: list[list[int]], highest: int, keys: int
) -> None:
    found = predict(made(training), made(asked), highest, keys)
    plain = PlainMarkov(training, highest, keys)
    column = 0
    for piece in asked:
        padded = [BEGIN] * highest + piece
        for end in range(highest + 1, len(padded)):
            for order in range(highest + 1):
                expected = plain.chance(tuple(padded[end - highest : end]), padded[end], order)
                assert found[order, column] == pytest.approx(expected)
            column += 1
    assert found.shape == (highest + 1, column)


@given(some_pieces, one_piece, st.integers(0, 3))
def test_chances_add_up_to_one(training: list[list[int]], context: list[int], highest: int) -> None:
    everything = made([[*context, token] for token in range(SIZE)])
    rows = predict(made(training), everything, highest, 1)
    last = rows.reshape(highest + 1, SIZE, len(context))[:, :, -1]
    assert last.sum(axis=1) == pytest.approx(1.0)
    assert (last > 0).all()
    heard = predict_listening(everything, highest).reshape(highest + 1, SIZE, len(context))
    assert heard[:, :, -1].sum(axis=1) == pytest.approx(1.0)


def test_a_known_small_example() -> None:
    """Two tokens in turn: after 60 there was always 62, so others share what is discounted.

    62 came after one token, 60 after two: after 62, and at the beginning.
    """
    rows = predict(made([[60, 62] * 50]), made([[60, 62]]), 1, 0)
    taken = discounts(np.array([50]))[3]
    _, once, twice, _ = discounts(np.array([2, 1]))
    low = (1 - once + (once + twice) / SIZE) / 3
    assert rows[1] == pytest.approx((50 - taken + taken * low) / 50)


def test_discounts_are_chen_and_goodmans() -> None:
    counts = np.repeat([1, 2, 3, 4, 9], [999, 499, 249, 124, 50])
    y = 1000 / 2000
    wanted = [0, 1 - 2 * y * 500 / 1000, 2 - 3 * y * 250 / 500, 3 - 4 * y * 125 / 250]
    assert discounts(counts) == pytest.approx(wanted)
    assert (discounts(np.array([7, 8]))[1:] >= 0.1).all()


def test_other_keys_are_learned_too() -> None:
    training, asked = made([[60, 64, 67, 72] * 3]), made([[62, 66, 69, 74]])
    assert (predict(training, asked, 2, 2)[2] > 0.3).all()
    assert (predict(training, asked, 2, 1)[2] < 0.1).all()


def test_what_another_key_would_put_off_the_keyboard_is_left_out() -> None:
    training = made([[120, 126] * 9])
    higher, too_high = (predict(training, made([[120 + s, 126 + s]]), 1, 2) for s in (1, 2))
    assert higher[1, 0] > 0.5
    assert too_high[1, 0] < 0.1, "126 two semitones higher would be a note-off of pitch 0"
    assert transposed(127, 1) == transposed(128, -1) == transposed(255, 1) == NOWHERE
    assert transposed(300, 5) == 300 and transposed(128, 1) == 129


def test_only_the_tokens_after_some_are_answered() -> None:
    training, asked = made([[60, 62] * 9]), made([[60, 62, 60, 62]])
    whole, some = (predict(training, asked, 1, 0, only) for only in (range(SIZE), [60]))
    assert np.isnan(some[1]).tolist() == [False, True, False]
    assert (some[1, ::2] == whole[1, ::2]).all() and (some[0] == whole[0]).all()


def test_the_highest_order_fits() -> None:
    rows = predict(made([list(range(380, 388)) * 3]), made([list(range(380, 388))]), HIGHEST, 0)
    assert np.isfinite(rows).all() and (rows <= 1).all()


class PlainListener:
    """Witten-Bell smoothing, learned as it goes, with dictionaries."""

    def __init__(self, highest: int) -> None:
        self.highest = highest
        self.counts: defaultdict[tuple[int, ...], Counter[int]] = defaultdict(Counter)

    def chances(self, padded: list[int], end: int) -> list[float]:
        rows, low = [], 1.0 / SIZE
        for order in range(self.highest + 1):
            here = self.counts.get(tuple(padded[end - order : end]))
            if here:
                low = (here[padded[end]] + len(here) * low) / (here.total() + len(here))
            rows.append(low)
        return rows

    def learn(self, padded: list[int], end: int) -> None:
        for order in range(self.highest + 1):
            self.counts[tuple(padded[end - order : end])][padded[end]] += 1


@given(some_pieces, st.integers(0, HIGHEST))
def test_listening_is_what_it_is_in_plain_python(asked: list[list[int]], highest: int) -> None:
    found = predict_listening(made(asked), highest)
    column = 0
    for piece in asked:
        plain = PlainListener(highest)
        padded = [BEGIN] * highest + piece
        for end in range(highest, len(padded)):
            if end > highest:
                expected = plain.chances(padded, end)
                assert found[:, column] == pytest.approx(expected)
                column += 1
            plain.learn(padded, end)
    assert found.shape == (highest + 1, column)


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=2, max_size=4))
def test_a_mixture_is_no_worse_than_its_parts(rows: list[list[float]]) -> None:
    chances = np.array(rows)
    weights = mixture(chances)
    assert weights.sum() == pytest.approx(1.0)
    best = np.log(chances).sum(axis=1).max()
    assert np.log(weights @ chances).sum() >= best - 0.05


def nats(baselines: list[Baseline]) -> dict[str, float]:
    return {baseline.name: float(baseline.nats.sum()) for baseline in baselines}


def test_what_each_baseline_is_good_at() -> None:
    pieces = pieces_of([scale_work(), scale_work((50, 53, 57), 30)])
    alone = nats(markov(pieces, None, 3, 2))
    assert set(alone) == {"markov_listening"}
    known = nats(markov(pieces, pieces_of([scale_work(times=9) for _ in range(4)]), 3, 2))
    assert known["markov_listening"] == alone["markov_listening"]
    assert known["markov_both"] < known["markov"], "the second piece is not of the kind learned"
    assert known["markov_both"] < counting(pieces).nats.sum()
    strange = nats(markov(pieces, pieces_of([work(i, 20) for i in range(3)]), 3, 0))
    assert known["markov"] < strange["markov"]
    assert strange["markov_both"] < strange["markov"]


def test_one_piece_is_enough_to_learn_from() -> None:
    pieces = pieces_of([work(1, 20)])
    assert set(nats(markov(pieces, pieces_of([work(2, 30)]), 2, 1))) == {
        "markov", "markov_listening", "markov_both",
    }  # fmt: skip


def test_nats_are_those_of_each_file() -> None:
    works = [work(1, 20), work(2, 30), scale_work()]
    whole = markov(pieces_of(works), None, 2, 1)[0].nats
    each = [markov(pieces_of([w]), None, 2, 1)[0].nats[0] for w in works]
    assert whole == pytest.approx(each)


def test_counting_is_the_entropy() -> None:
    pieces = pieces_of([work(1, 20), work(2, 30)])
    targets = np.concatenate([piece[1:] for piece in pieces])
    assert counting(pieces).nats.sum() == pytest.approx(unigram(targets) * len(targets))
