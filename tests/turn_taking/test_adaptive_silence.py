"""The wait after which it answers: by the tempo, by the clock, and by where the phrase stands."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.control.knobs import Knobs
from segued.generation.steering import Steering
from segued.midi.messages import START, TIMING_CLOCK
from segued.timing.clock import Clock
from segued.tokens.events import Event, NoteOff, NoteOn
from segued.turn_taking.adaptive_silence import (
    BEATS,
    CLOSED,
    LONGER,
    LONGEST,
    OPEN,
    OUTLASTED,
    SHORTEST,
    AdaptiveSilence,
)
from segued.turn_taking.options import USUAL_SILENCE
from segued.turn_taking.phrase import PhraseTracker

from ..support.fakes import FoldingModel, Session, settings

Notes = Sequence[tuple[float, float, int]]
"""Seconds of the key and of its release, and the pitch."""

C_MAJOR = (60, 64, 67, 72, 71, 67, 65, 62, 64, 60, 64, 67, 65, 62, 59)


def tune(beat: float, last: tuple[float, int] = (1.0, 62)) -> Notes:
    """Four bars of crotchets in C; then a last note: beats and pitch."""
    notes = [(i * beat, (i + 0.8) * beat, pitch) for i, pitch in enumerate(C_MAJOR)]
    start = len(C_MAJOR) * beat
    return [*notes, (start, start + last[0] * beat, last[1])]


class Performer:
    """Somebody who plays to the rule."""

    def __init__(self, clock: Clock | None = None) -> None:
        config = settings()
        self.clock = clock or Clock()
        self.steering = Steering(config.sampling, 1.0, config.sync, Knobs(config.knobs()), 0)
        self.rule = AdaptiveSilence(self.clock, self.steering)
        self.turns = PhraseTracker(self.rule)

    def play(self, notes: Notes) -> float:
        """Play; the seconds that it waits then."""
        played: list[Event] = [NoteOff(off, pitch) for _, off, pitch in notes]
        played += [NoteOn(on, pitch, 80) for on, _, pitch in notes]
        for event in sorted(played, key=lambda event: event.time):
            self.turns.hear(event)
            self.steering.hear(event)
        deadline, quiet = self.turns.deadline, self.turns.quiet_since
        assert deadline is not None and quiet is not None
        return deadline - quiet


def wait(notes: Notes) -> float:
    return Performer().play(notes)


@given(
    st.lists(st.tuples(st.floats(0.05, 3), st.floats(0.01, 3), st.integers(21, 108)), min_size=1)
)
def test_the_wait_has_bounds_and_is_the_same_every_time(steps: list[Any]) -> None:
    notes, now = [], 0.0
    for gap, length, pitch in steps:
        now += gap
        notes.append((now, now + length, pitch))
    assert SHORTEST <= wait(notes) <= LONGEST
    assert wait(notes) == wait(notes)


def test_to_ask_for_the_deadline_changes_nothing() -> None:
    """So that a status or a metric may look, and a recording is replayed without it."""
    asked, left_alone = Performer(), Performer()
    notes = [(on / 20, off / 20, pitch) for on, off, pitch in tune(0.5)]  # chords in the making
    for note in notes:
        asked.play([note])
    left_alone.play(notes)
    assert asked.play(tune(0.5)) == left_alone.play(tune(0.5))
    assert asked.steering.tempo.pulse(60.0) == left_alone.steering.tempo.pulse(60.0)


@given(st.floats(0.01, 60))
def test_a_single_note_is_answered_after_the_usual_time(length: float) -> None:
    assert wait([(1.0, 1.0 + length, 60)]) == pytest.approx(USUAL_SILENCE)


@pytest.mark.parametrize("beat", [0.45, 0.6, 0.75])
def test_a_wait_is_measured_in_beats(beat: float) -> None:
    assert BEATS * CLOSED * 0.97 <= wait(tune(beat)) / beat <= BEATS * OPEN * 1.03


def test_the_slower_the_longer() -> None:
    waits = [wait(tune(60 / tempo)) for tempo in (126, 112, 100, 90, 80)]
    assert waits == sorted(waits) and waits[-1] > 1.4 * waits[0]


def test_after_a_close_it_comes_sooner_than_in_mid_phrase() -> None:
    short_second = wait(tune(0.6, (0.3, 62)))
    long_second, long_tonic = wait(tune(0.6, (3.0, 62))), wait(tune(0.6, (3.0, 60)))
    assert long_tonic < long_second < short_second
    assert short_second == pytest.approx(BEATS * OPEN * 0.6, rel=0.02)


def test_the_clock_of_the_daw_overrules_the_playing() -> None:
    clock, now, period = Clock(), 0.0, 60 / 80 / 24
    clock.receive(now, bytes((START,)))
    while now < 12.0:
        clock.receive(now, bytes((TIMING_CLOCK,)))
        now += period
    mine, by_the_clock = Performer().play(tune(0.5)), Performer(clock).play(tune(0.5))
    assert by_the_clock / mine == pytest.approx(0.75 / 0.5, rel=0.03)


def riff(times: int, beat: float = 0.55, rest: float = 2.0, length: float = 2.0) -> Notes:
    """A figure that closes on the tonic, and a rest, again and again."""
    notes: list[tuple[float, float, int]] = []
    for i in range(times):
        at = i * (4 + length + rest) * beat
        notes += [(at + j * beat, at + (j + 0.9) * beat, p) for j, p in enumerate((67, 65, 64, 62))]
        notes.append((at + 4 * beat, at + (4 + length) * beat, 60))
    return notes


def test_who_has_paused_and_gone_on_may_do_so_again() -> None:
    """A rest of so many beats is outlasted the next time, if that is not too late an answer."""
    usual = BEATS * 0.55
    assert wait(riff(4, rest=0.0)) < 0.85 * usual
    assert wait(riff(2, rest=1.4)) == pytest.approx(OUTLASTED * 1.4 * 0.55, rel=0.05)
    assert OUTLASTED * 2.0 > LONGER * BEATS
    assert wait(riff(4, rest=2.0)) == pytest.approx(usual, rel=0.03)


def test_what_was_paused_is_forgotten_with_the_exchange() -> None:
    performer = Performer()
    performer.play(riff(4))
    assert len(performer.turns.pauses) == 3
    performer.turns.forget_exchange()
    assert not performer.turns.pauses
    assert performer.turns.deadline == pytest.approx(performer.turns.phrase.end + USUAL_SILENCE)


@given(st.lists(st.floats(0.0, 6.0), min_size=2, max_size=20))
def test_a_pause_is_a_silence_after_which_somebody_soon_plays_on(silences: list[float]) -> None:
    performer, now, expected = Performer(), 5.0, []
    for silence in silences:
        performer.play([(now, now + 0.2, 60)])
        now += 0.2 + silence
        if 0.251 < silence < 2.499:
            expected.append(silence)
        if math.isclose(silence, 0.25, abs_tol=0.002) or math.isclose(silence, 2.5, abs_tol=0.002):
            return
    performer.play([(now, now + 0.2, 60)])
    assert [*performer.turns.pauses] == pytest.approx(expected[-6:])


def test_the_player_answers_after_that_wait() -> None:
    """Seconds as they are set stay fixed; `auto` is the default."""
    waits = {}
    for line in ("turns.silence=auto", "turns.silence=0.7"):
        session = Session(FoldingModel(), settings(line, "sync.launch_quantize=now"))
        for pitch in C_MAJOR:
            session.tap(pitch, 600)
            session.wait(150)
        released = session.now - 0.15
        session.await_note()
        waits[line] = session.replies[0][0] - released
    assert waits["turns.silence=0.7"] == pytest.approx(0.7, abs=0.011)
    assert waits["turns.silence=auto"] > 1.0
