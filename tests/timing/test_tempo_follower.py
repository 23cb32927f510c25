"""The performer's tempo, beat and bar, from onsets alone."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.timing.metre import CYCLE, metres
from segued.timing.pulse import Pulse
from segued.timing.tempo_follower import TempoFollower

Onsets = Sequence[tuple[float, int, int]]
"""Times in seconds, pitches, velocities."""


def followed(onsets: Onsets) -> Pulse | None:
    follower = TempoFollower()
    for time, pitch, velocity in onsets:
        follower.note_on(time, pitch, velocity)
    return follower.pulse(onsets[-1][0] + 0.1)


def march(beat: float, bars: int = 8, jitter: float = 0.0, drift: float = 0.0) -> list[Any]:
    """A bass note on one and three, a chord on two and four, a tune in quavers above."""
    rng = random.Random(7)
    onsets: list[tuple[float, int, int]] = []
    for place in range(8 * bars):
        time = place * beat / 2 * (1 + drift * place / (8 * bars)) + rng.gauss(0, jitter) + 1.0
        in_bar = place % 8
        if in_bar in (0, 4):
            onsets.append((time, 43 if in_bar == 0 else 38, 84 if in_bar == 0 else 76))
        elif in_bar in (2, 6):
            onsets += [(time + 0.004 * i, 55 + 4 * i, 60) for i in range(3)]
        if in_bar != 7:
            onsets.append((time + 0.002, 72 + (place * 5) % 7, 66))
    return sorted(onsets)


def off_grid(pulse: Pulse, time: float) -> float:
    """Seconds from a time to the nearest beat."""
    beats = (time - pulse.time) / pulse.beat
    return abs(beats - round(beats)) * pulse.beat


@pytest.mark.parametrize("tempo", [72, 90, 108, 120, 138])
@pytest.mark.parametrize("jitter", [0.0, 0.012])
def test_a_march_has_its_beat_and_its_bar(tempo: float, jitter: float) -> None:
    beat = 60 / tempo
    pulse = followed(march(beat, jitter=jitter))
    assert pulse is not None
    assert pulse.beat == pytest.approx(beat, rel=0.02)
    assert off_grid(pulse, 1.0 + 64 * beat / 2) < 0.1 * beat
    assert pulse.bar in (2, 4)
    assert pulse.steady > (0.9 if not jitter else 0.5)


def test_a_drift_is_followed() -> None:
    beat = 0.5
    onsets = march(beat, bars=12, jitter=0.008, drift=0.08)
    pulse = followed(onsets)
    assert pulse is not None
    assert pulse.beat == pytest.approx(beat * (1 + 2 * 0.08), rel=0.03)  # the derivative at the end


@pytest.mark.parametrize("seed", range(6))
def test_it_counts_on_through_a_pause(seed: int) -> None:
    """The grid is where the performer would go on, 8 s after 12 s of quavers with human jitter."""
    rng = random.Random(seed)
    onsets = [(1 + 0.27 * i + rng.gauss(0, 0.013), 60 + i % 7, 70) for i in range(44) if i % 7 != 5]
    pulse = followed(onsets)
    assert pulse is not None
    tatums = (1 + 0.27 * 73 - pulse.time) / (pulse.beat / pulse.division)
    assert abs(tatums - round(tatums)) * 0.27 < 0.04


@pytest.mark.parametrize("seed", range(6))
def test_after_another_tempo_only_that_one_counts(seed: int) -> None:
    rng = random.Random(seed)
    times = [0.3 * i for i in range(30)] + [9 + 0.27 * i for i in range(16)]
    pulse = followed([(1 + time + rng.gauss(0, 0.005), 60, 70) for time in times])
    assert pulse is not None
    assert pulse.beat / pulse.division == pytest.approx(0.27, rel=0.02)


def test_a_jig_is_divided_in_three() -> None:
    onsets = [(1 + i * 0.18, 67 + (i * 2) % 9, 84 if i % 3 == 0 else 60) for i in range(48)]
    pulse = followed(onsets)
    assert pulse is not None
    assert pulse.division == 3
    assert pulse.beat == pytest.approx(0.54, rel=0.01)


def test_a_waltz_has_three_beats() -> None:
    onsets: list[tuple[float, int, int]] = []
    for i in range(30):
        time = 1 + i * 0.5
        onsets += [(time, 40, 80)] if i % 3 == 0 else [(time, 60, 55), (time, 64, 55)]
        onsets += [(time, 74 + i % 4, 70)] if i % 3 != 1 else []
    pulse = followed(sorted(onsets))
    assert pulse is not None
    assert pulse.bar == 3
    assert pulse.beat == pytest.approx(0.5, rel=0.01)
    bars = (1.0 - pulse.downbeat) / (3 * pulse.beat)
    assert abs(bars - round(bars)) < 0.02


@pytest.mark.parametrize(
    "times",
    [
        [1.0],
        [1.0, 1.5, 2.0],
        [1 + 0.3 * i + 0.5 * math.sin(7.3 * i * i) for i in range(40)],  # at random
        [1 + sum(0.18 * 1.11**k for k in range(i)) for i in range(24)],  # ever slower
    ],
)
def test_where_there_is_no_pulse_none_is_given(times: list[float]) -> None:
    assert followed([(time, 60, 64) for time in sorted(times)]) is None


def test_a_pulse_is_lost_in_rubato_and_found_again() -> None:
    rng = random.Random(3)
    follower = TempoFollower()
    time = 0.0

    def play(gaps: Sequence[float]) -> Pulse | None:
        nonlocal time
        for gap in gaps:
            time += gap
            follower.note_on(time, 60 + rng.randrange(12), 64)
        return follower.pulse(time + 0.1)

    assert play([0.25] * 24) is not None
    assert play([rng.uniform(0.08, 0.9) for _ in range(30)]) is None
    found = play([0.3] * 24)
    assert found is not None
    assert 0.3 / (found.beat / found.division) == pytest.approx(1.0, rel=0.02)


def test_a_chord_is_one_onset_and_waits_for_its_last_key() -> None:
    follower = TempoFollower()
    for i in range(10):
        for key in range(4):
            follower.note_on(i * 0.6 + 0.008 * key, 48 + 4 * key, 70)
    early, late = follower.pulse(9 * 0.6 + 0.03), follower.pulse(9 * 0.6 + 0.05)
    assert early is not None and late is not None
    assert late.time >= early.time
    assert late.beat == pytest.approx(0.6, rel=0.02)


GAPS = st.sampled_from((0.01, 0.03, 0.1, 0.2, 0.24, 0.25, 0.26, 0.3, 0.4, 0.5, 0.75))


@given(
    gaps=st.lists(GAPS, min_size=8, max_size=60),
    asked=st.dictionaries(st.integers(0, 60), st.floats(0.0, 1.0)),
    settled=st.sets(st.integers(0, 60)),
)
def test_asking_changes_no_later_answer(
    gaps: list[float], asked: dict[int, float], settled: set[int]
) -> None:
    """Not even a question about a time after the next onset."""
    silent, busy, time = TempoFollower(), TempoFollower(), 0.0
    for i, gap in enumerate(gaps):
        time += gap
        for follower in (silent, busy):
            follower.note_on(time, 48 + 7 * i % 24, 50 + 19 * i % 40)
        if i in asked:
            busy.pulse(time + asked[i])
        if i in settled:
            busy.settle()
    for ahead in (0.01, 0.1):
        assert busy.pulse(time + ahead) == silent.pulse(time + ahead)


def test_what_was_played_can_be_forgotten() -> None:
    follower = TempoFollower()
    for i in range(20):
        follower.note_on(i * 0.5, 60, 70)
    assert follower.pulse(10.0) is not None
    follower.forget()
    assert follower.pulse(10.1) is None


@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.integers(0, 127), st.integers(1, 127)),
        min_size=1,
        max_size=80,
    )
)
def test_anything_at_all_gives_a_pulse_that_makes_sense_or_none(played: list[Any]) -> None:
    follower, time = TempoFollower(), 0.0
    for gap, pitch, velocity in played:
        time += gap
        follower.note_on(time, pitch, velocity)
        pulse = follower.pulse(time)
        if pulse is not None:
            assert 0.05 < pulse.beat < 8.0
            assert pulse.next_beat(time) >= time - 1e-5
            assert pulse.next_beat(time) - time <= pulse.beat + 1e-5
            assert pulse.division in (1, 2, 3, 4) and pulse.bar in (2, 3, 4)
            assert pulse.steady <= 1.0 + 1e-9


def test_the_metres_are_distributions() -> None:
    tables = metres()
    assert (abs(tables._accents) < 5).all()
    assert (tables._next <= 0).all()


def test_it_comes_in_where_a_beat_is_likeliest_in_every_metre() -> None:
    pulse = Pulse(1.0, 0.5, 1, 4, 1.0, 1.0, chances=(0.5, 0.9))
    assert pulse.next_beat(2.9) == pytest.approx(3.0)
    assert pulse.entry(2.9) == pytest.approx(3.5), "the second is the surer one"
    alike = replace(pulse, chances=(0.8, 0.82))
    assert alike.entry(2.9) == pytest.approx(3.0), "and not worth waiting for"
    assert replace(pulse, chances=()).entry(2.9) == pytest.approx(3.0)


@pytest.mark.parametrize("tempo", [72, 90, 108, 120, 138])
def test_in_a_march_it_comes_in_on_a_beat_within_two(tempo: float) -> None:
    beat = 60 / tempo
    pulse = followed(march(beat, jitter=0.012))
    assert pulse is not None and len(pulse.chances) == CYCLE
    assert all(0.0 <= chance <= 1.0 for chance in pulse.chances)
    for late in (0.3, 0.7, 1.1):
        end = 1.0 + 32 * beat + late
        entry = pulse.entry(end)
        assert off_grid(pulse, entry) < 1e-6 and 0.0 <= entry - end < 2 * beat + 1e-6
