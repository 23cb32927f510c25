"""The musician without an instrument: it plans ahead, plays what is due, and forgets the rest."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.generation.context import StepModel
from segued.generation.improviser import Improviser
from segued.generation.plan import PAUSE, TAIL
from segued.generation.reply import Reply, Token
from segued.generation.shaping import Playing
from segued.tokens.events import Event, NoteOff, NoteOn, Pedal

from ..support.fakes import FoldingModel, ScriptedModel, tokens, words

FOLDING = FoldingModel()
HEARD = "v19 on60 t50 off60"  # what `at_its_turn` has heard


def think_all(improviser: Improviser, now: float) -> int:
    steps = 0
    while improviser.think(now):
        steps += 1
        assert steps < 10_000, "it thinks for ever"
    return steps


def at_its_turn(
    model: StepModel, begin: float = 1.0, length: float = 2.0, **playing: Any
) -> tuple[Improviser, list[int]]:
    """It has heard half a second of middle C and knows when to begin."""
    heard: list[int] = []
    improviser = Improviser(model, Playing(**playing), heard)
    for event in (NoteOn(0, 60, 80), NoteOff(0.5, 60)):
        improviser.hear(event)
    improviser.advance(0.52)
    improviser.prepare(begin, length)
    return improviser, heard


def scripted(script: str, **how: Any) -> tuple[Improviser, list[int]]:
    return at_its_turn(ScriptedModel(tokens(script)), temperature=0.0, **how)


def take_in(improviser: Improviser, now: float) -> None:
    """Let it catch up with what it heard, and plan nothing yet."""
    while improviser.context.backlog:
        improviser.think(now)


def due(improviser: Improviser, now: float) -> list[Token]:
    """All that is due up to `now`, taken in time."""
    taken: list[Token] = []
    while True:
        soonest = improviser.next_due
        token = improviser.due(now if soonest is None else min(soonest, now))
        if token is None:
            return taken
        taken.append(token)


def line(taken: list[Token]) -> str:
    return words([token.id for token in taken])


# --- planning


def test_nothing_is_planned_before_there_is_a_reply_to_prepare() -> None:
    improviser = Improviser(FOLDING, Playing())
    improviser.hear(NoteOn(0, 60, 80))
    improviser.advance(0.1)
    assert think_all(improviser, 0.1) == 1  # it takes in what it heard
    assert improviser.next_due is None
    assert improviser.due(99.0) is None


def test_a_reply_is_planned_before_its_turn() -> None:
    improviser, heard = scripted("v30 on64 t20 off64 on67 t30 off67")
    think_all(improviser, 0.6)
    assert improviser.next_due == 1.0
    assert words(heard) == HEARD
    assert due(improviser, 0.99) == []
    assert line(due(improviser, 1.0)) == "t50 v30 on64"
    assert improviser.next_due == 1.2
    assert line(due(improviser, 1.6)) == "t20 off64 on67 t30 off67"
    assert words(heard) == f"{HEARD} t50 v30 on64 t20 off64 on67 t30 off67"


def test_what_leads_to_a_note_waits_for_it() -> None:
    """A shift or a velocity is heard only together with what it leads to."""
    improviser, heard = scripted("v30 on64 t20 off64 on67")
    take_in(improviser, 0.6)
    for _ in range(2):
        improviser.think(0.6)  # the silence, the velocity
        assert due(improviser, 5.0) == []
        assert words(heard) == HEARD
    improviser.think(0.6)
    assert line(due(improviser, 5.0)) == "t50 v30 on64"


def test_a_whole_longest_shift_waits_for_nothing() -> None:
    improviser, heard = scripted("v30 on64 t10 off64", length=1e9)
    for now in range(1, 500):
        think_all(improviser, float(now))
        due(improviser, float(now))
    assert words(heard).endswith("t10 off64" + 497 * " t100")


def test_tokens_carry_their_events_and_states() -> None:
    improviser, _ = scripted("v30 on64 t20 off64")
    think_all(improviser, 0.6)
    taken = due(improviser, 1.2)
    assert [(token.time, token.events) for token in taken] == [
        (1.0, []),
        (1.0, []),
        (1.0, [NoteOn(1.0, 64, 123, -1)]),
        (1.2, []),
        (1.2, [NoteOff(1.2, 64, -1)]),
    ]
    assert [token.drawn for token in taken] == [False, True, True, True, True]
    assert all(token.state is not None for token in taken)
    assert improviser.context.settled
    assert improviser.context.state is taken[-1].state
    assert improviser.context.logits is taken[-1].logits is not None


def test_a_plan_goes_on_from_what_the_model_expects() -> None:
    """Also where no silence is left to be heard first."""
    improviser, _ = scripted("t100 v30 on64", begin=1.5)
    improviser.advance(1.5)
    think_all(improviser, 1.5)
    assert line(due(improviser, 1.5)) == "v30 on64"


def test_thinking_changes_no_memory() -> None:
    improviser, heard = at_its_turn(FOLDING)
    take_in(improviser, 0.6)
    context = improviser.context
    before = (context.state, context.logits, list(heard), context.encoder.written)
    assert think_all(improviser, 0.6) > 5
    after = (context.state, context.logits, list(heard), context.encoder.written)
    assert before[0] is after[0]
    assert before[1] is after[1]
    assert before[2:] == after[2:]


def test_each_thought_is_one_step_of_the_model_at_most() -> None:
    model = FoldingModel()
    improviser, _ = at_its_turn(model)
    for _ in range(50):
        before = model.steps
        thought = improviser.think(0.6)
        assert model.steps - before <= 1
        if not thought:
            break
    else:
        raise AssertionError("it never had thought enough")


@pytest.mark.parametrize("lookahead", [0.05, 1.0, 5.0])
def test_it_looks_ahead_as_far_as_it_is_told(lookahead: float) -> None:
    improviser, _ = scripted("v30 " + 99 * "on64 t10 off64 t10 ", length=60.0, lookahead=lookahead)
    for now in (0.6, 1.0, 1.7, 2.0):
        think_all(improviser, now)
        taken = due(improviser, now)
        assert improviser._plan is not None
        horizon = improviser._plan.horizon
        assert lookahead < horizon - max(now, 1.0) <= lookahead + 0.31
        assert all(token.time <= now for token in taken)


def test_however_short_it_looks_it_knows_its_next_note() -> None:
    improviser, _ = scripted("v30 on64 t90 off64 t90 on65", lookahead=0.05)
    for now in (0.6, 1.0, 1.9):
        think_all(improviser, now)
        due(improviser, now)
        think_all(improviser, now)
        assert improviser.next_due is not None


def test_preparing_the_same_reply_again_changes_nothing() -> None:
    improviser, _ = at_its_turn(FOLDING)
    think_all(improviser, 0.6)
    plan = improviser._plan
    improviser.prepare(1.0, 2.0)
    assert improviser._plan is plan
    improviser.prepare(1.1, 2.0)
    assert improviser._plan is None


@pytest.mark.parametrize(
    "event", [Pedal(0.8, True), NoteOff(0.8, 61), Pedal(0.8, False), NoteOff(0.8, 60)]
)
def test_what_changes_nothing_spoils_no_plan(event: Event) -> None:
    improviser, _ = at_its_turn(FOLDING)
    think_all(improviser, 0.6)
    plan = improviser._plan
    improviser.hear(event)
    assert improviser._plan is plan


def test_what_is_heard_spoils_the_plan() -> None:
    improviser, _ = at_its_turn(FOLDING)
    think_all(improviser, 0.6)
    improviser.hear(NoteOn(0.8, 62, 80))
    assert improviser.planned == ()
    assert improviser.next_due == pytest.approx(0.805, abs=1e-6)  # it thinks on when the step ends
    assert due(improviser, 99.0) == []


# --- playing


def test_a_reply_ends_at_its_length_and_is_dropped() -> None:
    improviser, heard = scripted("v30 " + 99 * "on64 t10 off64 t10 ", length=0.5)
    for now in np.arange(0.6, 3.0, 0.05):
        think_all(improviser, now)
        due(improviser, now)
    assert improviser.reply is None
    assert words(heard) == f"{HEARD} t50 v30 on64 t10 off64 t10 on64 t10 off64 t10 on64 t10 off64"


def test_notes_that_the_model_forgets_are_released() -> None:
    improviser, heard = scripted("v30 on64 on67", length=1.0)
    for now in np.arange(0.6, 8.0, 0.05):
        think_all(improviser, now)
        due(improviser, now)
    assert words(heard) == f"{HEARD} t50 v30 on64 on67 t100 t100 t100 off64 off67"
    assert TAIL == 2.0
    assert improviser.reply is None


def test_an_interrupted_reply_is_remembered_as_far_as_it_sounded() -> None:
    improviser, heard = scripted("v30 on64 t50 off64 on67 t50 off67", length=9.0)
    think_all(improviser, 0.6)
    due(improviser, 1.2)
    improviser.interrupt(1.23)
    assert improviser.reply is None
    improviser.hear(NoteOn(1.23, 48, 80))
    improviser.advance(1.3)
    think_all(improviser, 1.3)
    assert words(heard) == f"{HEARD} t50 v30 on64 t23 off64 v19 on48"
    state = ScriptedModel(tokens("v30")).step(heard, np.zeros(1, np.float32))[1]
    assert np.array_equal(improviser.context.state, state)


def test_after_silence_nothing_sounds_in_memory() -> None:
    improviser, heard = scripted("v30 on64 t50 off64", length=9.0)
    improviser.hear(Pedal(0.6, True))
    think_all(improviser, 0.6)
    due(improviser, 1.2)
    improviser.silence(1.3)
    improviser.advance(1.4)
    assert improviser.context.encoder.sounding == []
    assert improviser.reply is None
    assert words(heard) == f"{HEARD} t50 v30 on64 t30 off64"


def test_in_the_midst_of_a_reply_it_goes_on_after_a_pause_to_think() -> None:
    """A pedal lifts: what it held ends, and what comes next is drawn anew."""
    heard: list[int] = []
    improviser = Improviser(FOLDING, Playing(), heard)
    for event in (Pedal(0, True), NoteOn(0, 60, 80), NoteOff(0.5, 60)):
        improviser.hear(event)
    improviser.advance(0.52)
    improviser.prepare(1.0, 60.0)
    think_all(improviser, 0.6)
    due(improviser, 1.0)
    improviser.hear(Pedal(1.05, False))
    assert improviser.planned == ()
    assert not improviser.think(1.05)  # the step is not over
    improviser.advance(1.06)
    think_all(improviser, 1.06)
    assert "off60" in words(heard)
    due_again = improviser.next_due
    assert due_again is not None and due_again >= 1.05 + PAUSE / 100 - 1e-9
    for now in np.arange(1.06, 5.0, 0.05):
        think_all(improviser, now)
        due(improviser, now)
    assert len(heard) > 20
    assert np.array_equal(improviser.context.state, FOLDING.state_after(heard))


def test_a_note_that_sounds_for_too_long_is_let_go_of() -> None:
    """The model forgets about on64; the note ends at the first moment after its time."""
    script = "v30 on64 t90 on67 t60 off67 on69 t70 off69 t10 on71 t10 off71"
    improviser, heard = scripted(script, length=9.0, longest_note=2.0)
    think_all(improviser, 0.6)
    for now in np.arange(1.0, 4.5, 0.05):
        think_all(improviser, now)
        due(improviser, now)
    assert words(heard).startswith(f"{HEARD} t50 v30 on64 t90 on67 t60 off67 on69 t70 off64")


# --- late


def test_a_late_plan_keeps_its_rhythm() -> None:
    improviser, heard = scripted("v30 on64 t20 off64 on67 t30 off67", length=9.0)
    think_all_late = 2.5  # the model had no time until then
    take_in(improviser, think_all_late)
    for _ in range(3):
        improviser.think(think_all_late)
    assert improviser.next_due == think_all_late
    times = []
    for now in np.arange(2.5, 3.2, 0.01):
        think_all(improviser, now)
        times += [token.time for token in due(improviser, now) if token.events]
    assert times == pytest.approx([2.5, 2.7, 2.7, 3.0])
    improviser.advance(3.5)
    assert words(heard) == f"{HEARD} t100 t100 v30 on64 t20 off64 on67 t30 off67"  # as it sounded


def test_a_little_late_is_caught_up() -> None:
    improviser, _ = scripted("v30 on64 t20 off64", length=9.0)
    now = 1.0 + Playing().late_after / 2
    for _ in range(12):
        improviser.think(now)
    assert [t.time for t in due(improviser, 1.2) if t.events] == pytest.approx([1.0, 1.2])


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 8)), max_size=60), st.integers(0, 5))
def test_time_never_goes_back(beats: list[tuple[int, int]], seed: int) -> None:
    """Nor is anything played before it is due, whenever it finds time to think."""
    improviser, heard = at_its_turn(FOLDING, seed=seed)
    now, last = 0.6, 1.0
    for wait, thoughts in beats:
        now += wait / 1000
        improviser.advance(now)
        for token in due(improviser, now):
            assert last <= token.time <= now
            last = token.time
        for _ in range(thoughts):
            improviser.think(now)
    think_all(improviser, now)
    while improviser.context.step():
        pass
    assert np.array_equal(improviser.context.state, FOLDING.state_after(heard))


# --- chance


def test_the_draws_of_a_reply_depend_on_seed_number_and_position() -> None:
    def draws(seed: int, number: int) -> list[float]:
        reply = Reply(0.0, 1.0, seed, number)
        backwards = [reply.uniform(position) for position in reversed(range(200))]
        return backwards[::-1]

    assert draws(1, 0) == draws(1, 0)
    assert all(0 <= draw < 1 for draw in draws(1, 0))
    assert len({tuple(draws(seed, number)) for seed in range(3) for number in range(3)}) == 9


def test_a_plan_thrown_away_costs_no_chance() -> None:
    """The turn is counted when it is played: preparing and dropping a reply changes no draw."""
    plain, first = at_its_turn(FOLDING, seed=3)
    fickle, second = at_its_turn(FOLDING, seed=3)
    for begin in (0.7, 0.8, 0.9):
        fickle.prepare(begin, 2.0)
        think_all(fickle, 0.6)
        fickle.drop()
    fickle.prepare(1.0, 2.0)
    for now in np.arange(0.6, 4.0, 0.05):
        for improviser in (plain, fickle):
            think_all(improviser, now)
            due(improviser, now)
    assert first == second
    assert len(first) > 6


def test_each_turn_has_draws_of_its_own() -> None:
    improviser, _ = at_its_turn(FOLDING)
    assert improviser.reply is not None and improviser.reply.number == 0
    think_all(improviser, 0.6)
    due(improviser, 1.0)
    improviser.interrupt(1.1)
    improviser.prepare(3.0, 2.0)
    assert improviser.reply is not None and improviser.reply.number == 1


def test_before_anything_was_heard_all_is_equally_likely() -> None:
    improviser = Improviser(FOLDING, Playing(lowest_pitch=60, highest_pitch=60))
    improviser.prepare(1.0, 2.0)
    think_all(improviser, 0.0)
    first = due(improviser, 1.0)
    assert [event.pitch for token in first for event in token.events] == [60]
