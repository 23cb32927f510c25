"""What notes are like, and how like they are to others: nothing is liker than itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.generation.shaping import Playing
from segued.generation.style_features import STEPS, WINDOW, RecentNotes, StyleFeatures
from segued.tokens.events import NoteOff, NoteOn

MELODIES = st.lists(st.integers(30, 90), min_size=1, max_size=20)


def features(pitches: Sequence[int], velocity: int = 80, seconds: float = 2.0) -> StyleFeatures:
    return StyleFeatures.of([NoteOn(0.0, pitch, velocity) for pitch in pitches], seconds)


def test_a_portrait() -> None:
    one = features([60, 64, 67, 72], 50)
    assert (one.density, one.pitch, one.velocity) == (2.0, 65.75, 50.0)
    assert one.spread == pytest.approx(np.std([60, 64, 67, 72]))
    assert one.classes[0] == 0.5 and one.classes[4] == one.classes[7] == 0.25
    assert sum(one.classes) == pytest.approx(1.0)


def test_nothing_is_liker_than_itself() -> None:
    wanted = features([60, 64, 67, 72])
    playing = Playing()
    assert wanted.similarity(wanted, playing) == 0.0
    others = [
        features([60, 64, 67, 72], seconds=1.0),
        features([60, 64, 67, 72], seconds=4.0),
        features([72, 76, 79, 84]),
        features([60, 64, 67, 72], velocity=110),
        features([61, 65, 68, 73]),
        features([36, 64, 67, 96]),
    ]
    for other in others:
        assert other.similarity(wanted, playing) < -0.05
        assert other.similarity(wanted, playing) == pytest.approx(wanted.similarity(other, playing))
    nearer, farther = features([65, 69, 72, 77]), features([70, 74, 77, 82])
    assert nearer.similarity(wanted, playing) > farther.similarity(wanted, playing)


@pytest.mark.parametrize(
    ("knobs", "leant"),
    [
        ({"density": 2.0}, features([60, 64, 67, 72], seconds=1.0)),
        ({"register": 12}, features([72, 76, 79, 84])),
        ({"dynamics": 30}, features([60, 64, 67, 72], velocity=110)),
    ],
)
def test_what_suits_leans_with_the_knobs(knobs: dict[str, Any], leant: StyleFeatures) -> None:
    """A candidate that obeys is not worse for it."""
    wanted = features([60, 64, 67, 72])
    assert leant.similarity(wanted, Playing(**knobs)) == pytest.approx(0.0)
    assert wanted.similarity(wanted, Playing(**knobs)) < -0.3


def test_lately_is_a_while_ago() -> None:
    lately = RecentNotes()
    assert lately.features is None
    for i in range(100):
        lately.hear(NoteOn(i / 2, 40 if i < 50 else 70, 80))
        lately.hear(NoteOff(i / 2 + 0.1, 60))
    found = lately.features
    assert found is not None
    assert found.density == pytest.approx(2.0)
    assert found.pitch == 70.0
    assert len(lately._notes) == 2 * WINDOW
    lately.forget()
    assert lately.features is None


def test_one_chord_is_no_tempo() -> None:
    lately = RecentNotes()
    for pitch in (60, 64, 67, 72, 76):
        lately.hear(NoteOn(1.0, pitch, 80))
    assert lately.features is None


def melody(*chords: Sequence[int]) -> StyleFeatures:
    """Chords a quarter of a second apart, each spread by two hundredths."""
    notes = [
        NoteOn(i / 4 + 0.02 * k / len(chord), pitch, 80)
        for i, chord in enumerate(chords)
        for k, pitch in enumerate(chord)
    ]
    return StyleFeatures.of(notes, len(chords) / 4)


def test_a_melody_is_what_is_on_top() -> None:
    one = melody([60], [40, 62, 55], [61, 50], [61])
    assert one.steps == melody([60], [62], [61], [61]).steps
    moved = {0: 1 / 3, 2: 1 / 3, -1: 1 / 3}  # kinds: the same, a step up, a step down
    assert sum(one.steps) == pytest.approx(1.0)
    for step, share in moved.items():
        kind = sum(step >= least for least in STEPS)
        assert one.steps[kind] == pytest.approx(share)


@given(MELODIES, st.integers(-12, 12))
def test_a_melody_moves_alike_in_every_key(pitches: list[int], by: int) -> None:
    notes = [[pitch] for pitch in pitches]
    higher = [[pitch + by] for pitch in pitches]
    assert melody(*notes).steps == melody(*higher).steps


def test_who_moves_otherwise_is_less_alike() -> None:
    even = melody([60], [62], [64], [65], [67])
    leaps = melody([60], [67], [60], [65], [64])
    assert even.similarity(even, Playing()) == 0.0
    assert leaps.similarity(even, Playing()) < -0.5
    chord = melody([60, 64, 67])
    assert not any(chord.steps)  # one chord is no melody, and is not held against anyone
