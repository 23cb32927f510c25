"""Motifs: what was played is known by its shape, from any step and however unevenly played."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.recall.motif_memory import MAX_ONSETS, MIN_ONSETS, OVERLAP, MotifMemory
from segued.recall.motifs import MAX_INTERVAL, PITCH_FACTOR, Match, Motifs, scale_of
from segued.tokens.events import Event, NoteOff, NoteOn

BEAT = 0.5
TUNE = (
    (60, 1.0),
    (62, 0.5),
    (64, 0.5),
    (67, 1.0),
    (65, 0.5),
    (64, 0.5),
    (62, 1.0),
    (72, 1.0),
    (71, 1.0),
)
"""Pitches and beats; all of C major but A."""


def play(
    memory: MotifMemory, tune: Sequence[tuple[int, float]], at: float = 0.0, jitter: float = 0.0
) -> float:
    """A line of notes, none of which sounds into the next one; when it is over."""
    random = np.random.default_rng(4)
    for pitch, beats in tune:
        memory.hear(NoteOn(at + jitter * random.uniform(-1, 1), pitch, 80, 0))
        memory.hear(NoteOff(at + 0.8 * beats * BEAT, pitch, 0))
        at += beats * BEAT
    return at


def of(tune: Sequence[tuple[int, float]], jitter: float = 0.0) -> Motifs:
    memory = MotifMemory()
    play(memory, tune, jitter=jitter)
    motifs = memory.motifs(BEAT / 2)
    assert motifs is not None
    return motifs


def follow(motifs: Motifs, tune: Sequence[tuple[int, float]]) -> Match:
    """Where a reply stands that has played these notes; the time after the last is not over."""
    match, (before, beats) = motifs.begun(), tune[0]
    for pitch, following in tune[1:]:
        match = motifs.after(match, beats * BEAT, before, pitch)
        before, beats = pitch, following
    return match


def likeliest(motifs: Motifs, match: Match, top: int) -> tuple[float, int]:
    """What is expected most: beats to the next onset, and the interval."""
    place = int(motifs.weights(match, top).argmax())
    return float(motifs.gaps[place]) / BEAT, int(motifs.steps[place])


@pytest.mark.parametrize("jitter", [0.0, 0.025])
def test_a_phrase_that_was_heard_once_is_taken_up(jitter: float) -> None:
    motifs = of(TUNE, jitter)
    for count in range(2, len(TUNE)):
        beats, interval = likeliest(motifs, follow(motifs, TUNE[:count]), TUNE[count - 1][0])
        assert beats == pytest.approx(TUNE[count - 1][1])
        assert interval == motifs.interval(TUNE[count - 1][0], TUNE[count][0])


def test_it_is_known_on_another_step_of_the_scale() -> None:
    """C D E G as D E F A: other semitones, the same steps."""
    motifs = of((*TUNE, (69, 1.0)))
    moved = ((62, 1.0), (64, 0.5), (65, 0.5), (69, 1.0))
    beats, interval = likeliest(motifs, follow(motifs, moved), 69)
    assert (beats, interval) == (1.0, motifs.interval(67, 65)) == (1.0, -2)


def test_a_rhythm_is_known_with_other_pitches() -> None:
    motifs = of(TUNE)
    rhythm = [(60, beats) for _, beats in TUNE[:4]]
    assert likeliest(motifs, follow(motifs, rhythm), 60)[0] == TUNE[3][1]


def test_a_figure_is_known_in_another_rhythm() -> None:
    motifs = of(TUNE)
    figure = [(pitch, 0.25) for pitch, _ in TUNE[:5]]
    assert likeliest(motifs, follow(motifs, figure), 65)[1] == motifs.interval(65, 64)


def test_it_comes_again_rather_at_its_own_pitch() -> None:
    motifs = of(TUNE)
    match = follow(motifs, TUNE[:3])
    ratio = motifs.weights(match, 64) / np.maximum(motifs.weights(match, 1), 1e-9)
    there = np.array([pitch == 64 for pitch, _ in TUNE]) & (motifs.weights(match, 1) > 0)
    np.testing.assert_allclose(ratio[there], PITCH_FACTOR)
    np.testing.assert_allclose(ratio[~there & (motifs.weights(match, 1) > 0)], 1.0)


def test_nothing_follows_the_end_of_a_phrase() -> None:
    """Neither after a rest, nor after the model has answered, nor after the last note."""
    memory = MotifMemory()
    at = play(memory, TUNE) + 4.0
    at = play(memory, TUNE, at)
    memory.answered(at, 60)
    play(memory, TUNE, at + 0.1)
    motifs = memory.motifs(BEAT / 2)
    assert motifs is not None
    ends = np.flatnonzero(motifs.weights(motifs.begun(), 0) == 0.0)
    assert ends.tolist() == [len(TUNE) - 1, 2 * len(TUNE) - 1, 3 * len(TUNE) - 1]


def test_a_chord_is_one_onset_and_late_releases_are_not_held() -> None:
    memory = MotifMemory()
    for bar in range(3):
        at = 2.0 * bar
        for i, pitch in enumerate((48, 64, 67)):
            memory.hear(NoteOn(at + 0.01 * i, pitch, 80, 0))
        memory.hear(NoteOn(at + 1.0, 72, 80, 0))
        memory.hear(NoteOff(at + 1.0 + OVERLAP / 2, 64, 0))
        memory.hear(NoteOff(at + 1.0 + OVERLAP / 2, 67, 0))
        memory.hear(NoteOff(at + 1.9, 48, 0))
        memory.hear(NoteOff(at + 1.9, 72, 0))
    motifs = memory.motifs(1.0)
    assert motifs is not None
    assert motifs.keys[:5].tolist() == [1, 3, 1, 3, 1]
    assert motifs.held[:5].tolist() == [1, 0, 1, 0, 1]  # only the bass
    assert motifs.range == (65, 74)


def test_of_little_nothing_is_taken_up_and_what_is_forgotten_is_gone() -> None:
    memory = MotifMemory()
    play(memory, TUNE[: MIN_ONSETS - 1])
    assert memory.motifs(None) is None
    play(memory, TUNE, 10.0)
    memory.answered(20.0, 60)
    assert memory.motifs(None) is not None and memory.answers_since(20.0) == [(20.0, 60)]
    assert memory.answers_since(21.0) == []
    memory.forget()
    assert memory.motifs(None) is None and memory.answers_since(0.0) == []


def test_a_scale_has_its_notes_on_even_steps_and_the_others_between() -> None:
    places = scale_of({0, 2, 4, 5, 7, 9, 11})
    steps = [int(places[60 + pitch] - places[60]) for pitch in range(13)]
    assert steps == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 14]
    assert np.diff(scale_of({0, 7})).tolist() == [2] * 127


@given(
    st.lists(
        st.builds(
            lambda pitch, velocity: (
                NoteOn(0.0, pitch, velocity, 0) if velocity else NoteOff(0.0, pitch, 0)
            ),
            st.integers(0, 127),
            st.integers(0, 2),
        ),
        max_size=3 * MAX_ONSETS,
    ),
    st.lists(st.floats(0.0, 3.0), min_size=3 * MAX_ONSETS, max_size=3 * MAX_ONSETS),
    st.one_of(st.none(), st.floats(0.05, 1.0)),
    st.lists(st.tuples(st.floats(0.01, 5.0), st.integers(0, 127)), max_size=8),
)
def test_whatever_was_played_the_weights_are_finite(
    events: list[Event], gaps: list[float], tatum: float | None, reply: list[tuple[float, int]]
) -> None:
    memory, now = MotifMemory(), 0.0
    for event, gap in zip(events, gaps, strict=False):
        now += gap
        memory.hear(replace(event, time=now))
    motifs = memory.motifs(tatum)
    if motifs is None:
        return
    match, before = motifs.begun(), 60
    for gap, pitch in reply:
        match = motifs.after(match, gap, before, pitch)
        before = pitch
    weights = motifs.weights(match, before)
    assert len(weights) <= MAX_ONSETS and np.isfinite(weights).all() and (weights >= 0).all()
    assert (np.abs(motifs.steps) <= MAX_INTERVAL).all() and (motifs.gaps >= 0).all()
    assert (motifs.held >= 0).all()
