"""The survival function of a silence, closes, and free time."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.generation.context import Context, StepModel
from segued.tokens.events import NoteOff, NoteOn
from segued.tokens.vocabulary import PERFORMANCE, TIME_SHIFT
from segued.turn_taking.expectation import Search
from segued.turn_taking.phrase_boundary import PhraseBoundary

from ..support.fakes import FoldingModel, Session, note_off, note_on, settings

SHIFTS = PERFORMANCE.ids(TIME_SHIFT)


class Metronome:
    """Expects something every `steps` steps, with a probability each; its state is no matter."""

    vocabulary = PERFORMANCE

    def __init__(self, *chances: tuple[int, float]) -> None:
        self.logits = np.full(len(PERFORMANCE), -50.0, np.float32)
        for steps, chance in chances:
            self.logits[SHIFTS.start + steps - 1] = np.log(chance)

    def initial_state(self) -> np.ndarray:
        return np.zeros(1, np.float32)

    def step(self, ids: Any, state: Any) -> Any:
        return self.logits, state + np.float32(len(ids))


def search(model: StepModel) -> Search:
    context = Context(model)
    context.hear(NoteOn(0.0, 60, 80))
    context.hear(NoteOff(1.0, 60))
    context.advance(1.02)
    while context.step():
        pass
    return Search(model, context)


def test_survival_falls_with_the_chance_of_what_might_have_come() -> None:
    found = search(Metronome((10, 0.5), (30, 0.4), (60, 0.1)))
    assert found.time_below(0.6) == pytest.approx(1.10)
    assert found.time_below(0.3) == pytest.approx(1.30)
    assert found.time_below(0.05) == pytest.approx(1.60)
    assert found.survival == pytest.approx(0.0, abs=1e-6)


def test_a_longest_shift_may_be_followed_by_another() -> None:
    """Half of the silences are over at 0.2 s, the others last a second and then go on the same."""
    found = search(Metronome((20, 0.5), (100, 0.5)))
    assert found.time_below(0.3) is None
    assert found.survival == pytest.approx(0.5)
    found.step()
    assert found.time_below(0.3) == pytest.approx(1.0 + 1.0 + 0.2)
    assert found.survival == pytest.approx(0.25)
    assert found.horizon == pytest.approx(3.0)


@given(st.integers(0, 50), st.floats(0.0001, 0.9))
def test_survival_never_rises_and_the_time_is_where_it_falls_below(seed: int, low: float) -> None:
    model = FoldingModel()
    context = Context(model)
    context.hear(NoteOn(0.0, 60 + seed, 80))
    context.hear(NoteOff(0.5, 60 + seed))
    context.advance(0.52)
    while context.step():
        pass
    found = Search(model, context)
    last = found.survival
    for _ in range(6):
        found.step()
        assert 0.0 <= found.survival <= last
        last = found.survival
    sooner, later = found.time_below(low), found.time_below(low / 2)
    assert later is None or (sooner is not None and sooner <= later)


def played(*notes: tuple[float, float, int]) -> PhraseBoundary:
    cadence = PhraseBoundary()
    events = [e for on, off, p in notes for e in (NoteOn(on, p, 80), NoteOff(off, p))]
    for event in sorted(events, key=lambda event: event.time):
        cadence.hear(event)
    return cadence


def test_a_long_tonic_in_the_bass_is_a_close() -> None:
    run = [(0.25 * i, 0.25 * i + 0.2, 67 - i) for i in range(7)]
    short = played(*run)
    long = played(*run, (1.75, 2.75, 60))
    chord = played(*run, (1.75, 2.75, 48), (1.75, 2.75, 64), (1.75, 2.75, 72))
    assert short.closure(0) < long.closure(0) <= chord.closure(0) == pytest.approx(1.0)
    assert long.closure(5) < long.closure(0)
    assert long.closure(None) < long.closure(0)
    assert PhraseBoundary().closure(0) == 0.0


def test_even_time_is_not_free() -> None:
    even = played(*[(0.5 * i, 0.5 * i + 0.4, 60) for i in range(9)])
    free = played(*[(t, t + 0.1, 60) for t in (0, 0.3, 1.1, 1.3, 2.4, 2.9, 4.2, 4.5)])
    assert even.freedom == pytest.approx(0.0, abs=1e-6)
    assert even.freedom < free.freedom <= 1.0


def entry(*lines: str, notes: int = 8) -> float:
    """Seconds from the last release to the reply's first note."""
    now = "sync.launch_quantize=now"
    session = Session(FoldingModel(), settings("turns.by=expectation", now, *lines))
    for i in range(notes):
        session.tap(60 + i, 100)
        session.wait(100)
    released = session.now - 0.1
    session.await_note()
    return session.replies[-1][0] - released


def test_the_more_sensitive_the_sooner() -> None:
    waits = [entry(f"steering.sensitivity={s}") for s in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert waits == sorted(waits, reverse=True)
    assert waits[0] > waits[-1]


def test_the_wait_has_bounds() -> None:
    assert entry("steering.sensitivity=1", "turns.shortest_wait=1.5") >= 1.5 - 1e-9
    longest = entry("steering.sensitivity=0", "turns.longest_wait=0.4")
    assert longest == pytest.approx(0.4, abs=0.011)


def test_while_a_key_is_held_it_waits() -> None:
    session = Session(FoldingModel(), settings("turns.by=expectation"))
    session.tap(60, 100)
    session.receive(note_on(62))
    session.wait(20_000)
    assert session.replies == []
    session.receive(note_off(62))
    session.wait(5000)
    assert session.replies != []


def test_turning_the_knob_while_it_waits_counts() -> None:
    session = Session(FoldingModel(), settings("turns.by=expectation", "steering.sensitivity=0"))
    session.tap(60, 100)
    session.wait(20)
    late = session.player.turns.deadline
    session.set("sensitivity", 1.0)
    soon = session.player.turns.deadline
    assert late is not None and soon is not None and soon < late
