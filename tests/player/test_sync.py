"""Playing in time with a DAW: where replies begin, what Start, Stop and a change of tempo do."""

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.player.active_notes import CLOCK, MODEL
from segued.timing.clock import Clock
from segued.timing.clock_sender import ClockSender

from ..support.fakes import FoldingModel, ScriptedModel, Session, settings, tokens
from ..support.performers import PERFORMANCES, Move
from ..timing.test_clock import CONTINUE, START, STOP, TICK, position

FOLDING = FoldingModel()


def scripted(script: str, *lines: str) -> Session:
    lines = ("sampling.temperature=0", *lines)
    return Session(ScriptedModel(tokens(script)), settings(*lines))


def roll(session: Session, beats: float, tempo: float = 120.0) -> None:
    """The sequencer runs for so many beats."""
    for _ in range(round(beats * 24)):
        session.receive(TICK)
        session.until(session.now + 60.0 / tempo / 24)
    session.until(math.ceil(session.now * 1000) / 1000)  # where `wait` counts from


def ons(session: Session) -> list[float]:
    return [time for time, note in session.notes() if note.startswith("on")]


REPLY = "v30 on64 t50 off64 on67 t25 off67"


@pytest.mark.parametrize(("launch_quantize", "first"), [("now", 0.9), ("beat", 1.0), ("bar", 2.0)])
def test_a_reply_begins_on_the_chosen_grid(launch_quantize: str, first: float) -> None:
    session = scripted(REPLY, f"sync.launch_quantize={launch_quantize}")
    session.tap(60, 200)
    session.wait(5000)
    assert ons(session)[0] == pytest.approx(first)
    assert len(ons(session)) == 2


def test_with_a_clock_it_begins_on_the_bar_of_the_song() -> None:
    session = scripted(REPLY, "sync.launch_quantize=bar")
    session.wait(330)
    session.receive(START)
    roll(session, 1)
    session.receive(b"\x90\x3c\x50")
    roll(session, 0.25)
    session.receive(b"\x80\x3c\x40")
    roll(session, 10)
    assert ons(session)[0] == pytest.approx(0.33 + 4 * 0.5, abs=0.005)


def test_a_key_before_the_bar_comes_takes_the_reply_back() -> None:
    session = scripted(REPLY, "sync.launch_quantize=bar")
    session.tap(60, 200)
    session.wait(1600)
    session.tap(60, 100)
    session.wait(5000)
    assert ons(session)[0] == pytest.approx(4.0)


def test_stop_silences_and_start_lets_it_play_again() -> None:
    session = scripted("v30 on64 t100 t100 off64 on67 t25 off67")
    session.tap(60, 200)
    session.wait(1000)
    session.receive(START)
    roll(session, 0.5)
    session.receive(STOP)
    time, note = session.notes()[-1]
    assert time == pytest.approx(session.now) and note == "off64"
    assert session.player.rests
    silent = len(session.replies)
    session.tap(62, 200)
    session.wait(5000)
    assert len(session.replies) == silent
    session.receive(START)
    session.wait(3000)
    assert len(session.replies) == silent, "it answered what was played before Start"
    session.tap(62, 200)
    session.wait(5000)
    assert len(session.replies) > silent


def test_after_stop_it_may_be_free() -> None:
    session = scripted(REPLY, "sync.stopped=free")
    session.receive(START)
    session.receive(STOP)
    session.tap(60, 200)
    session.wait(5000)
    assert len(ons(session)) == 2


def test_stop_means_nothing_where_no_clock_is_followed() -> None:
    session = scripted(REPLY, "sync.clock=ignore")
    session.receive(STOP)
    session.tap(60, 200)
    session.wait(5000)
    assert len(ons(session)) == 2


def test_solo_pauses_while_the_daw_is_stopped() -> None:
    session = Session(FOLDING, settings("steering.mode=solo"))
    session.wait(3000)
    session.receive(STOP)
    count = len(session.replies)
    session.wait(3000)
    assert count == len(session.replies) > 0
    session.receive(CONTINUE)
    session.wait(3000)
    assert len(session.replies) > count


def test_a_tempo_that_is_tapped_is_the_knobs() -> None:
    session = scripted(REPLY)
    for _ in range(3):
        session.do("tap")
        session.wait(400)
    assert session.player.knobs.tempo == pytest.approx(150.0)
    assert session.player.clock.tempo == pytest.approx(150.0)
    session.set("tempo", 60.0)
    assert session.player.clock.tempo == pytest.approx(60.0)


