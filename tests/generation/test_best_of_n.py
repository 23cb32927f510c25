"""Several candidates: the best is played, always the same one, and no other is remembered."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.generation import best_of_n as room
from segued.generation.best_of_n import NOTICE, BestOfN, Candidate, tries
from segued.generation.context import StepModel
from segued.generation.improviser import Improviser
from segued.generation.plan import Plan
from segued.generation.reply import Token
from segued.generation.shaping import Playing
from segued.generation.style_features import FEWEST
from segued.model.session import Model
from segued.tokens.events import NoteOff, NoteOn
from segued.tokens.vocabulary import PERFORMANCE, VELOCITY
from segued.tools.render import perform

from ..support.fakes import Floats, FoldingModel, Session, settings, words
from ..support.performers import PERFORMANCES, Move
from ..support.tiny import write_model

FOLDING = FoldingModel()
MELODY = (60, 64, 67, 65, 62, 59)
FOUR = Playing(candidates=4)


class FuzzyModel(FoldingModel):
    """Its batches are near to what single steps give, and leave a mark in the state."""

    MARK = 0.25

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def step(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        assert np.array_equal(state, np.floor(state)), "a batch's state is fed as a single one's"
        return super().step(ids, state)

    def step_many(self, ids: Sequence[int], states: Sequence[Floats]) -> tuple[Floats, list[Any]]:
        self.batches.append(len(ids))
        both = [
            super(FuzzyModel, self).step((id,), np.floor(state))
            for id, state in zip(ids, states, strict=True)
        ]
        self.steps -= len(ids) - 1
        logits = np.array([logits * np.float32(1.001) for logits, _ in both])
        return logits, [state + np.float32(self.MARK) for _, state in both]


def having_heard(
    model: StepModel, playing: Playing, begin: float = 3.0, length: float = 6.0
) -> tuple[Improviser, list[int]]:
    """It has heard a melody, which ended at two seconds, and knows when to begin."""
    heard: list[int] = []
    improviser = Improviser(model, playing, heard)
    for i, pitch in enumerate(MELODY):
        improviser.hear(NoteOn(i / 3, pitch, 70))
        improviser.hear(NoteOff((i + 1) / 3, pitch))
    improviser.advance(2.02)
    improviser.prepare(begin, length)
    return improviser, heard


def play(improviser: Improviser, thoughts: int = 10**6, until: float = 12.0) -> list[Token]:
    """Time passes; it may think a little every 10 ms. All tokens that came due."""
    taken = []
    for now in np.arange(2.1, until, 0.01):
        left = thoughts
        while left and improviser.think(now):
            left -= 1
        while (token := improviser.due(now)) is not None:
            taken.append(token)
    return taken


def race_of(improviser: Improviser, now: float = 2.1) -> BestOfN:
    """The first race, at its end."""
    while improviser._best_of_n is None:
        assert improviser.think(now)
    race = improviser._best_of_n
    while improviser._best_of_n is race:
        assert improviser.think(now)
    return race


# --- one is chosen


def test_the_best_one_is_played() -> None:
    improviser, _ = having_heard(FuzzyModel(), FOUR)
    race = race_of(improviser)
    wanted = improviser._recent_notes.features
    assert wanted is not None and len(race._candidates) == 4
    scores = [one.score(wanted, FOUR) for one in race._candidates]
    best = race._candidates[int(np.argmax(scores))]
    assert improviser._plan is best.plan
    assert len({words([token.id for token in one.tokens]) for one in race._candidates}) == 4
    played = [token.id for token in play(improviser)]
    assert played[: len(best.tokens)] == [token.id for token in best.tokens]


@pytest.mark.parametrize("number", range(4))
def test_whichever_is_best(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it plays is what it would have played alone, by its draws."""
    improviser, heard = having_heard(FOLDING, FOUR)
    monkeypatch.setattr(
        Candidate, "score", lambda self, wanted, playing: float(self.plan.candidate == number)
    )
    play(improviser)
    assert len(heard) > 40
    alone, same = having_heard(FOLDING, Playing())
    monkeypatch.setattr(
        Plan, "candidate", property(lambda plan: number, lambda plan, value: None), False
    )
    play(alone)
    assert heard == same


def test_a_stretch_is_as_long_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    improviser, _ = having_heard(FuzzyModel(), FOUR)
    race = race_of(improviser)
    for one in race._candidates:
        assert one.over
        assert one.plan.reached >= room.HORIZON or len(one.tokens) == room.MAX_TOKENS
        without_last = [token.time for token in one.tokens[:-1]]
        assert max(without_last) - 3.0 < room.HORIZON
    monkeypatch.setattr(room, "MAX_TOKENS", 5)
    improviser, _ = having_heard(FuzzyModel(), FOUR)
    assert {len(one.tokens) for one in race_of(improviser)._candidates} == {5}


