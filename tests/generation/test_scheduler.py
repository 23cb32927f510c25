"""Planned notes on the clock: the grid, the tempo, late ones, the latency of the synth."""

from itertools import cycle, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.generation.reply import Token
from segued.generation.scheduler import Scheduler, Seconds
from segued.generation.shaping import Playing
from segued.player.active_notes import MODEL
from segued.timing.clock import GRID, Clock
from segued.tokens.events import MODEL_PART, NoteOff, NoteOn
from segued.tokens.tokenizer import decode

from ..player.test_sync import clocked, ons, perform, roll, scripted
from ..support.fakes import FoldingModel, Session, settings, sounds_of, words
from ..support.performers import PERFORMANCES, Move, what_sounded
from ..timing.test_clock import START

FOLDING = FoldingModel()


def staged(*notes: tuple[float, float, int], begin: float = 0.0, **playing: Any) -> list[str]:
    """What becomes of notes (begin, end, pitch) on a stage at 60 beats a minute, looked at every
    millisecond."""
    scheduler = Scheduler(Clock(60.0), Playing(**playing), begin, [])
    events: list[tuple[float, int, NoteOn | NoteOff]] = [
        (on, 1, NoteOn(on, pitch, 80, MODEL_PART)) for on, _, pitch in notes
    ]
    events += [(off, 0, NoteOff(off, pitch, MODEL_PART)) for _, off, pitch in notes]
    planned = sorted(events, key=lambda row: row[:2])
    said = []
    for now in np.arange(begin, begin + 10, 0.001):
        while planned and planned[0][0] <= scheduler.needed_until(now):
            time, _, event = planned.pop(0)
            scheduler.take(Token(0, time, [event], True), now)
        while (token := scheduler.due(now)) is not None:
            kinds = {NoteOn: "on", NoteOff: "off"}
            said += [f"{token.time:.3f} {kinds[type(e)]}{e.pitch}" for e in token.events]
    return said


# --- the grid


def test_without_strength_all_stays_where_it_was() -> None:
    assert staged((0.13, 0.47, 60)) == ["0.130 on60", "0.470 off60"]


def test_full_strength_draws_onsets_to_the_nearest_line_and_keeps_lengths() -> None:
    notes = [(0.13, 0.47, 60), (0.76, 0.9, 64), (1.1, 1.9, 62)]
    assert staged(*notes, quantize_strength=1.0) == [
        "0.250 on60", "0.590 off60", "0.750 on64", "0.890 off64", "1.000 on62", "1.800 off62",
    ]  # fmt: skip


def test_half_strength_draws_half_the_way() -> None:
    assert staged((0.2, 0.4, 60), quantize_strength=0.5) == ["0.225 on60", "0.425 off60"]


def test_another_grid() -> None:
    assert staged((0.4, 0.5, 60), quantize_strength=1.0, grid=1 / 3)[0] == "0.333 on60"


def test_no_note_is_drawn_to_before_the_reply_begins() -> None:
    assert staged((1.01, 1.2, 60), begin=1.01, quantize_strength=1.0)[0] == "1.250 on60"


def test_a_note_that_is_struck_again_ends_there() -> None:
    assert staged((0.14, 0.36, 60), (0.45, 0.7, 60), quantize_strength=1.0) == [
        "0.250 on60", "0.470 off60", "0.500 on60", "0.750 off60",
    ]  # fmt: skip
    assert staged((0.3, 0.62, 60), (0.63, 0.8, 60), quantize_strength=1.0, grid=0.5) == [
        "0.500 on60", "0.500 off60", "0.500 on60", "0.670 off60",
    ]  # fmt: skip


def test_what_lies_between_two_lines_becomes_a_chord_and_is_not_too_many() -> None:
    notes = [(0.24, 0.5, 60), (0.26, 0.5, 64), (0.3, 0.5, 67)]
    assert staged(*notes, quantize_strength=1.0)[:3] == ["0.250 on60", "0.250 on64", "0.250 on67"]
    said = staged(*notes, quantize_strength=1.0, polyphony=2)
    assert said[:4] == ["0.250 on60", "0.250 on64", "0.250 off60", "0.250 on67"]


