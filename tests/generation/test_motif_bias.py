"""The bias towards the performer's motifs: within bounds, silent when off, true after rollback."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.generation.motif_bias import (
    CHORD_BIAS,
    HELD_BIAS,
    NO_ONSET_BIAS,
    ONSET_BIAS,
    RELEASE_BIAS,
    MotifBias,
)
from segued.generation.shaping import Playing
from segued.recall.motifs import CHORD, Motifs, Onset
from segued.timing.pulse import Pulse
from segued.tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, TIME_SHIFT, VELOCITY

from ..support.fakes import FoldingModel, Session, note_off, note_on, settings

SIZE = len(PERFORMANCE)
PART = {kind: slice(PERFORMANCE.ids(kind).start, PERFORMANCE.ids(kind).stop)
        for kind in (NOTE_ON, NOTE_OFF, TIME_SHIFT, VELOCITY)}  # fmt: skip
FLAT = np.zeros(SIZE, np.float32)


def line(pitches: list[int], gaps: list[float], keys: int = 1) -> list[Onset]:
    """Onsets of a line without overlaps, in seconds."""
    times = np.cumsum([0.0, *gaps])[: len(pitches)].tolist()
    return [
        Onset(time, pitch, keys, 0, i == 0, time + 0.1)
        for i, (time, pitch) in enumerate(zip(times, pitches, strict=True))
    ]


def bias_of(onsets: list[Onset], tatum: float | None = 0.25, **playing: float) -> MotifBias:
    return MotifBias(PERFORMANCE, Motifs(onsets, tatum), Playing(**playing))  # type: ignore[arg-type]


SCALE = line([60, 62, 64, 65, 67, 69, 71, 72], [0.5] * 7)


def gain(bias: MotifBias, step: int, logits: np.ndarray = FLAT) -> np.ndarray:
    """What is added to each logit."""
    added: np.ndarray = bias.apply(logits, step) - logits
    return added


@st.composite
def performances(draw: st.DrawFn) -> list[Onset]:
    count = draw(st.integers(4, 40))
    pitches = draw(st.lists(st.integers(0, 127), min_size=count, max_size=count))
    gaps = draw(st.lists(st.floats(0.04, 5.0), min_size=count, max_size=count))
    return line(pitches, gaps, draw(st.integers(1, 5)))


@given(
    performances(),
    st.one_of(st.none(), st.floats(0.08, 0.9)),
    st.lists(st.tuples(st.integers(0, 150), st.integers(0, 127)), max_size=12),
    st.integers(0, 500),
    st.integers(0, 2**32 - 1),
    st.floats(0.0, 1.0),
)
def test_it_is_bounded_and_what_is_impossible_stays_so(
    onsets: list[Onset],
    tatum: float | None,
    reply: list[tuple[int, int]],
    later: int,
    seed: int,
    strength: float,
) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, SIZE).astype(np.float32)
    logits[random.random(SIZE) < 0.3] = -np.inf
    before = logits.copy()
    bias, step = bias_of(onsets, tatum), 1000
    bias.strength = strength
    for gap, pitch in reply:
        step += gap
        bias.apply(logits, step)
        bias.note_on(step, pitch)
        bias.note_off(pitch)
    after = bias.apply(logits, step + later)
    np.testing.assert_array_equal(logits, before)
    assert not np.isnan(after).any() and not np.isposinf(after).any()
    assert (after[before == -np.inf] == -np.inf).all()
    possible = before > -np.inf
    off, velocity = PART[NOTE_OFF], PART[VELOCITY]
    moved = np.zeros(SIZE)
    moved[possible] = after[possible] - before[possible]
    assert np.abs(moved[off]).max() <= RELEASE_BIAS + 1e-3
    assert moved[velocity].min() >= -NO_ONSET_BIAS - HELD_BIAS - 1e-3
    assert moved[velocity].max() <= max(ONSET_BIAS, CHORD_BIAS) + 1e-3
    if later * 0.01 > CHORD + 0.01:  # that time passes is as likely as it was
        shifts = PART[TIME_SHIFT]
        assert np.exp(after[shifts]).sum() == pytest.approx(np.exp(before[shifts]).sum(), rel=1e-3)


def test_it_is_silent_when_off_and_before_the_first_note() -> None:
    bias = bias_of(SCALE)
    assert bias.apply(FLAT, 100) is FLAT
    bias.note_on(100, 60)
    bias.strength = 0.0
    assert bias.apply(FLAT, 130) is FLAT


def test_time_shifts_go_to_the_performers_note_values() -> None:
    bias = bias_of(SCALE)
    bias.note_on(100, 60)
    bias.note_off(60)
    shifts = gain(bias, 110)[PART[TIME_SHIFT]]
    assert abs(int(shifts.argmax()) + 1 - 40) <= 1  # half a second after the onset
    assert shifts.max() > 1.0 and shifts[20] < -0.5
    here, between = gain(bias, 150)[PART[VELOCITY]], gain(bias, 125)[PART[VELOCITY]]
    assert here[0] > 0.5 and between[0] < -0.5


def test_at_half_the_density_a_rhythm_comes_in_augmentation() -> None:
    bias = bias_of(SCALE, density=0.5)
    bias.note_on(100, 60)
    bias.note_off(60)
    assert abs(int(gain(bias, 130)[PART[TIME_SHIFT]].argmax()) + 1 - 70) <= 1


def test_what_the_network_holds_for_improbable_stays_so() -> None:
    bias = bias_of(SCALE)
    bias.note_on(100, 60)
    bias.note_off(60)
    logits = FLAT.copy()
    logits[PART[TIME_SHIFT]][30:] = -20.0  # it never waits for so long
    after = np.exp(bias.apply(logits, 110)[PART[TIME_SHIFT]])
    assert after[30:].sum() < 0.01 * after.sum()


def test_onsets_are_expected_on_the_grid_of_the_pulse() -> None:
    """The last one came 40 ms late: the next one is not put off by that."""
    pulse = Pulse(time=0.0, beat=0.5, division=2, bar=4, downbeat=0.0, steady=1.0)
    bias = MotifBias(PERFORMANCE, Motifs(SCALE, 0.25), Playing(), pulse)
    bias.note_on(104, 60)
    bias.note_off(60)
    assert abs(int(gain(bias, 110)[PART[TIME_SHIFT]].argmax()) + 1 - 40) <= 1


def test_a_figure_goes_on_from_any_step() -> None:
    bias = bias_of(SCALE)
    for step, pitch in ((100, 62), (150, 64)):
        bias.note_on(step, pitch)
        bias.note_off(pitch)
    pitches = gain(bias, 200)[PART[NOTE_ON]]
    assert int(pitches.argmax()) == 65  # a step, here of a semitone
    assert pitches[66] < pitches[65] - 1.0
    region = slice(64 - 12, 64 + 13)
    off = gain(bias, 200)[PART[VELOCITY]][0]
    assert np.exp(pitches[region] - off).mean() == pytest.approx(1.0, rel=1e-3)


def test_it_stays_in_the_performers_range_and_moves_with_the_register() -> None:
    for register in (0, 12):
        bias = bias_of(SCALE, register=register)
        for step, pitch in ((100, 71 + register), (150, 74 + register)):
            bias.note_on(step, pitch)
            bias.note_off(pitch)
        pitches = gain(bias, 200)[PART[NOTE_ON]]
        assert pitches[76 + register] < pitches[72 + register] - 0.5


def test_chords_have_as_many_notes_as_the_performers() -> None:
    for keys in (1, 3):
        bias = bias_of(line([60, 62, 64, 65, 67, 69, 71, 72], [0.5] * 7, keys))
        bias.note_on(100, 64)
        bias.note_off(64)
        bias.apply(FLAT, 150)
        bias.note_on(150, 65)
        more = gain(bias, 150)[PART[VELOCITY]][0]
        assert more > 1.0 if keys == 3 else more < -1.0


def test_a_line_is_released_before_its_next_note() -> None:
    bias = bias_of(SCALE)
    bias.note_on(100, 60)
    assert gain(bias, 110)[PART[NOTE_OFF]][60] > 0.2  # the performer held each for so long
    assert gain(bias, 150)[PART[VELOCITY]][0] < -1.0
    bias.note_off(60)
    assert gain(bias, 150)[PART[VELOCITY]][0] > 0.5


def test_a_fork_goes_its_own_way() -> None:
    bias = bias_of(SCALE)
    bias.note_on(100, 60)
    bias.note_off(60)
    before = bias.apply(FLAT, 130)
    twin = bias.copy()
    twin.note_on(130, 72)
    twin.apply(FLAT, 140)
    np.testing.assert_array_equal(bias.apply(FLAT, 130), before)


def test_taken_up_again_in_the_midst_it_stands_where_it_stood() -> None:
    notes = [(100, 60), (150, 62), (151, 67), (200, 64)]
    went_on, resumed = bias_of(SCALE), bias_of(SCALE)
    for step, pitch in notes:
        went_on.note_on(step, pitch)
    for pitch in (60, 62, 67):
        went_on.note_off(pitch)
    resumed.resume([(step / 100, pitch) for step, pitch in notes], [64])
    np.testing.assert_array_equal(resumed.apply(FLAT, 230), went_on.apply(FLAT, 230))


def note_values(motifs: float) -> np.ndarray:
    """Times between the onsets of a reply to dotted rhythms, in seconds."""
    how = (
        "sampling.seed=5",
        "turns.reply_length=12",
        "steering.timekeeping=0",
        "turns.silence=0.6",
    )
    session = Session(FoldingModel(), settings(*how, f"steering.motifs={motifs}"))
    for place in range(16):
        pitch = 60 + (0, 2, 4, 5, 7)[place % 5]
        session.receive(note_on(pitch, 80))
        session.until(session.now + 0.15)
        session.receive(note_off(pitch))
        session.until(session.now + (0.30 if place % 2 == 0 else 0.0))
    session.wait(14000)
    times = np.array([time for time, note in session.notes() if note.startswith("on")])
    return np.diff(times)


def test_replies_have_the_performers_note_values() -> None:
    def alike(gaps: np.ndarray) -> float:
        return float(np.mean([min(abs(gap - 0.15), abs(gap - 0.45)) < 0.03 for gap in gaps]))

    assert alike(note_values(1.0)) > alike(note_values(0.0)) + 0.15
