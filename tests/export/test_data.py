"""Streams of pieces: state resets where a piece begins, padding where it ends, and augmentation."""

import itertools
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from segue_export import data
from segue_export.augment import (
    NO_AUGMENTATION,
    Augmentation,
    Component,
    augment,
    notes_of,
    to_ids,
    velocity_scale,
)
from segue_export.corpus.encoding import on_the_step
from segue_export.corpus.pieces import join
from segue_export.data import IGNORE, Streams, rows_of
from segued.errors import DataError
from segued.tokens.events import Event, NoteOff, NoteOn
from segued.tokens.tokenizer import decode, encode
from segued.tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, TIME_SHIFT, VELOCITY

from ..support.tiny import changed, in_order, pieces_of, scale_work, work

TIME = 16


def plain(lengths: list[int], weight: float = 1.0) -> Component:
    return Component(pieces_of([work(i, length) for i, length in enumerate(lengths)]), weight)


def played(streams: Streams, windows: int) -> list[list[list[int]]]:
    """What each stream has played: a list of pieces, each the tokens fed and the last target."""
    pieces: list[list[list[int]]] = [[] for _ in range(streams.batch)]
    for _ in range(windows):
        tokens, targets, reset, _ = streams.next()
        assert reset is not None
        for stream, (row, target) in enumerate(zip(tokens, targets, strict=True)):
            there = target != IGNORE
            count = int(there.sum())
            assert there[:count].all() and count, "padding stands only at a window's end"
            assert not row[count:].any()
            if reset[stream]:
                pieces[stream].append(row[:1].tolist())
            elif not pieces[stream]:
                pieces[stream].append([int(row[0])])
            assert pieces[stream][-1][-1] == row[0], "a window goes on where the last one ended"
            assert row[1:count].tolist() == target[: count - 1].tolist()
            pieces[stream][-1] += target[:count].tolist()
    return pieces


def test_streams_play_whole_pieces_and_never_mix_them() -> None:
    component = plain([20, 3, 9, 30])
    whole = [piece.tolist() for piece in component.pieces]
    streams = Streams([component], 3, TIME, NO_AUGMENTATION, 1)
    for stream in played(streams, 150):
        first, *between, last = stream
        assert any(piece[-len(first) :] == first for piece in whole), "a stream may begin anywhere"
        assert len(between) > 3
        assert all(piece in whole for piece in between)
        assert any(piece[: len(last)] == last for piece in whole)


def test_state_is_reset_exactly_where_a_piece_begins() -> None:
    streams = Streams([plain([12, 12])], 2, TIME, NO_AUGMENTATION, 1)
    assert np.all(streams.next()[2])
    length = len(streams.components[0].pieces[0])
    reset = np.array([streams.next()[2] for _ in range(60)])
    assert 0 < reset.mean() <= 2 * TIME / length


def test_every_piece_is_played_before_one_comes_again() -> None:
    streams = Streams([plain([8] * 10)], 1, TIME, NO_AUGMENTATION, 1)
    whole = [piece.tolist() for piece in streams.components[0].pieces]
    (stream,) = played(streams, 120)
    order = [whole.index(piece) for piece in stream[1:-1]]
    assert sorted(order[:9]) != order[:9]
    for start in range(9, len(order) - 10, 10):
        assert sorted(order[start : start + 10]) == list(range(10))


def test_the_mixture_keeps_its_weights() -> None:
    low, high = plain([10] * 3, weight=0.8), plain([10] * 3, weight=0.2)
    high.pieces = pieces_of([changed(work(i, 10), transpose=20) for i in range(3)])
    streams = Streams([low, high], 4, TIME, NO_AUGMENTATION, 1)
    lows = {tuple(p.tolist()) for p in low.pieces}
    counts = [0, 0]
    for stream in played(streams, 300):
        for piece in stream[1:-1]:
            counts[tuple(piece) not in lows] += len(piece)
    assert counts[0] / sum(counts) == pytest.approx(0.8, abs=0.03)


