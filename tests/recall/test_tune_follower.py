"""Following a tune that comes again: with other orders, wrong and missing notes, and no further."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.recall import tune_follower
from segued.recall.tune_follower import (
    BEHIND,
    CLOSE,
    NOWHERE,
    PASSAGES,
    QUOTED,
    THREADS,
    Present,
    Thread,
    Tune,
)

THEME = [60, 64, 67, 72, 71, 67, 65, 62, 64, 69, 72, 76, 74, 72, 71, 69, 67, 65, 64, 60]
ELSEWHERE = list(range(20, 50))  # enough of another tune to be far from the first
NOTES = st.lists(st.integers(60, 63), max_size=120)


def played(notes: list[int], tune: Tune | None = None) -> tuple[Tune, Present]:
    """A performance, and where it stands at its end."""
    tune, present = tune or Tune(), NOWHERE
    for note in notes:
        tune.add(note)
        present = tune.after(present, note, CLOSE)
    return tune, present


def foretold(again: list[int]) -> list[int]:
    """The theme, something else, then this: which notes are expected next."""
    tune, present = played([*THEME, *ELSEWHERE, *again])
    return list(tune.next(present.threads[0])) if present.threads else []


def test_a_theme_that_comes_again_is_followed() -> None:
    assert foretold(THEME[:2]) == []
    for count in range(3, 15):
        assert foretold(THEME[:count]) == THEME[count : count + QUOTED]


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        ([*THEME[:4], 66, *THEME[4:8]], THEME[8:12]),  # a wrong note
        ([*THEME[:4], *THEME[5:9]], THEME[9:13]),  # one left out
        ([*THEME[:4], *THEME[6:10]], THEME[10:14]),  # two
        ([*THEME[:3], 71, 72, *THEME[5:8]], THEME[8:12]),  # two struck the other way round
        ([67, 60, 64, *THEME[3:5]], THEME[5:9]),  # a chord in another order, at the beginning
        ([*THEME[:4], 67], [71, *THEME[6:9]]),  # one is early: it is not expected again
        ([*THEME[:5], 30, 45, 22], []),  # something else
    ],
)
def test_it_is_followed_though_it_is_not_the_same(again: list[int], expected: list[int]) -> None:
    assert foretold(again) == expected[:QUOTED]


def test_of_two_places_the_one_that_goes_on_like_the_present_is_chosen() -> None:
    one, other = [60, 62, 64, 65, 67, 69], [60, 62, 64, 66, 68, 70]
    tune, _ = played([*one, *ELSEWHERE, *other, *ELSEWHERE])
    for way in (one, other):
        present = NOWHERE
        for note in way[:4]:
            present = tune.after(present, note)
        assert list(tune.next(present.threads[0]))[:2] == way[4:6]


def test_what_was_forgotten_is_not_followed() -> None:
    tune, _ = played([*THEME, *ELSEWHERE])
    tune.clear()
    _, present = played(THEME[:8], tune)
    assert present.threads == ()


@given(NOTES, NOTES)
def test_where_the_present_stands_is_a_value(heard: list[int], more: list[int]) -> None:
    tune, _ = played(heard)
    stands = []
    for _ in range(2):
        present = NOWHERE
        for note in more:
            present = tune.after(present, note)
        stands.append(present)
    assert stands[0] == stands[1] and tune.count == len(heard)


@given(NOTES)
def test_all_that_is_followed_is_in_the_past(notes: list[int]) -> None:
    follow(notes)


def follow(notes: list[int]) -> None:
    """A performance, after each note of which all that is followed must be in the past."""
    tune, present = Tune(), NOWHERE
    for i, note in enumerate(notes):
        tune.add(note)
        before, present = present, tune.after(present, note, CLOSE)
        assert len({thread.base for thread in present.threads}) == len(present.threads) <= THREADS
        worths = [thread.worth for thread in present.threads]
        assert worths == sorted(worths, reverse=True)
        for thread in present.threads:
            assert 0 <= thread.base <= i and not thread.came & 1
            assert thread.came < 2 ** (BEHIND + 1)
            ahead = list(tune.next(thread))
            there = [
                notes[place]
                for place in range(thread.base, i + 1)
                if not thread.came >> (place - thread.base) & 1
            ]
            assert ahead == there[:QUOTED]
            if all(thread.base - CLOSE > other.base for other in before.threads):
                assert begun_rightly(thread, notes[: i + 1])


def begun_rightly(thread: Thread, notes: list[int]) -> bool:
    """Whether one of the passages that are looked up ends before it as it does now."""
    past = notes[: thread.base]
    return any(
        past[-length:] == notes[-length:]
        if ordered
        else sorted(past[-length:]) == sorted(notes[-length:])
        for length, ordered in PASSAGES
        if len(past) >= length
    )


@given(NOTES)
def test_passages_that_share_a_slot_are_told_apart(notes: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tune_follower, "SLOTS", 3)
        follow(notes)


def test_it_keeps_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune_follower, "KEPT", 64)
    tune, _ = played([*THEME, *ELSEWHERE])
    assert (tune.oldest, tune.count) == (0, 50)
    tune, present = played(THEME[:6], tune)
    assert next(tune.next(present.threads[0])) == THEME[6]
    tune, _ = played([*range(80, 110)], tune)
    assert tune.oldest == 22  # in the midst of what came after the theme
    for again in (THEME[10:16], [*range(100, 106)]):
        present = NOWHERE
        for note in again:
            present = tune.after(present, note)
        found = [next(tune.next(thread)) for thread in present.threads]
        assert found == ([] if again[0] == THEME[10] else [106])


def test_a_place_that_was_overwritten_meanwhile_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune_follower, "KEPT", 64)
    tune, _ = played([*THEME, *ELSEWHERE])
    present = NOWHERE
    for note in THEME[:4]:
        present = tune.after(present, note)
    thread = present.threads[0]
    tune, _ = played([*range(80, 110)], tune)
    assert list(tune.next(thread)) == []
    assert tune.after(present, THEME[4]).threads == ()
