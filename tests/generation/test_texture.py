"""Thinner and fuller than the performer: bounded, silent where the texture is right, and felt."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segue_export.judge.duet_prompts import prompts
from segued.generation.texture_bias import FEWER, LATER, MORE, MOST, USUAL, TextureBias
from segued.model.loading import SHIPPED_MODEL
from segued.model.session import Model
from segued.recall.motif_memory import MotifMemory
from segued.recall.motifs import Motifs, Onset
from segued.tokens.events import NoteOff, NoteOn
from segued.tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, TIME_SHIFT, VELOCITY

from ..tools.measure_texture import replies, times

FLAT = np.zeros(len(PERFORMANCE), np.float32)
KINDS = NOTE_ON, VELOCITY, NOTE_OFF, TIME_SHIFT


def gains(texture: float, keys: float | None, held: int, passed: int = 50) -> list[float]:
    """What is added to the logits of each kind of token."""
    added = TextureBias(PERFORMANCE, texture, keys).apply(FLAT, held, passed)
    return [float(added[PERFORMANCE.ids(kind).start]) for kind in KINDS]


def test_where_it_is_as_full_as_is_wanted_nothing_changes() -> None:
    assert TextureBias(PERFORMANCE, 1.0, 1.0).apply(FLAT, 0, 0) is FLAT
    assert TextureBias(PERFORMANCE, -1.0, 2.0).apply(FLAT, 0, 0) is FLAT


def test_thinner_makes_another_key_rarer_and_ends_notes_sooner() -> None:
    assert gains(-1.0, 4.0, 1) == [0.0, 0.0, 0.0, 0.0], "two are wanted, and a second may come"
    assert gains(-1.0, 4.0, 2) == [-FEWER, -FEWER, 0.0, 0.0]
    on, velocity, off, shift = gains(-1.0, 4.0, 3)
    assert on == velocity < -FEWER and off > 0.0 and shift == 0.0
    assert gains(-1.0, 1.0, 1)[0] == -FEWER, "a line stays one"


def test_fuller_adds_keys_to_a_chord_and_holds_notes_but_begins_no_other_onset() -> None:
    on, _, off, shift = gains(1.0, 2.0, 1, passed=1)
    assert on == pytest.approx(MOST * MORE) and off == pytest.approx(-MOST * LATER) and not shift
    assert gains(1.0, 2.0, 1, passed=20)[0] == 0.0
    assert gains(1.0, 2.0, 4)[0] == -FEWER, "but not without end"


@given(st.floats(-1.0, 1.0), st.none() | st.floats(1.0, 20.0), st.integers(0, 32))
def test_it_is_bounded(texture: float, keys: float | None, held: int) -> None:
    for passed in (0, 2, 100):
        on, velocity, off, shift = gains(texture, keys, held, passed)
        assert on == velocity and shift == 0.0
        assert -FEWER * (MOST + 1.0) - 1e-3 <= on <= MORE * MOST + 1e-3
        assert abs(off) <= LATER * MOST + 1e-3


def test_who_has_not_played_has_a_usual_texture() -> None:
    assert gains(1.0, None, 2) == gains(1.0, USUAL, 2)


def test_the_performers_keys_at_once() -> None:
    memory = MotifMemory()
    assert memory.keys_at_once is None
    memory.hear(NoteOn(0.0, 40, 80, 0))
    for i in range(3):
        memory.hear(NoteOn(1.0 + i, 60, 80, 0))
        memory.hear(NoteOn(1.01 + i, 64, 80, 0))
        memory.hear(NoteOff(1.8 + i, 60, 0))
        memory.hear(NoteOff(1.8 + i, 64, 0))
    assert memory.keys_at_once == pytest.approx((1 + 3 * 3) / 4)


@pytest.mark.parametrize("times", [0.5, 0.8, 1.0, 1.25, 2.0])
def test_motifs_have_so_many_times_the_keys(times: float) -> None:
    onsets = [Onset(0.5 * i, 60 + i % 5, 2, 2, i == 0, 0.5 * i + 0.3) for i in range(40)]
    motifs = Motifs(onsets, 0.5, times)
    keys, held = motifs.keys[:-1], motifs.held[:-1]
    assert (keys >= 1).all() and (held >= 0).all() and motifs.keys[-1] == motifs.held[-1] == 0
    assert (keys + held).mean() == pytest.approx(4 * times, rel=0.05)
    if times == 1.0:
        assert (keys == 2).all() and (held == 2).all()


@pytest.mark.slow
def test_replies_are_thinner_and_fuller() -> None:
    """Than chords in two hands; than a line."""
    by_name = {prompt.name: prompt for prompt in prompts()}
    model = Model.load(Path(SHIPPED_MODEL))

    def keys(name: str, texture: float) -> float:
        answered, _ = replies(model, [by_name[name]], [f"steering.texture={texture}"], seeds=2)
        return times(answered)["keys at once"]

    assert keys("chord loop", -1.0) < 0.75 * keys("chord loop", 0.0)
    assert keys("tune", 1.0) > 1.3 * keys("tune", 0.0)
