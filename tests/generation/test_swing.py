"""Swing: measured from uneven playing, absent from straight playing, and kept in replies."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.generation.pulse_bias import PulseBias
from segued.model.loading import SHIPPED_MODEL
from segued.model.session import Model
from segued.timing.metre import Floats
from segued.timing.pulse import Pulse
from segued.timing.swing import Swing, swing_of
from segued.timing.tempo_follower import TempoFollower
from segued.tokens.vocabulary import PERFORMANCE, TIME_SHIFT

from ..support.fakes import Session, note_off, note_on, settings

TUNE = (60, 62, 64, 67, 69, 67, 64, 62)


def quavers(
    ratio: float, beat: float = 0.5, bars: int = 8, jitter: float = 0.0
) -> list[tuple[float, int, int]]:
    """(time, pitch, velocity) of quavers whose first is so many times as long as the second."""
    rng = random.Random(5)
    half = ratio / (1.0 + ratio)
    return [
        (
            (place // 2 + half * (place % 2)) * beat + rng.gauss(0, jitter) + 1.0,
            TUNE[place * 3 % 8] - 24 * (place % 8 == 0),
            90 - 20 * (place % 2),
        )
        for place in range(8 * bars)
    ]


def followed(onsets: list[tuple[float, int, int]]) -> tuple[Pulse, Pulse]:
    """The pulse without the swing, and with it."""
    follower = TempoFollower()
    for onset in onsets:
        follower.note_on(*onset)
        follower.pulse(onset[0] + 0.04)
    now = onsets[-1][0] + 0.1
    plain, swung = follower.pulse(now), follower.pulse(now, swing=True)
    assert plain is not None and swung is not None and plain.swing is None
    return plain, swung


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [1.5, 2.0])
@pytest.mark.parametrize("tempo", [90, 120, 160])
@pytest.mark.parametrize("jitter", [0.0, 0.01])
def test_swing_is_measured(ratio: float, tempo: float, jitter: float) -> None:
    beat = 60.0 / tempo
    _, pulse = followed(quavers(ratio, beat, jitter=jitter))
    assert pulse.swing is not None
    assert pulse.swing.ratio == pytest.approx(ratio, rel=0.12)
    assert pulse.swing.beat == pytest.approx(beat, rel=0.02)
    assert pulse.division == 2 * round(pulse.beat / beat)
    off = (pulse.time - 1.0) / beat
    assert abs(off - round(off)) < 0.04, "its beats are the performer's"
    assert pulse.steady > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("tempo", [70, 90, 120, 160])
@pytest.mark.parametrize("jitter", [0.0, 0.01, 0.02])
def test_straight_playing_has_none(tempo: float, jitter: float) -> None:
    plain, swung = followed(quavers(1.0, 60.0 / tempo, jitter=jitter))
    assert swung is plain


def test_triplets_are_no_swing() -> None:
    onsets = [(1.0 + i / 6, TUNE[i % 8], 90 if i % 3 == 0 else 60) for i in range(72)]
    plain, swung = followed(onsets)
    assert swung is plain
    assert swing_of(np.array([time for time, _, _ in onsets]), 1.0, 0.5) is None


def test_a_beat_divided_otherwise_speaks_against_it() -> None:
    times = [beat + part for beat in range(10) for part in (0.0, 0.65)]
    assert swing_of(np.array(times), 0.0, 1.0) is not None
    fours = [10 + i / 4 for i in range(24)]
    assert swing_of(np.array(times + fours), 0.0, 1.0) is None
    assert swing_of(np.array(times[:9]), 0.0, 1.0) is None, "too few"


@given(
    st.floats(0.3, 1.5), st.floats(0.5, 0.75), st.floats(-10.0, 10.0),
    st.lists(st.floats(-100.0, 100.0), min_size=1, max_size=20),
)  # fmt: skip
def test_swung_and_straight_undo_each_other(
    beat: float, half: float, time: float, times: list[float]
) -> None:
    swing = Swing(time, beat, half)
    given: Floats = np.array(sorted(times))
    straight = swing.straight(given)
    np.testing.assert_allclose(swing.swung(straight), given, atol=1e-6)
    assert (np.diff(straight) >= -1e-9).all()
    on_beat: Floats = np.array([time + beat * i for i in range(3)])
    np.testing.assert_allclose(swing.swung(on_beat), on_beat, atol=1e-6)
    np.testing.assert_allclose(swing.swung(on_beat + beat / 2), on_beat + half * beat, atol=1e-6)


def test_time_shifts_lean_to_the_swung_half() -> None:
    swing = Swing(0.0, 0.5, 0.64)
    pulse = Pulse(0.0, 0.5, 2, 4, 0.0, 1.0, swing)
    bias = PulseBias(PERFORMANCE, pulse, 1.0, offset=0.0)
    logits = np.zeros(len(PERFORMANCE), np.float32)
    ids = PERFORMANCE.ids(TIME_SHIFT)
    shifts = bias.apply(logits, 10.0)[ids.start : ids.stop]
    assert int(shifts[:45].argmax()) + 1 == 32  # 0.64 of half a second
    assert int(shifts[40:60].argmax()) + 41 == 50
    assert np.exp(shifts).sum() == pytest.approx(len(ids), rel=1e-4)
    sounding = bias.apply(logits, 10.0, sounding=True)[ids.start : ids.stop]
    assert int(sounding[3:25].argmax()) + 4 == 16, "a release may come in the middle of a half"
    assert (sounding[:3] == 0.0).all(), "and another note of the chord as likely as before"
    assert np.exp(sounding).sum() == pytest.approx(len(ids), rel=1e-4)


def second_halves(ratio: float, swing: str) -> list[float]:
    """Where in the performer's beat the reply's onsets between two beats come."""
    found: list[float] = []
    for seed in (1, 2, 3):
        session = Session(
            Model.load(Path(SHIPPED_MODEL)),
            settings("turns.reply_length=10", f"steering.swing={swing}", f"sampling.seed={seed}"),
            seed,
        )
        onsets = quavers(ratio, bars=4)
        for time, pitch, velocity in onsets:
            session.until(time)
            session.receive(note_on(pitch, velocity))
            session.until(time + 0.12)
            session.receive(note_off(pitch))
        session.until(32.0)
        begun = [time for time, note in session.notes() if note.startswith("on")]
        places = [(time - 1.0) / 0.5 % 1.0 for time in begun if time > onsets[-1][0] + 0.1]
        found += [place for place in places if 0.3 < place < 0.85]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "half"), [(1.5, 0.6), (2.0, 0.667)])
def test_replies_swing_as_the_performer_does(ratio: float, half: float) -> None:
    found = second_halves(ratio, "true")
    assert len(found) > 20 and np.median(found) == pytest.approx(half, abs=0.03)


@pytest.mark.slow
def test_straight_playing_is_answered_as_without_it_to_the_byte() -> None:
    assert second_halves(1.0, "true") == second_halves(1.0, "false")
