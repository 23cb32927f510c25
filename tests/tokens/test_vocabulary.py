"""The contract that published numbers and model files rely on: which id means what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.tokens.vocabulary import (
    NOTE_OFF,
    NOTE_ON,
    PERFORMANCE,
    TIME_SHIFT,
    VELOCITY,
    Vocabulary,
)

TIMES = st.floats(0, 1e6, allow_nan=False)


@pytest.mark.parametrize(
    ("kind", "value", "id"),
    [
        (NOTE_ON, 0, 0),
        (NOTE_ON, 60, 60),
        (NOTE_ON, 127, 127),
        (NOTE_OFF, 0, 128),
        (NOTE_OFF, 127, 255),
        (TIME_SHIFT, 1, 256),
        (TIME_SHIFT, 100, 355),
        (VELOCITY, 0, 356),
        (VELOCITY, 31, 387),
    ],
)
def test_ids_of_the_contract(kind: str, value: int, id: int) -> None:
    assert PERFORMANCE.id(kind, value) == id
    assert PERFORMANCE.token(id) == (kind, value)


def test_there_are_388() -> None:
    assert len(PERFORMANCE) == len(PERFORMANCE.tokens) == 388
    assert PERFORMANCE.max_shift() == 100


def test_every_id_is_one_token_and_every_token_one_id() -> None:
    tokens = [PERFORMANCE.token(id) for id in range(388)]
    assert len(set(tokens)) == 388
    assert [PERFORMANCE.id(kind, value) for kind, value in tokens] == list(range(388))


@pytest.mark.parametrize(
    ("kind", "first", "last"),
    [(NOTE_ON, 0, 127), (NOTE_OFF, 128, 255), (TIME_SHIFT, 256, 355), (VELOCITY, 356, 387)],
)
def test_ids_of_a_kind(kind: str, first: int, last: int) -> None:
    assert list(PERFORMANCE.ids(kind)) == list(range(first, last + 1))


@pytest.mark.parametrize(
    ("kind", "value", "allowed"),
    [
        (NOTE_ON, -1, "NOTE_ON must be in range 0..127, not -1"),
        (NOTE_OFF, 128, "NOTE_OFF must be in range 0..127, not 128"),
        (TIME_SHIFT, 0, "TIME_SHIFT must be in range 1..100, not 0"),
        (TIME_SHIFT, 101, "TIME_SHIFT must be in range 1..100, not 101"),
        (VELOCITY, 32, "VELOCITY must be in range 0..31, not 32"),
    ],
)
def test_a_value_out_of_range_is_told_the_range(kind: str, value: int, allowed: str) -> None:
    with pytest.raises(ValueError, match=f"^{allowed}$"):
        PERFORMANCE.id(kind, value)


@pytest.mark.parametrize("id", [-1, 388, 10**9])
def test_an_id_out_of_range_is_told_the_range(id: int) -> None:
    with pytest.raises(ValueError, match=rf"^token id must be in range 0\.\.387, not {id}$"):
        PERFORMANCE.token(id)


def test_there_is_no_other_kind() -> None:
    with pytest.raises(KeyError):
        PERFORMANCE.id("PROGRAM", 0)
    with pytest.raises(KeyError):
        PERFORMANCE.ids("PROGRAM")


def test_the_fingerprint_is_pinned() -> None:
    """Models carry it. Who changes what an id means makes all of them unusable, and must know."""
    assert PERFORMANCE.fingerprint == "c41cfbb7b22c2e92"


@pytest.mark.parametrize(
    "other",
    [
        Vocabulary("same", PERFORMANCE.ranges[:3], 100, 4),
        Vocabulary("same", (*PERFORMANCE.ranges[:3], (VELOCITY, 0, 30)), 100, 4),
        Vocabulary("same", PERFORMANCE.ranges[::-1], 100, 4),
        Vocabulary("same", PERFORMANCE.ranges, 125, 4),
        Vocabulary("same", PERFORMANCE.ranges, 100, 8),
    ],
)
def test_another_meaning_has_another_fingerprint(other: Vocabulary) -> None:
    assert other.fingerprint != PERFORMANCE.fingerprint


def test_the_name_means_nothing() -> None:
    renamed = Vocabulary("another", PERFORMANCE.ranges, 100, 4)
    assert renamed.fingerprint == PERFORMANCE.fingerprint


def test_velocity_bins_hold_four_velocities_from_one_on() -> None:
    bins = [PERFORMANCE.bin_of(velocity) for velocity in range(1, 128)]
    assert bins == [bin for bin in range(32) for _ in range(4)][:127]


@pytest.mark.parametrize("bin", range(32))
def test_a_bin_plays_a_velocity_of_its_own_middle(bin: int) -> None:
    velocity = PERFORMANCE.velocity_of(bin)
    assert 1 <= velocity <= 127
    assert PERFORMANCE.bin_of(velocity) == bin
    assert velocity == 4 * bin + 3


@pytest.mark.parametrize(
    ("time", "step"),
    [(0, 0), (0.004, 0), (0.005, 1), (0.01, 1), (0.0149, 1), (0.125, 13), (3600.0, 360_000)],
)
def test_times_are_rounded_to_the_nearest_step_halves_up(time: float, step: int) -> None:
    assert PERFORMANCE.step_of(time) == step


@given(TIMES)
def test_quantization_is_off_by_half_a_step_at_most_even_after_days(time: float) -> None:
    assert abs(PERFORMANCE.time_of(PERFORMANCE.step_of(time)) - time) <= 0.005 + 1e-9


@given(st.integers(0, 10**9))
def test_a_step_is_its_own_time(step: int) -> None:
    assert PERFORMANCE.step_of(PERFORMANCE.time_of(step)) == step


@given(TIMES, TIMES)
def test_steps_keep_the_order_of_times(one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert PERFORMANCE.step_of(early) <= PERFORMANCE.step_of(late)