# --- late


def late(
    policy: str, *notes: tuple[float, float, int], by: float = 0.3, **playing: Any
) -> list[Any]:
    """The machine stands still from the beginning on, for so long."""
    scheduler = Scheduler(Seconds(), Playing(late_notes=policy, **playing), 0.0, [])
    for on, off, pitch in notes:
        scheduler.take(Token(0, on, [NoteOn(on, pitch, 80, MODEL_PART)], True), 0.0)
        scheduler.take(Token(0, off, [NoteOff(off, pitch, MODEL_PART)], True), 0.0)
    said = []
    for now in np.arange(by, 5.0, 0.001):
        while (token := scheduler.due(now)) is not None:
            for event in token.events:
                said.append((round(now, 2), type(event).__name__[4:], event.pitch))
    return said


NOTES = [(0.1, 0.2, 60), (0.2, 0.5, 62), (0.6, 0.7, 64)]


def test_late_notes_are_shifted_with_all_that_follows() -> None:
    assert [row[:2] for row in late("shift", *NOTES)] == [
        (0.3, "On"), (0.4, "Off"), (0.4, "On"), (0.7, "Off"), (0.8, "On"), (0.9, "Off"),
    ]  # fmt: skip


def test_late_notes_are_dropped() -> None:
    assert [row for row in late("drop", *NOTES) if row[1] == "On"] == [(0.6, "On", 64)]


def test_late_notes_are_shortened_and_those_that_are_over_left_out() -> None:
    assert [row for row in late("shorten", *NOTES) if row[2] != 60] == [
        (0.3, "On", 62), (0.5, "Off", 62), (0.6, "On", 64), (0.7, "Off", 64),
    ]  # fmt: skip
    assert (0.3, "On", 60) not in late("shorten", *NOTES)


def test_late_notes_on_a_grid_are_shifted_by_whole_lines() -> None:
    ons = [row[0] for row in late("shift", *NOTES, quantize_strength=1.0) if row[1] == "On"]
    assert ons == [0.5, 0.75, 1.0]


def test_little_late_is_not_late() -> None:
    assert late("drop", *NOTES, by=0.115)[0] == (0.12, "On", 60)


# --- the whole instrument


TWO = "v30 on64 t50 off64 on67 t25 off67"


def test_a_reply_goes_with_the_tempo_of_the_song() -> None:
    """Half a second is a beat at 120; the song slows down to 60 as it plays."""
    lines = ("sync.launch_quantize=beat", "turns.reply_length=20")
    session = scripted("v30 on64 t100 off64 on67 t100 off67 on69 t100", *lines)
    session.receive(START)
    roll(session, 1)
    session.receive(b"\x90\x3c\x50")
    roll(session, 0.5)
    session.receive(b"\x80\x3c\x40")
    roll(session, 3.5)  # it begins on the fourth beat
    roll(session, 12, 60.0)
    beats = [session.player.clock.beat_at(time) for time in ons(session)]
    gaps = [b - a for a, b in pairwise(ons(session))]
    assert len(beats) == 3
    assert gaps[0] == pytest.approx(1.0, abs=0.6)
    assert gaps[1] == pytest.approx(2.0, abs=0.1)


def test_what_was_drawn_to_the_grid_is_heard_as_it_sounded() -> None:
    lines = ("steering.quantize_strength=1", "steering.tempo=60", "sync.launch_quantize=beat")
    session = scripted("v30 on64 t40 off64 t20 on67 t25 off67", *lines)
    session.tap(60, 200)
    session.wait(6000)
    assert session.notes() == [
        (1.0, "on64"), (1.4, "off64"), (1.5, "on67"), (1.75, "off67")
    ]  # fmt: skip
    session.silence()
    assert words(session.heard).startswith("v19 on60 t20 off60 t80 v30 on64 t40 off64 t10 on67")