def test_each_stretch_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while it plays; and the joints do not show in the tokens."""
    chosen: list[int] = []
    follow = Plan.follow

    def watched(plan: Plan, *arguments: Any) -> None:
        chosen.append(plan.candidate)
        follow(plan, *arguments)

    monkeypatch.setattr(Plan, "follow", watched)
    improviser, heard = having_heard(FuzzyModel(), FOUR, length=8.0)
    taken = play(improviser, until=14.0)
    assert improviser.reply is None
    assert 8 <= len(chosen) <= 11 and len(set(chosen)) > 1
    times = [token.time for token in taken]
    assert times == sorted(times)
    assert heard[-len(taken) :] == [token.id for token in taken]


# --- always the same


@given(st.integers(0, 30), st.lists(st.sampled_from([0, 1, 2, 3, 5, 9, 40]), min_size=1))
def test_a_slow_machine_plays_the_same(seed: int, thoughts: list[int]) -> None:
    """It may be late; it does not play anything else."""
    playing = Playing(candidates=3, seed=seed)
    improviser, heard = having_heard(FuzzyModel(), playing, length=3.0)
    play(improviser)
    slow, same = having_heard(FuzzyModel(), playing, length=3.0)
    limits = cycle([*thoughts, 1])
    for now in np.arange(2.1, 60.0, 0.01):
        for _ in range(next(limits)):
            slow.think(now)
        while slow.due(now) is not None:
            pass
        if slow.reply is None:
            break
    assert slow.reply is None
    slow.advance(99.0)
    assert sorted(id for id in same if id < 256) == sorted(id for id in heard if id < 256)


def test_the_rhythm_of_a_late_choice_is_kept() -> None:
    improviser, _ = having_heard(FuzzyModel(), FOUR)
    in_time = [token.time for token in play(improviser) if token.events]
    late, _ = having_heard(FuzzyModel(), FOUR)
    while late.context.step():
        pass
    while not late.planned:
        late.think(3.5)
    times = []
    for now in np.arange(3.5, 12.5, 0.01):
        while late.think(now):
            pass
        while (token := late.due(now)) is not None:
            times += [token.time] if token.events else []
    assert times[0] == pytest.approx(3.5)
    assert np.diff(times) == pytest.approx(np.diff(in_time), abs=1e-6)


@pytest.mark.slow
def test_thrown_away_plans_and_races_cost_no_chance() -> None:
    plain, first = having_heard(FuzzyModel(), FOUR)
    fickle, second = having_heard(FuzzyModel(), FOUR)
    for begin, thoughts in ((2.5, 10), (2.6, 40), (2.7, 10**6)):
        fickle.prepare(begin, 2.0)
        for _ in range(thoughts):
            fickle.think(2.1)
        fickle.drop()
    fickle.prepare(3.0, 6.0)
    play(plain)
    play(fickle)
    assert first == second


@given(PERFORMANCES, st.integers(0, 5), st.lists(st.sampled_from([0, 1, 2, 5, 30]), min_size=1))
def test_only_what_sounded_is_remembered(
    performance: list[Move], seed: int, thoughts: list[int]
) -> None:
    """As a fresh model that heard just that: no candidate's state, no batch's."""
    model = FuzzyModel()
    session = Session(model, settings(), seed, thoughts=cycle([*thoughts, 50]).__next__)
    for pitch in MELODY:
        session.tap(pitch, 100)
    session.wait(900)
    for move in performance:
        move(session)
    session.silence()
    context = session.player.improviser.context
    assert not context.backlog
    assert np.array_equal(context.state, FOLDING.state_after(session.heard))
    assert context.logits is not None
    assert np.array_equal(context.logits, FOLDING.step(session.heard, context.state * 0)[0])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_it_renders_what_it_played(seed: int) -> None:
    """Also where it was interrupted, and where a stretch was under way when it was."""
    session = Session(FuzzyModel(), settings(), seed)
    for wait in (3001, 703, 5003, 1):
        for pitch in MELODY:
            session.tap(pitch, 101)
        session.wait(wait)
    end = session.now + 3.0
    session.until(end)
    session.player.silence(end)
    played = [(time, message) for time, owner, message in session.log if owner is None]
    assert perform(FuzzyModel(), settings(), played, seed, end) == session.replies


def test_with_a_real_int8_model(tmp_path: Path) -> None:
    """Bit for bit what a model gives that is fed singly."""
    path = write_model(tmp_path / "m.onnx", "int8")
    improviser, heard = having_heard(Model.load(path), FOUR)
    assert len(play(improviser)) > 20
    fresh = Model.load(path)
    logits, state = fresh.step(heard, fresh.initial_state())
    np.testing.assert_array_equal(improviser.context.state, state)
    np.testing.assert_array_equal(improviser.context.logits, logits)


# --- when there is one only


def batches(playing: Playing, begin: float = 3.0, model: FuzzyModel | None = None) -> list[int]:
    model = model or FuzzyModel()
    improviser, _ = having_heard(model, playing, begin, length=1.5)
    play(improviser)
    return model.batches


@pytest.mark.parametrize("count", [2, 3, 4, 16])
def test_the_batch_is_of_one_size(count: int) -> None:
    """A model prepares one size."""
    sizes = batches(Playing(candidates=count))
    assert set(sizes) == {count}
    assert len(sizes) < room.MAX_TOKENS


def test_one_candidate_needs_no_batch() -> None:
    assert batches(Playing(candidates=1)) == []


def test_without_chance_all_would_be_the_same() -> None:
    assert batches(Playing(candidates=4, temperature=0.0)) == []
    assert not tries(Playing(candidates=4, temperature=0.0))


def test_a_short_look_ahead_has_no_time_for_candidates() -> None:
    assert batches(Playing(candidates=4, lookahead=0.1)) == []
    assert tries(Playing(candidates=4, lookahead=NOTICE))


@pytest.mark.parametrize(("wait", "chosen"), [(0.9 * NOTICE, False), (1.1 * NOTICE, True)])
def test_at_short_notice_the_first_stretch_goes_alone(wait: float, chosen: bool) -> None:
    improviser, _ = having_heard(FuzzyModel(), FOUR, begin=2.0 + wait)
    for _ in range(30):
        improviser.think(2.02)
    assert (improviser._best_of_n is not None) == chosen
    while improviser.think(3.9):
        pass
    assert improviser._plan is not None and improviser._plan.reached > room.HORIZON


def test_what_takes_the_floor_at_once_has_no_candidates() -> None:
    model = FuzzyModel()
    session = Session(model, settings())
    for pitch in MELODY:
        session.tap(pitch, 100)
    session.until(20.0)
    model.batches.clear()
    session.do("take")
    session.wait(60)
    assert session.player.replying and model.batches == []
    session.await_note()
    session.wait(1900)
    assert model.batches != [], "from the next stretch on it has time"


def test_who_was_not_heard_is_not_compared_with() -> None:
    model = FuzzyModel()
    improviser = Improviser(model, FOUR)
    for i in range(FEWEST - 1):
        improviser.hear(NoteOn(float(i), 60 + i, 80))
    improviser.advance(5.0)
    improviser.prepare(6.0, 3.0)
    for now in np.arange(5.0, 9.0, 0.05):
        while improviser.think(now):
            pass
    assert model.batches == []


def most_calls_of_a_thought(model: FuzzyModel, improviser: Improviser, until: float) -> int:
    """Of the model, while what is due is played until then."""
    most = 0
    for now in np.arange(2.1, until, 0.01):
        for _ in range(10**6):
            before = model.steps
            if not improviser.think(now):
                break
            most = max(most, model.steps - before)
        while improviser.due(now) is not None:
            pass
    return most


def test_a_thought_is_one_call_of_the_model_at_most() -> None:
    model = FuzzyModel()
    improviser, _ = having_heard(model, Playing(candidates=8))
    assert most_calls_of_a_thought(model, improviser, 9.0) == 1


# --- how well it suits


def test_likelihood_is_the_models() -> None:
    logits = np.random.default_rng(0).normal(0, 3, len(PERFORMANCE)).astype(np.float32)
    shares = np.exp(logits.astype(np.float64))
    shares /= shares.sum()
    for id in (0, 100, 387, int(logits.argmax())):
        assert room.log_probability(logits, id) == pytest.approx(np.log(shares[id]), abs=1e-4)
    assert room.log_probability(np.full(4, 900.0, np.float32), 2) == pytest.approx(-np.log(4))


def test_the_likelier_of_two_alike_is_better() -> None:
    improviser, _ = having_heard(FuzzyModel(), FOUR)
    race = race_of(improviser)
    one, wanted = race._candidates[0], improviser._recent_notes.features
    assert wanted is not None and one._likelihood < 0.0
    before = one.score(wanted, FOUR)
    one._likelihood += one._drawn
    assert one.score(wanted, FOUR) == pytest.approx(before + 1.0)


def test_a_stretch_without_a_note_suits_worst() -> None:
    improviser, _ = having_heard(FuzzyModel(), FOUR)
    race = race_of(improviser)
    wanted = improviser._recent_notes.features
    assert wanted is not None
    empty = Candidate(race._plan.fork(0))
    assert empty.score(wanted, FOUR) < min(one.score(wanted, FOUR) for one in race._candidates)


def test_a_fork_is_independent() -> None:
    improviser, _ = having_heard(FOLDING, Playing(candidates=1))
    for _ in range(40):
        improviser.think(2.1)
    plan = improviser._plan
    assert plan is not None
    plan.step()
    before = (
        plan.horizon,
        plan.position,
        plan._constraints.bias.copy(),
        dict(plan._constraints.own),
    )
    twin = plan.fork(2)
    for _ in range(40):
        twin.grow(2.1)
    after = (plan.horizon, plan.position, plan._constraints.bias, dict(plan._constraints.own))
    assert after[:2] == before[:2] and after[3] == before[3]
    np.testing.assert_array_equal(before[2], after[2])
    assert plan.pending is None and twin.horizon > plan.horizon
    same = plan.fork(2)
    for _ in range(40):
        same.grow(2.1)
    assert [t.id for t in same.tokens] == [t.id for t in twin.tokens]
    assert all(token.id != PERFORMANCE.id(VELOCITY, 0) or token.drawn for token in same.tokens)