# --- the master


def sent(session: Session) -> list[tuple[float, bytes]]:
    """The clock that it sends."""
    return [(time, message) for time, owner, message in session.log if owner == CLOCK]


def test_as_the_master_it_sends_start_and_24_ticks_a_beat() -> None:
    session = scripted(REPLY, "sync.clock=send", "steering.tempo=100")
    session.wait(1190)
    rows = sent(session)
    assert [message for _, message in rows] == [START] + [TICK] * 48
    assert [time for time, _ in rows[1:]] == pytest.approx([i * 0.6 / 24 for i in range(48)])


def test_the_ticks_follow_the_tempo_and_stop_at_the_end() -> None:
    session = scripted(REPLY, "sync.clock=send", "steering.tempo=60")
    session.wait(1000)
    session.set("tempo", 240.0)
    session.wait(1000)
    assert len(sent(session)) == pytest.approx(1 + 24 + 96, abs=2)
    session.silence()
    rows = sent(session)
    assert rows[-1] == (session.ended, STOP)
    assert sum(message == STOP for _, message in rows) == 1
    session.player.go_on(session.now)
    session.wait(100)
    assert sent(session)[len(rows)][1] == START


def test_a_listener_to_its_clock_is_at_its_beat() -> None:
    session = scripted(REPLY, "sync.clock=send", "steering.tempo=133")
    session.wait(4321)
    listener = Clock()
    for time, message in sent(session):
        listener.receive(time, message)
    assert listener.tempo == pytest.approx(133.0)
    now = session.now + 1.0
    assert listener.beat_at(now) == pytest.approx(session.player.clock.beat_at(now), abs=1e-6)


def test_the_master_follows_nobody() -> None:
    session = scripted(REPLY, "sync.clock=send")
    session.receive(STOP)
    roll(session, 2, 60.0)
    assert session.player.clock.running
    assert session.player.clock.tempo == pytest.approx(120.0)


def test_after_a_long_halt_whole_bars_are_left_out() -> None:
    sent: list[bytes] = []
    clock = ClockSender(Clock(120.0), sent.append)
    for now in (0.0, 1000.25):
        clock.tick(now)
    assert sent[0] == START and sent[1:] == [TICK] * (len(sent) - 1)
    assert len(sent) < 200
    assert (len(sent) - 1) % 96 == (2000.5 * 24 + 1) % 96  # the beat of the bar is right


MESSAGES = st.one_of(st.sampled_from([START, CONTINUE, STOP]), st.integers(0, 16383).map(position))


@st.composite
def clocked(draw: st.DrawFn) -> list[Move | bytes | float]:
    """A performance with a random clock in between: bytes are sent, a number of beats rolls."""
    parts = draw(PERFORMANCES)
    clock = draw(st.lists(st.one_of(MESSAGES, st.floats(0.1, 4.0)), max_size=8))
    for thing in clock:
        parts.insert(draw(st.integers(0, len(parts))), thing)
    return parts


def perform(session: Session, parts: Sequence[Move | bytes | float], tempo: float) -> None:
    for part in parts:
        if isinstance(part, Move):
            part(session)
        elif isinstance(part, bytes):
            session.receive(part)
        else:
            roll(session, part, tempo)


SYNCS = st.sampled_from(
    [
        (),
        ("sync.launch_quantize=bar",),
        ("sync.launch_quantize=beat", "sync.beats_per_bar=3"),
        ("sync.launch_quantize=bar", "steering.mode=duet"),
        ("sync.stopped=free", "steering.mode=solo"),
        ("sync.clock=send", "steering.quantize_strength=1", "sync.stopped=free"),
    ]
)


@given(clocked(), SYNCS, st.floats(30.0, 300.0))
def test_no_clock_leaves_a_note_sounding_or_turns_time_back(
    parts: list[Move | bytes | float], lines: tuple[str, ...], tempo: float
) -> None:
    session = Session(FOLDING, settings("turns.silence=0.3", *lines))
    perform(session, parts, tempo)
    session.silence()
    assert not session.sounding(deaf=True)
    times = [time for time, _, _ in session.log]
    assert all(a <= b + 1e-9 for a, b in pairwise(times))
    stopped = False
    for _, owner, message in session.log:
        if owner is None and message in (START, CONTINUE, STOP):
            stopped = message == STOP
        if owner == MODEL and message[0] & 0xF0 == 0x90:
            assert not stopped or "sync.stopped=free" in lines