@pytest.mark.parametrize(
    "lines", [(), ("steering.quantize_strength=1", "sync.launch_quantize=beat")]
)
def test_notes_are_sent_before_they_are_due_to_a_synth_that_is_late(lines: tuple[Any, ...]) -> None:
    parts = []
    for latency in (0, 40, -40):
        session = scripted(TWO, *lines, f"sync.output_latency_ms={latency}")
        session.tap(60, 200)
        session.wait(5000)
        parts.append(session.notes())
    on_time, early, after = parts
    assert [t + 0.04 for t, _ in early] == pytest.approx([t for t, _ in on_time])
    assert [t - 0.04 for t, _ in after] == pytest.approx([t for t, _ in on_time])


@pytest.mark.parametrize("mode", ["continue", "duet"])
def test_a_key_silences_what_was_sent_early(mode: str) -> None:
    session = scripted(TWO, "sync.output_latency_ms=100", f"steering.mode={mode}")
    session.tap(60, 200)
    session.until(0.85)
    session.tap(48, 100)
    session.wait(9000)
    session.silence()
    assert not session.sounding(deaf=True)


GRIDDED = st.sampled_from(
    [
        (),
        ("sync.launch_quantize=bar", "sync.grid=eighth triplet"),
        ("steering.mode=duet",),
        ("steering.mode=solo", "sync.grid=quarter"),
        ("sync.output_latency_ms=35",),
        ("sync.late_notes=drop", "steering.polyphony=2"),
    ]
)


@given(PERFORMANCES, GRIDDED, st.sampled_from([47.0, 120.0, 283.0]))
def test_at_full_strength_every_note_begins_on_the_grid(
    performance: list[Move], lines: tuple[str, ...], tempo: float
) -> None:
    lines = (f"steering.tempo={tempo}", "steering.quantize_strength=1", "turns.silence=0.3", *lines)
    session = Session(FOLDING, settings(*lines))
    performance = [move for move in performance if b"\xf8" not in move.arguments]
    perform(session, performance, tempo)  # without a tick, so that beats stay where they were
    session.silence()
    sync = session.config.sync
    for time, message in session.replies:
        if message[0] & 0xF0 == 0x90:
            beat = session.player.clock.beat_at(time + sync.output_latency_ms / 1000)
            line = beat / GRID[sync.grid]
            assert line == pytest.approx(round(line), abs=1e-4)


STAGED = st.sampled_from(
    [
        ("steering.quantize_strength=1", "steering.tempo=300"),
        ("steering.quantize_strength=0.7", "sync.launch_quantize=beat", "turns.silence=0.3"),
        ("steering.quantize_strength=1", "turns.silence=0.2", "sync.grid=eighth"),
        ("sync.late_notes=drop", "turns.silence=0.3"),
    ]
)


@given(PERFORMANCES, STAGED)
def test_the_memory_is_what_sounded_on_the_grid(
    performance: list[Move], lines: tuple[str, ...]
) -> None:
    session = Session(FOLDING, settings(*lines))
    perform(session, performance, 120.0)
    session.silence()
    assert sounds_of(decode(session.heard)) == what_sounded(session)


LATE = st.sampled_from(["shift", "drop", "shorten"])


@given(clocked(), LATE, st.lists(st.integers(0, 3), min_size=1), st.sampled_from([0.0, 0.5, 1.0]))
def test_a_slow_machine_leaves_no_note_sounding_and_the_state_of_what_was_heard(
    parts: list[Any], policy: str, thoughts: list[int], strength: float
) -> None:
    ration = cycle([*thoughts, 2])
    lines = (
        f"sync.late_notes={policy}",
        f"steering.quantize_strength={strength}",
        "turns.silence=0.3",
    )
    session = Session(FOLDING, settings(*lines), thoughts=lambda: next(ration), poll=0.05)
    perform(session, parts, 133.0)
    session.silence()
    assert not session.sounding(deaf=True)
    context = session.player.improviser.context
    assert np.array_equal(context.state, FOLDING.state_after(session.heard))
    times = [time for time, owner, _ in session.log if owner == MODEL]
    assert all(a <= b + 1e-9 for a, b in pairwise(times))
