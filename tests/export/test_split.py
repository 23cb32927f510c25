"""The split by composition: performances of one work never stand on both sides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segue_export.corpus.encoding import interval_grams, skyline
from segue_export.corpus.split import compositions, split, split_parts

from ..support.tiny import changed, pieces_of, scale_work, work

WORKS = [work(seed) for seed in range(12)]
PERFORMANCES = st.lists(
    st.tuples(st.integers(0, 11), st.integers(-12, 12), st.floats(0.7, 1.4)),
    min_size=2,
    max_size=24,
)


@settings(max_examples=60)
@given(performances=PERFORMANCES, seed=st.integers(0, 1000), share=st.floats(0.05, 0.5))
def test_performances_of_one_work_stand_on_one_side(
    performances: list[tuple[int, int, float]], seed: int, share: float
) -> None:
    pieces = pieces_of(
        [changed(WORKS[w], transpose, tempo) for w, transpose, tempo in performances]
    )
    of = [w for w, _, _ in performances]
    assert compositions(pieces) == [of.index(w) for w in of]
    train, valid = split(pieces, share, seed)
    assert sorted(train + valid) == list(range(len(of)))
    assert not {of[i] for i in train} & {of[i] for i in valid}
    assert bool(valid) == (len(set(of)) > 1) and train


def test_the_split_is_the_same_for_a_seed_and_another_for_another() -> None:
    pieces = pieces_of(WORKS)
    assert split(pieces, 0.2, 1) == split(pieces, 0.2, 1)
    assert len({tuple(split(pieces, 0.2, seed)[1]) for seed in range(10)}) > 5


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_share_is_of_tokens(share: float) -> None:
    pieces = pieces_of([work(seed, 40 + seed % 30) for seed in range(60)])
    _, valid = split(pieces, share, 3)
    held_out = sum(len(pieces[i]) for i in valid) / len(pieces.tokens)
    assert share <= held_out <= share + 0.04


def test_one_composition_cannot_be_split() -> None:
    pieces = pieces_of([work(1), changed(work(1), 3), changed(work(1), -2, 0.9)])
    assert split(pieces, 0.3, 1) == ([0, 1, 2], [])


def test_a_few_short_pieces_can_be() -> None:
    train, valid = split(pieces_of([work(1, 5), work(2, 5)]), 0.05, 1)
    assert len(train) == len(valid) == 1


def test_folders_are_split_as_one() -> None:
    first = pieces_of(WORKS[:6])
    second = pieces_of([changed(piece, 2, 1.1) for piece in reversed(WORKS)])
    (kept_1, out_1), (kept_2, out_2) = split_parts([first, second], 0.3, 2)
    assert len(kept_1) + len(out_1) == 6 and len(kept_2) + len(out_2) == 12
    out_here = {int(name.split(".")[0]) for name in out_1.names}
    out_there = {11 - int(name.split(".")[0]) for name in out_2.names}
    assert out_there and {w for w in out_there if w < 6} == out_here


def test_a_reprise_in_another_key_is_still_the_work() -> None:
    longer = work(5, 120)
    excerpt = changed([e for e in longer if e.time < 15], transpose=4)
    assert compositions(pieces_of([longer, work(6), excerpt])) == [0, 1, 0]


def test_scales_and_trills_are_no_work() -> None:
    pieces = pieces_of([scale_work((60, 62)), scale_work((70, 72)), scale_work((50, 55, 60))])
    assert compositions(pieces) == [0, 1, 2]


def test_the_skyline_is_the_highest_note_of_each_chord() -> None:
    ids = [360, 60, 64, 260, 67, 280, 188, 59]  # 60 and 64 together, 67 50 ms on, 59 250 ms on
    assert skyline(np.array(ids)).tolist() == [67, 59]
    assert interval_grams(np.array(ids)).tolist() == []