def test_streams_go_on_exactly_from_their_state() -> None:
    components = [plain([20, 30]), plain([9])]
    streams = Streams(components, 3, TIME, Augmentation(), 5)
    for _ in range(7):
        streams.next()
    twin = Streams(components, 3, TIME, Augmentation(), 99)
    twin.restore(streams.state())
    for _ in range(40):
        for a, b in zip(streams.next(), twin.next(), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("world", [2, 3])
def test_several_processes_play_what_one_would(world: int) -> None:
    components = [plain([20, 30, 7]), plain([9, 12])]

    def streams(rank: int = 0, of: int = 1) -> Streams:
        return Streams(components, 6, TIME, Augmentation(), 5, rank, of)

    one, parts = streams(), [streams(rank, world) for rank in range(world)]
    for _ in range(30):
        whole = one.next()
        for rank, part in enumerate(parts):
            for a, b in zip(whole, part.next(), strict=True):
                assert (a is None) == (b is None)
                if a is not None:
                    np.testing.assert_array_equal(a[rank::world], b)
    rounds = max(part.rounds for part in parts)
    for part in (one, *parts):
        part.sample_until(rounds)
    together = parts[0].state()
    for part in parts:
        together["lanes"] |= part.state()["lanes"]
    again = streams()
    again.restore(together)
    for _ in range(20):
        for a, b in zip(one.next(), again.next(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_pieces_that_have_nothing_to_play(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "FRUITLESS", 20)
    silent = Component(join(["a"], [np.zeros(0, np.uint16)]), 1.0)
    with pytest.raises(DataError, match="nothing to play"):
        Streams([silent], 1, TIME, NO_AUGMENTATION, 1)


def test_a_corpus_that_has_become_smaller() -> None:
    streams = Streams([plain([9] * 8)], 2, TIME, NO_AUGMENTATION, 5)
    smaller = Streams([plain([9] * 2)], 2, TIME, NO_AUGMENTATION, 5)
    smaller.restore(streams.state())
    played(smaller, 50)
    with pytest.raises(ValueError):
        Streams([plain([9]), plain([9])], 2, TIME, NO_AUGMENTATION, 5).restore(streams.state())


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32), piece=st.integers(0, 5), jitter=st.sampled_from([0.0, 0.008, 0.05]),
    scale=st.sampled_from([(1.0, 0.0), (0.5, 40.0), (2.0, -60.0)]),
)  # fmt: skip
def test_augmented_pieces_are_canonical(
    seed: int, piece: int, jitter: float, scale: tuple[float, float]
) -> None:
    ids = np.array(encode(struck_by_hand(work(piece, 30), seed)))
    stream = Component(join([], []), 1.0, jitter, scale)
    played = augment(on_the_step(ids), np.random.default_rng(seed), Augmentation(), stream).tolist()
    assert_canonical(played)
    again = encode([*decode(played)])  # the same but for the order of chords struck within one step
    assert set(decode(again)) == set(decode(played))


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32), tempo=st.floats(0.2, 3.0), transpose=st.integers(-70, 70),
    louder=st.floats(-90, 90), length=st.integers(1, 40),
)  # fmt: skip
def test_arrays_are_written_as_the_encoder_writes_events(
    seed: int, tempo: float, transpose: int, louder: float, length: int
) -> None:
    ids = np.array(encode(struck_by_hand(work(seed, length), seed)), np.uint16)
    expected: list[Event] = []
    came = itertools.count()  # a trifle later, one after the other
    for event in decode(ids.tolist()):
        pitch, time = event.pitch + transpose, event.time * tempo
        if isinstance(event, NoteOn):
            time += next(came) * 1e-9
        if 0 <= pitch <= 127 and isinstance(event, NoteOn):
            velocity = min(127, max(1, round(event.velocity + louder)))
            expected.append(NoteOn(time, pitch, velocity))
        elif 0 <= pitch <= 127:
            expected.append(NoteOff(time, pitch))
    notes = notes_of(ids)
    notes.pitch += transpose
    notes.on, notes.off = notes.on * tempo + np.arange(len(notes.on)) * 1e-7, notes.off * tempo
    times = np.concatenate([notes.on, notes.off])
    assume((np.abs(times % 1 - 0.5) > 1e-5).all())  # halves: either way
    notes.velocity = np.rint(notes.velocity + louder).clip(1, 127).astype(int)
    inside = (notes.pitch >= 0) & (notes.pitch <= 127)
    assert to_ids(notes.keep(inside)).tolist() == encode(expected)


def struck_by_hand(events: list[Event], seed: int) -> list[Event]:
    """The same, each note up to 4 ms late: a chord's notes come in any order within their step."""
    rng = np.random.default_rng(seed)
    return in_order(
        replace(event, time=event.time + rng.uniform(0, 0.004))
        if isinstance(event, NoteOn) else event
        for event in events
    )  # fmt: skip


