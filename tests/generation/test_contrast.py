"""Contrast: elsewhere, and slow against fast; nothing where it is off."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segue_export.judge.duet_prompts import prompts
from segued.generation.contrast import QUICK, TIMES, WIDE, contrasted
from segued.generation.shaping import Playing
from segued.generation.style_features import RecentNotes, StyleFeatures
from segued.model.loading import SHIPPED_MODEL
from segued.model.session import Model
from segued.tokens.events import NoteOn

from ..tools.measure_texture import replies, times


def heard(*pitches: int) -> StyleFeatures:
    return StyleFeatures.of([NoteOn(0.3 * i, pitch, 80) for i, pitch in enumerate(pitches)], 2.0)


LOW, HIGH, BOTH_HANDS = heard(40, 43, 45, 47), heard(76, 79, 81, 83), heard(36, 48, 60, 72)


def test_off_changes_nothing() -> None:
    playing = Playing(register=5, density=2.0)
    assert contrasted(playing, LOW, 9.0) is playing
    assert contrasted(Playing(contrast="both"), None, 0.0) == Playing(contrast="both")


@pytest.mark.parametrize(("some", "register"), [(LOW, 12), (HIGH, -12), (BOTH_HANDS, 24)])
def test_it_plays_where_the_performer_does_not(some: StyleFeatures, register: int) -> None:
    assert (BOTH_HANDS.spread > WIDE) and (LOW.spread < WIDE)
    before = Playing(contrast="register", register=3, lowest_pitch=21, highest_pitch=108)
    playing = contrasted(before, some, 9.0)
    assert (playing.register, playing.density) == (register + 3, 1.0)
    if register > 0:
        assert playing.lowest_pitch >= some.pitch and playing.highest_pitch == 108
    else:
        assert playing.highest_pitch <= some.pitch and playing.lowest_pitch == 21


@given(st.lists(st.integers(0, 127), min_size=4), st.integers(0, 127), st.integers(0, 127))
def test_it_stays_within_the_range_that_is_set(pitches: list[int], low: int, high: int) -> None:
    low, high = min(low, high), max(low, high)
    before = Playing(contrast="both", lowest_pitch=low, highest_pitch=high)
    after = contrasted(before, heard(*pitches), 1.0)
    assert low <= after.lowest_pitch <= after.highest_pitch <= high
    assert after.highest_pitch - after.lowest_pitch >= min(12, high - low)


@pytest.mark.parametrize(("pace", "density"), [(QUICK + 0.1, 1 / TIMES), (QUICK - 0.1, TIMES)])
def test_it_is_slow_against_fast(pace: float, density: float) -> None:
    playing = contrasted(Playing(contrast="density", density=1.5), LOW, pace)
    assert (playing.register, playing.density) == (0, 1.5 * density)
    assert contrasted(Playing(contrast="both"), LOW, pace).register == 12


def test_a_chord_counts_as_one_onset_of_the_pace() -> None:
    notes = RecentNotes()
    assert notes.pace == 0.0
    for i in range(9):
        for pitch in (60, 64, 67):
            notes.hear(NoteOn(0.5 * i + 0.005 * (pitch - 60), pitch, 80, 0))
    assert notes.pace == pytest.approx(2.0)


@pytest.mark.slow
def test_replies_contrast() -> None:
    by_name = {prompt.name: prompt for prompt in prompts()}
    model = Model.load(Path(SHIPPED_MODEL))

    def answer(name: str, contrast: str) -> tuple[float, float]:
        """Onsets a second and mean pitch, beside the performer's."""
        answered, _ = replies(model, [by_name[name]], [f"steering.contrast={contrast}"], seeds=2)
        pitch = sum(reply.pitch.mean() - you.pitch.mean() for _, you, reply in answered)
        return times(answered)["onsets/s"], float(pitch / len(answered))

    (mirror, near), (slow, far) = (answer("ostinato", how) for how in ("off", "both"))
    assert slow < 0.7 * mirror, "slow against fast"
    assert abs(near) < 5 and far < -9, "an octave below a tune that is high"
    assert answer("chord loop", "density")[0] > 1.4 * answer("chord loop", "off")[0]
