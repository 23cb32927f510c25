"""A reply as a value, and playing it again and again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.playback.loop import LONGEST, Loop, Note, Passage, Tape, passage_of
from segued.player.active_notes import MODEL
from segued.timing.clock import Clock
from segued.tokens.events import NoteOff, NoteOn

from ..support.fakes import (
    FoldingModel,
    ScriptedModel,
    Session,
    note_off,
    note_on,
    settings,
    tokens,
)

TAP: list[Note] = [NoteOn(5.0, 60, 80), NoteOff(5.5, 60), NoteOn(5.5, 64, 70)]


def test_a_passage_counts_from_its_first_note_and_ends_all_of_them() -> None:
    passage = passage_of([NoteOff(4.0, 50), *TAP], 7.0)
    assert passage == Passage(
        (NoteOn(0.0, 60, 80), NoteOff(0.5, 60), NoteOn(0.5, 64, 70), NoteOff(2.0, 64)), 2.0
    )
    assert passage_of([NoteOff(4.0, 50)], 7.0) is None
    assert passage_of([], 7.0) is None


def test_a_tape_keeps_the_last_reply_and_no_more_than_is_a_loop() -> None:
    tape = Tape()
    for event in TAP:
        tape.record(event)
    tape.cut(7.0)
    tape.cut(9.0)
    assert tape.passage is not None and tape.passage.length == 2.0
    for i in range(200):
        tape.record(NoteOn(10.0 + i, 60, 80))
        tape.record(NoteOff(10.5 + i, 60))
    tape.cut(210.0)
    assert tape.passage.length == pytest.approx(LONGEST, abs=1.0)
    tape.forget()
    assert tape.passage is None


def test_a_loop_comes_again_at_its_length() -> None:
    passage = passage_of(TAP, 7.0)
    assert passage is not None
    loop = Loop(passage, 10.0, Clock())
    times = []
    for _ in range(9):
        times.append(loop.next_due)
        assert loop.due(loop.next_due - 0.001) is None
        assert loop.due(loop.next_due) is not None
    assert times == [10.0, 10.5, 10.5, 12.0, 12.0, 12.5, 12.5, 14.0, 14.0]


@pytest.mark.parametrize(("length", "seconds"), [(1.0, 2.0), (1.9, 2.0), (2.05, 2.0), (2.5, 4.0)])
def test_with_a_clock_a_loop_lasts_whole_bars(length: float, seconds: float) -> None:
    clock = Clock(120.0)
    clock.synced = True
    passage = passage_of([NoteOn(0.0, 60, 80)], length)
    assert passage is not None
    loop = Loop(passage, 10.0, clock)
    loop.due(10.0)
    assert loop.next_due <= 10.0 + seconds
    loop.due(99.0)
    assert loop.next_due == pytest.approx(10.0 + seconds)


EVENTS = st.lists(
    st.tuples(st.integers(0, 500), st.booleans(), st.integers(60, 63)), min_size=1, max_size=30
)


@given(EVENTS, st.integers(0, 500))
def test_whatever_was_played_a_loop_ends_what_it_begins(
    events: list[tuple[int, bool, int]], more: int
) -> None:
    time = 0.0
    played: list[Note] = []
    for wait, on, pitch in events:
        time += wait / 1000
        played.append(NoteOn(time, pitch, 80) if on else NoteOff(time, pitch))
    passage = passage_of(played, time + more / 1000)
    if passage is None:
        return
    assert list(passage.events) == sorted(passage.events, key=lambda event: event.time)
    assert passage.events[0].time == 0.0
    sounding: set[int] = set()
    loop, last = Loop(passage, 1.0, Clock()), 0.0
    for _ in range(3 * len(passage.events)):
        event = loop.due(1e9)
        assert event is not None and event.time >= last
        last = event.time
        (sounding.add if isinstance(event, NoteOn) else sounding.discard)(event.pitch)
    assert not sounding


def scripted(*lines: str) -> Session:
    script = tokens("v30 on64 t50 off64 on67 t50 off67")
    return Session(ScriptedModel(script), settings("sampling.temperature=0", *lines))


def test_a_reply_that_is_over_is_held() -> None:
    session = scripted("turns.reply_length=2")
    session.tap(60, 200)
    session.wait(5000)
    session.log.clear()
    begin = session.now
    session.set("hold", True)
    session.wait(4100)
    ons = [(round(time - begin, 3), note) for time, note in session.notes() if "on" in note]
    assert ons == [(0.0, "on64"), (0.5, "on67"), (2.0, "on64"), (2.5, "on67"), (4.0, "on64")]
    session.set("hold", False)
    assert session.player.active.of(MODEL) == []
    count = len(session.log)
    session.wait(9000)
    assert len(session.log) == count


def test_held_in_its_midst_the_loop_is_closed_at_once() -> None:
    session = scripted()
    session.tap(60, 200)
    session.wait(1000)  # 0.3 s into the reply
    session.log.clear()
    session.set("hold", True)
    session.wait(700)
    assert [note for _, note in session.notes()] == [
        "off64",
        "on64",
        "off64",
        "on64",
        "off64",
        "on64",
    ]


def test_the_performer_plays_over_a_loop_and_it_is_never_doubled() -> None:
    session = scripted("turns.reply_length=2")
    session.tap(60, 200)
    session.wait(5000)
    session.set("hold", True)
    session.wait(100)
    session.receive(note_on(64))
    assert session.notes()[-1][1] == "off64"
    session.log.clear()
    session.wait(4000)
    assert {note for _, note in session.notes()} == {"on67", "off67"}
    session.receive(note_off(64))
    session.wait(4000)
    assert "on64" in {note for _, note in session.notes()}


def test_a_loop_goes_on_through_a_change_of_mode_and_is_kept_to_the_key() -> None:
    session = scripted("turns.reply_length=2")
    session.tap(60, 200)
    session.wait(5000)
    session.set("hold", True)
    session.set("mode", "duet")
    session.set("key", "F#")
    session.log.clear()
    session.wait(4100)
    assert {note for _, note in session.notes() if "on" in note} == {"on63", "on66"}
    session.set("mode", "listen")
    count = len(session.log)
    session.wait(9000)
    assert len(session.log) == count
    session.set("mode", "solo")
    session.wait(1000)
    assert len(session.log) > count


def test_a_hold_before_there_is_a_reply_holds_the_first() -> None:
    session = Session(FoldingModel(), settings("steering.hold=true", "turns.reply_length=1"))
    session.tap(60, 200)
    session.wait(30_000)
    assert session.notes()[-1][0] > session.now - 5


def test_a_panic_stops_a_loop() -> None:
    session = scripted("turns.reply_length=2")
    session.tap(60, 200)
    session.wait(5000)
    session.set("hold", True)
    session.wait(1000)
    session.do("panic")
    count = len(session.log)
    session.wait(9000)
    assert len(session.log) == count
