"""Keeping to the performer's own tempo: where a reply begins, and how its time shifts are drawn."""

from pathlib import Path

import numpy as np
import pytest
from segued.generation.pulse_bias import PulseBias
from segued.model.loading import SHIPPED_MODEL
from segued.model.session import Model
from segued.timing.pulse import Pulse
from segued.tokens.vocabulary import PERFORMANCE, TIME_SHIFT

from ..support.fakes import FoldingModel, Session, settings
from ..timing.test_clock import TICK

BEAT = 0.63  # seconds
QUICK = ("turns.silence=0.4", "turns.reply_length=6", "sampling.seed=3")


def play_quavers(session: Session, count: int = 24, beat: float = BEAT) -> None:
    """Quavers, the beats louder and with a bass note."""
    for place in range(count):
        on_beat = place % 2 == 0
        if place % 4 == 0:
            session.receive(bytes((0x90, 43, 84)))
        session.receive(bytes((0x90, 67 + (place * 5) % 7, 80 if on_beat else 60)))
        session.until(session.now + beat * 0.4)
        for pitch in (43, 67 + (place * 5) % 7):
            session.receive(bytes((0x80, pitch, 64)))
        session.until((place + 1) * beat / 2)


def onsets(session: Session) -> np.ndarray:
    return np.array([time for time, note in session.notes() if note.startswith("on")])


def off_the_grid(times: np.ndarray, grid: float) -> float:
    """The mean distance from a grid that begins at 0, as a share of it; 0.25 by chance."""
    places = times / grid
    return float(np.abs(places - np.rint(places)).mean())


@pytest.mark.slow
@pytest.mark.parametrize("model", ["folding", "shipped"])
def test_time_shifts_are_drawn_to_the_performers_grid(model: str) -> None:
    network = FoldingModel() if model == "folding" else Model.load(Path(SHIPPED_MODEL))
    off = {}
    for strength in (0, 1):
        session = Session(network, settings(*QUICK, f"steering.timekeeping={strength}",
                                            "sync.launch_quantize=auto"))  # fmt: skip
        play_quavers(session)
        session.wait(8000)
        assert len(onsets(session)) > 4
        off[strength] = off_the_grid(onsets(session), BEAT / 2)
    assert off[1] < 0.12 and off[1] < off[0]


def test_a_reply_begins_on_the_performers_next_beat() -> None:
    session = Session(FoldingModel(), settings(*QUICK, "sync.launch_quantize=auto"))
    play_quavers(session)
    session.wait(4000)
    beats = onsets(session)[0] / BEAT
    assert beats == pytest.approx(round(beats), abs=0.06)


def test_without_a_pulse_it_begins_when_its_turn_comes() -> None:
    session = Session(FoldingModel(), settings(*QUICK, "sync.launch_quantize=auto"))
    session.tap(60, 200)
    session.wait(3000)
    assert onsets(session)[0] == pytest.approx(0.6, abs=0.01)


def test_a_midi_clock_overrules_what_is_heard() -> None:
    """Ticks at 100 BPM, of which the quavers are off."""
    session = Session(FoldingModel(), settings(*QUICK, "sync.launch_quantize=auto"))
    ticks = [i * 0.025 for i in range(700)]
    sent = 0
    for place in range(24):
        session.receive(bytes((0x90, 60 + place % 5, 80)))
        session.receive(bytes((0x80, 60 + place % 5, 64)))
        while ticks[sent] <= (place + 1) * BEAT / 2:
            session.until(ticks[sent])
            session.receive(TICK)
            sent += 1
    while sent < len(ticks):
        session.until(ticks[sent])
        session.receive(TICK)
        sent += 1
    beat = session.player.clock.beat_at(onsets(session)[0])
    assert beat == pytest.approx(round(beat), abs=0.06)


def test_that_time_passes_stays_as_likely_and_so_does_all_else() -> None:
    pulse = Pulse(time=1.0, beat=0.6, division=2, bar=4, downbeat=1.0, steady=0.9)
    logits = np.random.default_rng(1).normal(size=len(PERFORMANCE)).astype(np.float32)
    biased = PulseBias(PERFORMANCE, pulse, 1.0, 0.25).apply(logits, 3.0)
    ids = PERFORMANCE.ids(TIME_SHIFT)
    shifts = slice(ids.start, ids.stop)
    others = np.ones(len(logits), bool)
    others[shifts] = False
    np.testing.assert_array_equal(biased[others], logits[others])
    assert np.exp(biased[shifts]).sum() == pytest.approx(np.exp(logits[shifts]).sum(), rel=1e-5)
    gain = (biased - logits)[shifts][:-1]
    on_the_grid = [step for step in range(99) if abs((3.25 + (step + 1) / 100 - 1.0) % 0.3) < 0.006]
    assert set(np.argsort(gain)[-len(on_the_grid) :]) >= set(on_the_grid[:-1])


def test_time_shifts_that_cannot_come_stay_impossible() -> None:
    pulse = Pulse(time=0.0, beat=0.5, division=4, bar=4, downbeat=0.0, steady=1.0)
    logits = np.full(len(PERFORMANCE), -np.inf, np.float32)
    logits[60] = 0.0
    biased = PulseBias(PERFORMANCE, pulse, 1.0, 0.0).apply(logits, 1.0)
    np.testing.assert_array_equal(biased, logits)
