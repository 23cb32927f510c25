"""A model that takes a beat is told the performer's or the clock's, at each token that it draws."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from segued.arrays import Floats
from segued.generation.context import BeatModel
from segued.timing.beat_grid import UNKNOWN, Beat, BeatGrid
from segued.timing.pulse import Pulse
from segued.tokens.vocabulary import PERFORMANCE, TIME_SHIFT

from ..support.fakes import FoldingModel, Session, settings
from ..timing.test_clock import TICK
from .test_timekeeping import BEAT, QUICK, off_the_grid, onsets, play_quavers

SHIFTS = PERFORMANCE.ids(TIME_SHIFT)
STEPS = np.arange(1, len(SHIFTS) + 1)


class BeatFolding(FoldingModel):
    """It likes time shifts that lead to a beat, and remembers which beats it was told."""

    takes_beat = True

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Beat] = []

    def step(
        self, ids: Sequence[int], state: Floats, beat: Beat = UNKNOWN
    ) -> tuple[Floats, Floats]:
        logits, after = super().step(ids, state)
        self.told.append(beat)
        if beat != UNKNOWN:
            logits = logits.copy()
            at = beat[0] + beat[1] * STEPS
            logits[SHIFTS.start : SHIFTS.stop] += 9 * np.cos(2 * math.pi * at)
        return logits, after


class DeafFolding(BeatFolding):
    """A model of the same kind whose file has no such input."""

    takes_beat = False


def session_of(model: FoldingModel, *more: str) -> Session:
    return Session(model, settings(*QUICK, "sync.launch_quantize=auto", *more))


def known(model: BeatFolding) -> list[Beat]:
    return [beat for beat in model.told if beat != UNKNOWN]


def test_a_place_among_beats() -> None:
    pulse = Pulse(time=1.5, beat=0.5, division=2, bar=3, downbeat=1.0, steady=1.0)
    grid = BeatGrid.of(pulse, 0.25, 100)
    assert grid.at(0.75) == pytest.approx((0.0, 0.02, 3.0))
    assert grid.at(1.5) == pytest.approx((1.5, 0.02, 3.0))
    assert grid.at(0.5) == pytest.approx((2.5, 0.02, 3.0))  # before its downbeat, too
    assert grid.at(0.75 + 3 * 1.5) == pytest.approx((0.0, 0.02, 3.0))


@pytest.mark.parametrize("candidates", [1, 4])
def test_replies_lean_to_the_beat_that_they_are_told(candidates: int) -> None:
    off = {}
    for model in (BeatFolding(), DeafFolding()):
        assert isinstance(model, BeatModel)
        session = session_of(
            model, "steering.timekeeping=0.001", f"sampling.candidates={candidates}"
        )
        play_quavers(session)
        session.wait(8000)
        assert len(onsets(session)) > 4
        off[model.takes_beat] = off_the_grid(onsets(session), BEAT / 2)
        if model.takes_beat:
            rates = np.array([rate for _, rate, _ in known(model)])
            ratio = np.log2(rates * BEAT * PERFORMANCE.steps_per_second)
            assert len(rates) > 20 and np.abs(ratio - np.rint(ratio)).max() < 0.05
        else:
            assert not known(model)
    assert off[True] < 0.15 < off[False]


def test_without_a_tempo_to_keep_to_nothing_is_told() -> None:
    for setting in ("steering.timekeeping=0", "steering.timekeeping=1"):
        model = BeatFolding()
        session = session_of(model, setting)
        if setting.endswith("0"):
            play_quavers(session)
        else:
            session.tap(60, 200)
        session.wait(4000)
        assert len(onsets(session)) > 2 and not known(model)


def test_a_clock_tells_its_own_beats() -> None:
    """100 beats a minute, while the performer plays others."""
    model = BeatFolding()
    session = session_of(model)
    for tick in range(480):
        session.until(tick * 0.025)
        session.receive(TICK)
        if tick % 25 == 0 and tick < 250:
            session.receive(bytes((0x90, 60 + tick % 7, 80)))
            session.receive(bytes((0x80, 60 + tick % 7, 64)))
    rates = [rate for _, rate, _ in known(model)][100:]  # once its ticks are a tempo
    assert len(rates) > 100 and rates == pytest.approx([1 / 60] * len(rates), rel=0.02)
    beats = [session.player.clock.beat_at(time) for time in onsets(session)]
    places = [beat for beat, time in zip(beats, onsets(session), strict=True) if time > 7]
    assert len(places) > 2
    assert np.abs(np.array(places) - np.rint(places)).mean() < 0.1


def test_an_interruption_leaves_what_sounded_and_nothing_else() -> None:
    model = BeatFolding()
    session = session_of(model)
    play_quavers(session)
    session.wait(2500)
    session.tap(64, 100)
    session.until(session.now + 0.2)
    context = session.player.improviser.context
    while context.step():
        pass
    np.testing.assert_array_equal(context.state, model.state_after(session.heard))


def test_the_same_performance_gives_the_same_reply() -> None:
    def logged(thoughts: int | None) -> list[tuple[float, int | None, bytes]]:
        session = session_of(BeatFolding(), "sampling.candidates=1")
        session.thoughts = lambda: thoughts
        play_quavers(session)
        session.wait(4000)
        return session.log

    assert logged(None) == logged(None) == logged(40)
