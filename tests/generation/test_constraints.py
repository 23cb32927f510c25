"""What may come next: each rule by example, then random walks that must never come to a halt."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.generation.constraints import Constraints
from segued.generation.shaping import Playing, Shape
from segued.tokens.events import NoteOff, NoteOn
from segued.tokens.tokenizer import Decoder, decode, encode
from segued.tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, TIME_SHIFT, VELOCITY

from ..support.fakes import sounds_of, tokens, words

SIZES = {NOTE_ON: 128, NOTE_OFF: 128, TIME_SHIFT: 100, VELOCITY: 32}


def pitches(lowest: int, highest: int) -> np.ndarray:
    """The range of new notes, as the grammar takes it."""
    return Shape(PERFORMANCE, Playing(lowest_pitch=lowest, highest_pitch=highest)).allowed


def after(line: str, **how: Any) -> Constraints:
    allowed = pitches(how.pop("lowest", 0), how.pop("highest", 127))
    constraints = Constraints(PERFORMANCE, allowed, **{"velocity_bin": 31, **how})
    for id in tokens(line):
        assert constraints.bias[id] == 0, f"{words([id])} may not come there"
        constraints.accept(id)
    return constraints


def may(constraints: Constraints, line: str) -> bool:
    """Whether each of these tokens may come next; all or none of them."""
    allowed = {bool(constraints.bias[id] == 0) for id in tokens(line)}
    assert len(allowed) == 1
    return allowed.pop()


def kinds(constraints: Constraints) -> dict[str, int]:
    """How many tokens of each kind may come next."""
    counts = dict.fromkeys(SIZES, 0)
    for id in np.flatnonzero(constraints.bias == 0):
        counts[PERFORMANCE.token(int(id))[0]] += 1
    return {kind: count for kind, count in counts.items() if count}


def test_at_first_all_may_come_but_note_offs() -> None:
    assert kinds(after("")) == {NOTE_ON: 128, TIME_SHIFT: 100, VELOCITY: 31}


def test_the_first_note_of_all_has_a_velocity() -> None:
    assert kinds(after("", velocity_bin=-1)) == {TIME_SHIFT: 100, VELOCITY: 32}
    assert kinds(after("v9", velocity_bin=-1)) == {NOTE_ON: 128}
    assert kinds(after("", velocity_bin=-1, must_play=True)) == {VELOCITY: 32}


def test_what_is_forbidden_is_minus_infinity_and_what_may_come_is_nothing() -> None:
    assert set(after("").bias) == {0.0, -np.inf}
    assert after("").bias.dtype == np.float32


def test_no_note_on_for_what_sounds() -> None:
    assert not may(after("on60"), "on60")
    assert not may(after("on60 t5"), "on60")
    assert may(after("on60"), "on61")
    assert may(after("on60 t5 off60"), "on60")


def test_no_note_off_for_what_is_not_held() -> None:
    assert may(after("on60 t1"), "off60")
    assert not may(after("on60 t1"), "off61")
    assert not may(after("on60 t1 off60"), "off60")


def test_a_note_lasts_at_least_a_step() -> None:
    assert not may(after("on60"), "off60")
    assert kinds(after("on60 on61 t1"))[NOTE_OFF] == 2


def test_note_offs_come_before_note_ons() -> None:
    assert may(after("on60 on61 t1 off60"), "off61")
    assert not may(after("on60 on61 t1 off60 on62"), "off61")


def test_a_velocity_is_followed_by_a_note_on() -> None:
    assert kinds(after("on60 t1 v5")) == {NOTE_ON: 127}


def test_a_velocity_differs_from_the_last() -> None:
    assert not may(after("v5 on60"), "v5")
    assert may(after("v5 on60"), "v6")
    assert not may(after("", velocity_bin=9), "v9")
    assert kinds(after("", velocity_bin=9))[VELOCITY] == 31


def test_a_short_shift_is_followed_by_something_that_happens() -> None:
    assert not may(after("on60 t99"), "t1 t100")
    assert may(after("on60 t100"), "t1 t100")
    assert may(after("on60 t99"), "off60 on61 v1")


def test_pitches_have_a_range() -> None:
    constraints = after("", lowest=21, highest=108)
    assert kinds(constraints)[NOTE_ON] == 88
    assert may(constraints, "on21 on108")
    assert not may(constraints, "on20 on109")
    assert not may(after("v1", lowest=21, highest=108), "on20 on109")
    assert kinds(after("on60 t1 off60", lowest=60, highest=60))[NOTE_ON] == 1


def test_what_others_play_is_theirs() -> None:
    constraints = after("", others=[60, 64])
    assert not may(constraints, "on60 on64 off60 off64")
    assert may(constraints, "on61")
    assert not may(after("on61 t1 off61", others=[60]), "on60 off60")


def test_own_notes_go_on() -> None:
    constraints = after("", own=[60, 64])
    assert may(constraints, "off60 off64")
    assert not may(constraints, "on60 on64")
    assert list(constraints.own) == [60, 64]
    assert list(after("off60 on67", own=[60, 64]).own) == [64, 67]


def test_who_must_play_may_not_wait() -> None:
    assert kinds(after("", must_play=True)) == {NOTE_ON: 128, VELOCITY: 31}
    assert may(after("v1 on60", must_play=True), "t1")


def test_who_must_play_must_do_so_after_a_silence_too() -> None:
    """The silence before a reply is a time shift; a longest one, and a shift might follow."""
    constraints = Constraints(PERFORMANCE, velocity_bin=3, must_play=True)
    for id in tokens("t100 t100"):
        constraints.accept(id)
    assert not may(constraints, "t1 t100")


def test_who_must_play_but_cannot_waits() -> None:
    constraints = after("", lowest=60, highest=60, others=[60], must_play=True)
    assert kinds(constraints) == {TIME_SHIFT: 1}
    assert may(constraints, "t100")


def test_where_no_note_can_begin_no_velocity_may_come() -> None:
    assert kinds(after("on60", lowest=60, highest=60)) == {TIME_SHIFT: 100}
    assert kinds(after("on60 t1", lowest=60, highest=60)) == {NOTE_OFF: 1}


def test_where_nothing_can_happen_a_short_shift_would_lead_nowhere() -> None:
    assert kinds(after("t100", lowest=60, highest=60, others=[60])) == {TIME_SHIFT: 1}


def test_closed_only_note_offs_and_shifts_may_come() -> None:
    constraints = after("on60 on61 t100")
    constraints.close()
    assert kinds(constraints) == {NOTE_OFF: 2, TIME_SHIFT: 100}
    constraints.accept(tokens("off60")[0])
    assert kinds(constraints) == {NOTE_OFF: 1, TIME_SHIFT: 100}
    constraints.accept(tokens("t5")[0])
    assert kinds(constraints) == {NOTE_OFF: 1}


def test_waiting_is_a_shift_of_a_length_at_least() -> None:
    constraints = after("", own=[60])
    constraints.wait(5)
    assert kinds(constraints) == {TIME_SHIFT: 96}
    assert not may(constraints, "t1 t4")
    assert may(constraints, "t5 t100")
    constraints.accept(tokens("t7")[0])
    assert may(constraints, "off60 on61")


@pytest.mark.parametrize("steps", [100, 101, 9999])
def test_waiting_long_is_the_longest_shift(steps: int) -> None:
    constraints = after("")
    constraints.wait(steps)
    assert kinds(constraints) == {TIME_SHIFT: 1}


def test_no_more_notes_at_once_than_it_may() -> None:
    assert may(after("on60", most=2), "on61 v3")
    assert kinds(after("on60 on61", most=2)) == {TIME_SHIFT: 100}
    assert kinds(after("on60 on61 t1", most=2)) == {NOTE_OFF: 2}
    assert may(after("on60 on61 t1 off60", most=2), "on62 v3 off61 t1")


def test_who_already_holds_more_waits_until_they_are_fewer() -> None:
    constraints = after("", own=[60, 62, 64], most=2)
    assert not may(constraints, "on70 v3")
    for id in tokens("off60 off62"):
        constraints.accept(id)
    assert may(constraints, "on70 v3")


PITCHES = st.sets(st.integers(58, 66), max_size=6)


Walk = tuple[Constraints, list[int], list[int], int]


@st.composite
def walks(draw: st.DrawFn) -> Walk:
    """A grammar, own notes at the start, the ids of a walk, and how many came before it closed."""
    own = sorted(draw(PITCHES))
    others = sorted(draw(PITCHES) - set(own))
    low, high = sorted((draw(st.integers(58, 66)), draw(st.integers(58, 66))))
    must_play = draw(st.booleans()) and not own
    bin, most = draw(st.integers(0, 31)), draw(st.integers(1, 8))
    constraints = Constraints(PERFORMANCE, pitches(low, high), bin, own, others, most, must_play)
    if draw(st.booleans()) and not must_play:
        constraints.wait(draw(st.integers(1, 200)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    length = draw(st.integers(0, 60))
    ids: list[int] = []
    while len(ids) < length or constraints.own:
        if len(ids) >= length and PERFORMANCE.token(ids[-1] if ids else 0)[0] != VELOCITY:
            constraints.close()
        allowed = np.flatnonzero(constraints.bias == 0)
        assert len(allowed), f"after {words(ids)} nothing may come"
        kinds = [PERFORMANCE.token(int(id))[0] for id in allowed]
        kind = rng.choice(sorted(set(kinds)))
        ids.append(int(rng.choice([id for id, k in zip(allowed, kinds, strict=True) if k == kind])))
        constraints.accept(ids[-1])
    return constraints, own, ids, length


@given(walks())
def test_a_walk_never_comes_to_a_halt_and_ends_with_nothing_held(walk: Walk) -> None:
    constraints, own, ids, length = walk
    decoder = Decoder(PERFORMANCE)
    decoder.resume(dict.fromkeys(own, 0))
    begun_late = [
        event
        for i, id in enumerate(ids)
        for event in decoder.feed(id)
        if isinstance(event, NoteOn) and i > length
    ]
    assert not begun_late
    assert decoder.sounding == list(constraints.own) == []


@given(walks())
def test_a_walk_is_canonical(walk: Walk) -> None:
    """It decodes to notes that encode to the same ids, but for the order within a step, the bin
    that was set before, and shifts that lead to nothing."""
    _, own, ids, _ = walk
    start = [id for pitch in own for id in tokens(f"on{pitch}")]
    whole = trimmed([*start, *tokens("t1"), *ids] if own else ids)
    again = encode(decode(whole))
    assert sounds_of(decode(again)) == sounds_of(decode(whole))
    bins = tokens("v0 v31")
    assert sorted(id for id in again if id < bins[0]) == sorted(
        id for id in merged(whole) if id < bins[0]
    )


def trimmed(ids: list[int]) -> list[int]:
    """Without the shifts and velocities before the first note and after the last."""
    notes = [i for i, id in enumerate(ids) if id < 256]
    return ids[notes[0] : notes[-1] + 1] if notes else []


def merged(ids: list[int]) -> list[int]:
    """Neighbouring shifts as the encoder writes them."""
    shifts, result = PERFORMANCE.ids(TIME_SHIFT), []
    gap = 0
    for id in [*ids, -1]:
        if id in shifts:
            gap += PERFORMANCE.token(id)[1]
            continue
        while gap:
            step = min(gap, 100)
            result.append(PERFORMANCE.id(TIME_SHIFT, step))
            gap -= step
        if id >= 0:
            result.append(id)
    return result


@given(walks())
def test_a_walk_keeps_the_rules(walk: Walk) -> None:
    """Checked on the events, not with the grammar's own tables."""
    _, own, ids, _ = walk
    decoder = Decoder(PERFORMANCE)
    decoder.resume(dict.fromkeys(own, 0))
    began: dict[int, float] = dict.fromkeys(own, -1.0)
    for id in ids:
        kind, pitch = PERFORMANCE.token(id)
        sounding = decoder.sounding
        events = decoder.feed(id)
        if kind == NOTE_ON:
            assert pitch not in sounding
            began[pitch] = decoder.time
        elif kind == NOTE_OFF:
            assert events == [NoteOff(decoder.time, pitch)]
            assert decoder.time > began[pitch]
    for id, following in pairwise(ids):
        kind, value = PERFORMANCE.token(id)
        next_kind = PERFORMANCE.token(following)[0]
        if kind == NOTE_ON:
            assert next_kind != NOTE_OFF
        elif kind == VELOCITY:
            assert next_kind == NOTE_ON
        elif kind == TIME_SHIFT and value < 100:
            assert next_kind != TIME_SHIFT
