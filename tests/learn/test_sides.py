"""Pieces to learn from, to choose by and to judge by, the same for good."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segue_export.corpus.pieces import Pieces, join
from segue_export.learn.sides import JUDGE, SHARES, TRAIN, VALID, sides_of
from segue_export.learn.takes import to_exact
from segued.errors import DataError

from .made import tune
from .test_takes import notes


@cache
def ids(seed: int) -> np.ndarray:
    return to_exact(notes(*tune(seed))).ids


def pieces(*seeds: int) -> Pieces:
    return join([str(seed) for seed in seeds], [ids(seed) for seed in seeds])


def sides(music: Pieces, known: dict[str, str] | None = None) -> dict[str, str]:
    found = sides_of(music, music.names, range(len(music)), known or {})
    return dict(zip(music.names, found, strict=True))


def test_three_pieces_are_enough_and_two_are_not() -> None:
    assert {*sides(pieces(1, 2, 3)).values()} == {*SHARES}
    with pytest.raises(DataError, match=r"2 different pieces .* at least 3 are needed"):
        sides(pieces(1, 2))


def test_shares_are_kept() -> None:
    music = pieces(*range(40))
    found = sides_of(music, music.names, range(40), {})
    for side, share in SHARES.items():
        tokens = sum(n for n, s in zip(music.lengths, found, strict=True) if s == side)
        assert tokens / music.total == pytest.approx(share, abs=0.05)


def test_a_composition_stands_on_one_side() -> None:
    music = pieces(1, 2, 3, 1, 1, 2, 4, 5)
    found = sides_of(music, [*"abcdefgh"], range(8), {})
    assert found[0] == found[3] == found[4] and found[1] == found[5]


def test_what_is_of_one_file_stands_on_one_side() -> None:
    music = pieces(*range(9))
    found = sides_of(music, music.names, [0, 0, 0, 1, 1, 1, 2, 2, 2], {})
    assert [len({*found[i : i + 3]}) for i in (0, 3, 6)] == [1, 1, 1]


@settings(max_examples=12)
@given(st.integers(3, 12), st.integers(0, 12))
def test_a_piece_never_changes_its_side(before: int, more: int) -> None:
    first = sides(pieces(*range(before)))
    later = sides(pieces(*range(before + more)), first)
    assert {name: later[name] for name in first} == first


def test_what_was_heard_judges_nothing() -> None:
    music = pieces(1, 1, 2, 3, 4)
    known = {"x": JUDGE, "y": TRAIN}
    found = sides_of(music, ["x", "y", "a", "b", "c"], range(5), known)
    assert found[0] == found[1] == TRAIN and {VALID, JUDGE} <= {*found}


def test_nothing_new_to_judge_by() -> None:
    music = pieces(1, 2, 3)
    with pytest.raises(DataError, match="no new piece is left for"):
        sides_of(music, [*"abc"], range(3), dict.fromkeys("abc", TRAIN))
