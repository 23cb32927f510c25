"""A take becomes pieces: what is kept, what is cut, what is left out and why."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segue_export.augment import Notes, notes_of
from segue_export.learn.reading import SILENT
from segue_export.learn.takes import (
    APART,
    BREATH,
    SECOND,
    STUCK,
    clean,
    content,
    copied,
    cut,
    length,
    notes_in,
    runs_of,
    to_exact,
    with_short_rests,
)
from segued.tokens.events import Event, NoteOff, NoteOn, Pedal

from .made import Note, tune


def notes(*played: Note) -> Notes:
    ordered = sorted(played)
    on, off = (np.array([note[i] * SECOND for note in ordered], float) for i in (0, 1))
    pitch = np.array([note[2] for note in ordered], np.int64)
    return Notes(on, off, pitch, np.full(len(ordered), 70))


def test_two_pieces_with_silence_between_them() -> None:
    cleaned = clean(notes(*tune(1), *tune(2, begin=60.0)), SILENT)
    assert [len(piece.on) for piece in cleaned.pieces] == [60, 60]
    assert all(piece.on[0] == 0 for piece in cleaned.pieces)
    assert cleaned.kept == cleaned.played == pytest.approx(2 * 14.95 * SECOND)


def test_a_long_reply_does_not_cut_a_piece_but_its_time_is_shortened() -> None:
    mine, its = notes(*tune(1), *tune(2, begin=45.0)), notes(*tune(3, begin=15.0, notes=110))
    cleaned = clean(mine, its)
    assert [len(piece.on) for piece in cleaned.pieces] == [120]
    piece = cleaned.pieces[0]
    assert piece.on[60] - piece.off[59] == BREATH
    assert piece.pitch.tolist() == mine.pitch.tolist()


@pytest.mark.parametrize(
    "played, why",
    [
        (tune(1, notes=8), "too short"),
        ([(0.5 * i, 0.5 * i + 0.4, 60 + i % 3) for i in range(60)], "a few keys again and again"),
        ([(0.2 * i, 0.2 * i + 0.1, 60 + i % 6) for i in range(200)], "one bar practised"),
        ([(0.2 * i, 0.2 * i + 0.1, 60 if i % 3 else 60 + i % 24) for i in range(200)],
         "a few keys again and again"),
    ],
)  # fmt: skip
def test_what_is_no_music_is_left_out(played: list[Note], why: str) -> None:
    cleaned = clean(notes(*played), SILENT)
    assert not cleaned.pieces and [*cleaned.left_out] == [why]
    assert cleaned.played > 0 == cleaned.kept


def test_a_stuck_note_is_ended() -> None:
    cleaned = clean(notes((0.0, 3600.0, 30), *tune(1)), SILENT)
    assert cleaned.stuck == 1
    (piece,) = cleaned.pieces
    assert length(piece) < 16 * SECOND
    assert (piece.off - piece.on).max() == BREATH


def test_a_night_without_a_note_is_no_music_and_a_key_that_stays_down_is_stuck() -> None:
    events: list[Event] = [NoteOn(0.0, 30, 70), Pedal(0.5, True)]
    for begin in (0.0, 50_000.0):
        for on, off, pitch in tune(4, begin):
            events += [NoteOn(on + 0.1, pitch, 70), NoteOff(off + 0.1, pitch)]
    events.sort(key=lambda event: event.time)
    found = notes_in(events)
    assert len(found.on) == 121
    assert found.on[61] - found.on[60] > 49_000 * SECOND
    cleaned = clean(found, SILENT)
    assert len(cleaned.pieces) == 2 and cleaned.stuck >= 1
    assert cleaned.played < 60 * SECOND


def test_nothing_is_made_of_nothing() -> None:
    assert clean(notes_in([]), SILENT).pieces == []
    assert clean(notes_in([Pedal(0.0, True)]), SILENT).pieces == []


def test_a_copy_is_known_in_another_tempo_and_a_performance_of_another_is_not() -> None:
    one = notes(*tune(1))
    faster = Notes(0.7 * one.on + 5, 0.7 * one.off + 5, one.pitch, one.velocity // 2)
    assert content(one) == content(faster) != content(notes(*tune(2)))


def test_what_segue_played_is_known_in_the_midst_of_other_music() -> None:
    replies = runs_of([notes(*tune(7, notes=200))])
    assert copied(notes(*tune(7)), replies)
    assert copied(notes(*tune(7), *tune(8, begin=20.0, notes=30)), replies)
    assert not copied(notes(*tune(8)), replies)


TIMES = st.floats(0, 300).map(lambda t: round(t, 2))
PLAYED = st.lists(
    st.tuples(TIMES, st.floats(0.05, 60).map(lambda t: round(t, 2)), st.integers(21, 108)),
    min_size=1, max_size=60,
)  # fmt: skip


@given(PLAYED, PLAYED)
def test_pieces_hold_every_note_once_and_rest_for_a_breath_at_most(
    mine: list[Note], its: list[Note]
) -> None:
    own, replies = (notes(*((on, on + dur, pitch) for on, dur, pitch in part))
                    for part in (mine, its))  # fmt: skip
    parts = [*cut(own, replies)]
    assert sum(len(part.on) for part in parts) == len(own.on)
    assert np.array_equal(np.concatenate([part.pitch for part in parts]), own.pitch)
    for before, after in pairwise(parts):
        assert after.on[0] - before.off.max() > APART
    for part in parts:
        short = with_short_rests(part)
        assert short.on[0] == 0 and np.allclose(short.off - short.on, part.off - part.on)
        sounded = np.maximum.accumulate(short.off)
        assert (short.on[1:] - sounded[:-1] <= BREATH + 1e-6).all()


@given(PLAYED)
def test_what_is_learned_is_what_was_played(mine: list[Note]) -> None:
    cleaned = clean(notes(*((on, on + dur, pitch) for on, dur, pitch in mine)), SILENT)
    for piece in cleaned.pieces:
        back = notes_of(*to_exact(piece))
        assert set(back.pitch.tolist()) <= set(piece.pitch.tolist())
        assert (back.off - back.on).max() <= STUCK + 1