def test_the_order_of_a_chord_within_its_step_is_kept() -> None:
    """However the hand struck it: it is what the files and the player's hands have, too."""
    plays = [np.array(encode(struck_by_hand(work(seed), seed))) for seed in range(20)]
    assert any(ids.tolist() != encode(work(seed)) for seed, ids in enumerate(plays)), "all sorted"
    for seed, ids in enumerate(plays):
        rng = np.random.default_rng(seed)
        assert augment(on_the_step(ids), rng, NO_AUGMENTATION, plain([5])).tolist() == ids.tolist()
        moved = augment(on_the_step(ids), rng, Augmentation(5, (1.0, 1.0), 10), plain([5]))
        assert np.ptp(notes_of(moved).pitch - notes_of(ids).pitch) == 0


def test_notes_that_never_end_are_ended() -> None:
    ids = np.array([360, 60, 260, 62, 188], np.uint16)  # 62 sounds on
    notes = notes_of(ids)
    assert notes.pitch.tolist() == [60, 62] and notes.velocity.tolist() == [19, 19]
    assert (notes.off > notes.on).all()


def assert_canonical(ids: list[int]) -> None:
    """The encoder's rules hold: see `segued.tokens.tokenizer`."""
    tokens = [PERFORMANCE.token(id) for id in ids]
    assert tokens[0][0] in (NOTE_ON, VELOCITY) and tokens[-1][0] == NOTE_OFF
    bins = [value for kind, value in tokens if kind == VELOCITY]
    assert all(a != b for a, b in pairwise(bins)), "a velocity is sent only when it changes"
    for (kind, value), (following, _) in pairwise(tokens):
        if kind == VELOCITY:
            assert following == NOTE_ON
        elif kind == TIME_SHIFT and following == TIME_SHIFT:
            assert value == PERFORMANCE.max_shift()
        elif kind == NOTE_ON:
            assert following != NOTE_OFF, "note-offs come first, and a note lasts a step"
    sounding: set[int] = set()
    for kind, pitch in tokens:
        if kind == NOTE_ON:
            assert pitch not in sounding
            sounding.add(pitch)
        elif kind == NOTE_OFF:
            sounding.remove(pitch)
    assert not sounding


def test_augmentation_stays_within_its_limits() -> None:
    ids = np.array(encode(work(3)))
    stream = plain([5])
    whole = decode(ids.tolist())
    rng = np.random.default_rng(0)
    transpositions, tempi = set(), set()
    for _ in range(60):
        events = decode(
            augment(on_the_step(ids), rng, Augmentation(2, (0.9, 1.1), 0), stream).tolist()
        )
        assert len(events) == len(whole)
        transpositions.add(events[0].pitch - whole[0].pitch)
        tempi.add(round(events[-1].time / whole[-1].time, 2))
    assert transpositions == {-2, -1, 0, 1, 2}
    assert min(tempi) >= 0.89 and max(tempi) <= 1.11 and 1.0 in tempi and len(tempi) > 5


def test_no_augmentation_changes_nothing() -> None:
    ids = np.array(encode(work(4)))
    same = augment(on_the_step(ids), np.random.default_rng(0), NO_AUGMENTATION, plain([5]))
    assert same.tolist() == ids.tolist()


def test_notes_outside_the_keyboard_are_left_out() -> None:
    ids = np.array(encode(changed(scale_work(times=5), transpose=54)))  # the highest is 126
    for seed in range(20):
        events = decode(
            augment(
                on_the_step(ids), np.random.default_rng(seed), Augmentation(5), plain([5])
            ).tolist()
        )
        assert all(0 <= event.pitch <= 127 for event in events)


def test_velocities_are_brought_to_a_common_mean() -> None:
    pieces = plain([80]).pieces
    factor, offset = velocity_scale(pieces)
    velocities = [e.velocity for e in decode(pieces[0].tolist()) if isinstance(e, NoteOn)]
    mapped = np.array(velocities) * factor + offset
    assert mapped.mean() == pytest.approx(64) and mapped.std() == pytest.approx(18)
    flat = velocity_scale(pieces_of([scale_work()]))
    assert flat[0] == 2.0 and flat[0] * 63 + flat[1] == pytest.approx(64)


def test_rows_are_padded() -> None:
    pieces = join(["a", "b"], [np.array([1, 2, 3], np.uint16), np.array([4], np.uint16)])
    assert rows_of(list(pieces)).tolist() == [[1, 2, 3], [4, IGNORE, IGNORE]]
