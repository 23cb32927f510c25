"""The greatest rate: whatever the model wants, so many notes a second and no more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.generation.constraints import Constraints
from segued.generation.rate_limit import RateLimit
from segued.tokens.vocabulary import NOTE_ON, PERFORMANCE, TIME_SHIFT

from ..support.fakes import FoldingModel, Session, settings
from ..support.performers import PERFORMANCES, Move

SHIFTS = PERFORMANCE.ids(TIME_SHIFT)
NOTES = PERFORMANCE.ids(NOTE_ON)


def test_it_waits_until_the_oldest_of_them_is_a_second_old() -> None:
    rate_limit = RateLimit(2, 100)
    rate_limit.begin()
    rate_limit.passes(30)
    assert rate_limit.wait == 0
    rate_limit.begin()
    assert rate_limit.wait == 70
    rate_limit.passes(69)
    assert rate_limit.wait == 1
    rate_limit.passes(1)
    assert rate_limit.wait == 0


def test_what_began_before_counts() -> None:
    assert RateLimit(2, 100, [90, 20]).wait == 10
    assert RateLimit(2, 100, [20]).wait == 0


def test_a_copy_goes_its_own_way() -> None:
    rate_limit = RateLimit(1, 100)
    twin = rate_limit.copy()
    twin.begin()
    assert (rate_limit.wait, twin.wait) == (0, 100)


def test_while_it_waits_no_note_and_no_shift_that_would_ask_for_one() -> None:
    constraints = Constraints(PERFORMANCE, velocity_bin=10, rate_limit=RateLimit(1, 100, [40]))
    assert np.isneginf(constraints.bias[NOTES.start : NOTES.stop]).all()
    shifts = constraints.bias[SHIFTS.start : SHIFTS.stop]
    assert np.isneginf(shifts[:59]).all()
    assert (shifts[59:] == 0).all()
    constraints.accept(PERFORMANCE.id(TIME_SHIFT, 60))
    assert (constraints.bias[NOTES.start : NOTES.stop] == 0).all()


def fastest(session: Session) -> int:
    """The most notes that the model began within a second, but for a step."""
    times = [time for time, message in session.replies if message[0] & 0xF0 == 0x90]
    return max((sum(t <= u < t + 0.97 for u in times) for t in times), default=0)


@pytest.mark.parametrize("most", [1, 3, 10])
def test_a_model_run_wild_is_bounded(most: int) -> None:
    lines = ["steering.density=4", "turns.reply_length=20", "sampling.temperature=2"]
    free = Session(FoldingModel(), settings(*lines))
    bound = Session(FoldingModel(), settings(*lines, f"sampling.max_notes_per_second={most}"))
    for session in (free, bound):
        session.tap(60, 100)
        session.wait(20_000)
    assert fastest(free) > 10
    assert fastest(bound) == most


@given(
    PERFORMANCES,
    st.integers(1, 6),
    st.sampled_from([(), ("steering.mode=duet", "steering.density=4"), ("turns.silence=0.1",)]),
)
def test_no_performance_makes_it_faster(
    performance: list[Move], most: int, lines: tuple[str, ...]
) -> None:
    session = Session(FoldingModel(), settings(*lines, f"sampling.max_notes_per_second={most}"))
    for move in performance:
        move(session)
    session.wait(3000)
    assert fastest(session) <= most
