"""The rhythm of what was heard: gaps, lengths and loudness of the last onsets."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from segued.model.chord_rhythm import BEATS, UNHEARD, Beat, ChordRhythm
from segued.tokens.vocabulary import PERFORMANCE

from ..support.fakes import tokens


def after(performance: str) -> ChordRhythm:
    rhythm = ChordRhythm()
    for id in tokens(performance):
        rhythm.feed(id)
    return rhythm


def test_before_anything_was_heard() -> None:
    assert ChordRhythm().beat == UNHEARD
    assert after("v20 on60 t30 off60").beat == UNHEARD  # one onset is no rhythm


def test_the_first_gap_is_all_the_rhythm_there_is() -> None:
    rhythm = after("v20 on60 t30 off60 t10 on62")
    assert rhythm.beats == [Beat(gap=40, held=30, bin=20)] * BEATS


def test_gaps_lengths_and_velocities_are_remembered_the_oldest_first() -> None:
    rhythm = after("v20 on60 t30 off60 t10 v25 on62 t20 on64 t20 off62 off64 on65 t20 off65 on67")
    assert rhythm.beats[-4:] == [(40, 30, 20), (20, 20, 25), (20, 20, 25), (20, 20, 25)]
    assert rhythm.beats[0] == (40, 30, 20) and len(rhythm.beats) == BEATS


def test_a_chord_is_one_onset_as_loud_as_its_loudest_note() -> None:
    rhythm = after("v20 on60 t2 v30 on64 t2 v10 on67 t36 off60 off64 off67 on72")
    assert rhythm.beat == (40, 40, 30)


def test_a_pause_is_no_rhythm() -> None:
    phrase = "v20 on60 t25 off60 on62 t25 off62"
    assert after(phrase + " t51 on64").beat == (25, 25, 20)
    assert after(phrase + " t50 on64").beats[-1] == (75, 25, 20)
    assert after("v20 on60 t100 t100 on62").beat == (200, 200, 20)
    assert after("v20 on60 t100 t100 t1 on62").beat == UNHEARD


def test_a_held_note_is_no_silence() -> None:
    assert after("v20 on48 on60 t10 off60 t90 on62").beat == (100, 100, 20)


@given(st.lists(st.tuples(st.integers(6, 120), st.integers(1, 120), st.integers(0, 31)),
                min_size=BEATS + 1, max_size=BEATS + 1))  # fmt: skip
def test_playing_the_rhythm_leaves_it_as_it_is(played: list[Any]) -> None:
    """Eight onsets in the rhythm of the last eight: it begins anew, for ever."""
    rhythm, shifts = ChordRhythm(), PERFORMANCE.ids("TIME_SHIFT").start - 1

    def wait(steps: int) -> None:
        while steps > 0:
            rhythm.feed(shifts + min(100, steps))
            steps -= min(100, steps)

    def play(gap: int, held: int, bin: int) -> None:
        rhythm.feed(PERFORMANCE.id("VELOCITY", bin))
        rhythm.feed(60)
        wait(held)
        rhythm.feed(128 + 60)
        wait(gap - held)

    for gap, rest, bin in played:
        play(gap, max(1, gap - min(rest, 50)), bin)
    onsets = []
    for _ in range(3 * BEATS):
        rhythm.feed(PERFORMANCE.id("VELOCITY", rhythm.next_bin))
        rhythm.feed(60)  # it ends the beat before, so only now is its own the oldest
        onsets.append(Beat(rhythm.beat.gap, rhythm.beat.held, rhythm.bin))
        wait(rhythm.beat.held)
        rhythm.feed(128 + 60)
        wait(rhythm.beat.gap - rhythm.beat.held)
    learnt = [Beat(g, max(1, g - min(rest, 50)), bin) for g, rest, bin in played[1:]]
    assert onsets == learnt * 3


def test_after_a_pause_the_rhythm_begins_anew() -> None:
    rhythm = after("v20 on60 t30 off60 v25 on62 t20 off62 v9 on64 t20 off64 t90")
    assert (rhythm.next_bin, rhythm.beat) == (20, (30, 30, 20))
    rhythm.feed(65)
    assert rhythm.beat == (30, 30, 20)


@given(st.lists(st.integers(0, 387), max_size=60))
def test_any_ids_at_all_make_some_rhythm(ids: list[int]) -> None:
    rhythm = ChordRhythm()
    for id in ids:
        rhythm.feed(id)
    for beat in [rhythm.beat, *rhythm.beats]:
        assert -1 <= rhythm.next_bin <= 31
        assert 1 <= beat.held <= beat.gap <= 200 and -1 <= beat.bin <= 31
        assert beat.gap > 5
    assert len(rhythm.beats) in (0, BEATS)
