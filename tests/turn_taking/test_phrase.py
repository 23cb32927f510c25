"""Whose turn it is, told by what the performer does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.timing.clock import Clock
from segued.tokens.events import Event, NoteOff, NoteOn, Pedal
from segued.turn_taking.phrase import Bars, Phrase, PhraseTracker, Silence, Trigger


def in_silence(seconds: float) -> PhraseTracker:
    return PhraseTracker(Silence(seconds, Clock()))


def turns_after(*events: Event, silence: float = 0.5) -> PhraseTracker:
    turns = in_silence(silence)
    for event in events:
        turns.hear(event)
    return turns


def test_before_anything_is_played_no_turn_comes() -> None:
    assert in_silence(0.5).deadline is None


def test_the_turn_comes_when_the_last_key_has_been_up_for_the_silence() -> None:
    assert turns_after(NoteOn(1, 60, 80)).deadline is None
    assert turns_after(NoteOn(1, 60, 80), NoteOff(2, 60)).deadline == 2.5


def test_it_waits_for_every_key() -> None:
    turns = turns_after(NoteOn(1, 60, 80), NoteOn(1, 64, 80), NoteOff(2, 60))
    assert turns.deadline is None
    turns.hear(NoteOff(3, 64))
    assert turns.deadline == 3.5


def test_keys_of_two_parts_are_two_keys() -> None:
    turns = turns_after(NoteOn(1, 60, 80, 0), NoteOn(1, 60, 80, 1), NoteOff(2, 60, 0))
    assert turns.deadline is None
    turns.hear(NoteOff(3, 60, 1))
    assert turns.deadline == 3.5


def test_playing_on_puts_it_off() -> None:
    turns = turns_after(NoteOn(1, 60, 80), NoteOff(2, 60), NoteOn(2.4, 62, 80))
    assert turns.deadline is None
    turns.hear(NoteOff(2.6, 62))
    assert turns.deadline == 3.1
    assert turns.phrase == Phrase(1, 2.6, 2)


def test_the_pedal_and_stray_note_offs_put_nothing_off() -> None:
    turns = turns_after(NoteOn(1, 60, 80), NoteOff(2, 60), Pedal(2.2, True), NoteOff(2.3, 61))
    assert turns.deadline == 2.5


def test_a_phrase_is_as_long_as_from_the_first_key_to_the_last_release() -> None:
    turns = turns_after(NoteOn(1, 60, 80), NoteOn(2, 64, 80), NoteOff(4, 60), NoteOff(4.5, 64))
    assert turns.phrase == Phrase(1, 4.5, 2)
    assert turns.phrase.length == 3.5
    turns.hear(NoteOn(4.6, 60, 80))
    assert turns.phrase == Phrase(1, 4.6, 3)


def test_once_taken_the_turn_does_not_come_again() -> None:
    turns = turns_after(NoteOn(1, 60, 80), NoteOff(2, 60))
    turns.end_phrase()
    assert turns.deadline is None
    turns.hear(NoteOff(3, 60))
    assert turns.deadline is None
    for event in (NoteOn(9, 60, 80), NoteOff(10, 60)):
        turns.hear(event)
    assert turns.deadline == 10.5
    assert turns.phrase == Phrase(9, 10, 1)


def test_all_notes_off_lifts_the_keys_of_its_part() -> None:
    turns = turns_after(NoteOn(1, 60, 80, 0), NoteOn(1, 62, 80, 1))
    turns.release(2, 0)
    assert turns.deadline is None
    turns.release(3, 1)
    assert turns.deadline == 3.5
    turns.release(4, 1)
    assert turns.deadline == 3.5


def test_what_is_forgotten_asks_for_no_turn() -> None:
    turns = turns_after(NoteOn(1, 60, 80))
    turns.forget()
    assert turns.deadline is None
    turns.hear(NoteOff(2, 60))
    assert turns.deadline is None


# --- other rules


def test_beats_are_counted_at_the_tempo() -> None:
    clock = Clock(60.0)
    turns = PhraseTracker(Silence("2 beats", clock))
    for event in (NoteOn(1, 60, 80), NoteOff(2, 60)):
        turns.hear(event)
    assert turns.deadline == pytest.approx(4.0)
    clock.set_tempo(2.0, 120.0)
    assert turns.deadline == pytest.approx(3.0)


def test_by_hand_no_turn_comes() -> None:
    turns = PhraseTracker(Trigger())
    for event in (NoteOn(1, 60, 80), NoteOff(2, 60)):
        turns.hear(event)
    assert turns.deadline is None


def in_bars(*notes: float, bars: int = 2, synced: bool = False) -> tuple[PhraseTracker, Bars]:
    """Short notes at these times, at 120 with four beats: a bar is two seconds."""
    clock = Clock(120.0)
    clock.synced = synced
    rule = Bars(bars, clock)
    turns = PhraseTracker(rule)
    for time in notes:
        turns.hear(NoteOn(time, 60, 80))
        turns.hear(NoteOff(time + 0.1, 60))
    return turns, rule


def test_bars_are_counted_from_the_first_key() -> None:
    turns, rule = in_bars(1.0, 2.0)
    assert turns.deadline == pytest.approx(5.0)
    assert rule.length(5.0) == pytest.approx(4.0)


def test_with_a_clock_bars_are_those_of_the_song() -> None:
    turns, rule = in_bars(1.0, 2.0, synced=True)
    assert turns.deadline == pytest.approx(4.0)
    assert rule.length(4.0) == pytest.approx(4.0)
    turns, _ = in_bars(5.0, synced=True)  # in the model's bars: the next ones are meant
    assert turns.deadline == pytest.approx(12.0)


def test_a_key_that_is_held_over_the_bar_holds_nothing_back() -> None:
    turns, _ = in_bars(1.0)
    turns.hear(NoteOn(4.9, 64, 80))
    assert turns.deadline == pytest.approx(5.0)


def test_an_exchange_of_bars_goes_on_and_begins_anew() -> None:
    turns, _ = in_bars(1.0)
    turns.end_phrase()
    assert turns.deadline is None
    turns.hear(NoteOn(9.5, 60, 80))  # in their own bars, from 9 to 13
    assert turns.deadline == pytest.approx(13.0)
    turns.end_phrase()
    turns.hear(NoteOn(14.0, 60, 80))  # in the model's: bars are counted from here
    assert turns.deadline == pytest.approx(18.0)


def test_a_key_that_is_down_for_an_hour_does_not_hold_it_back_for_ever() -> None:
    turns = PhraseTracker(Silence(0.5, Clock()), longest_key=60.0)
    turns.hear(NoteOn(1, 60, 80))
    turns.hear(NoteOn(2, 64, 80))
    turns.hear(NoteOff(3, 64))
    assert turns.deadline is None
    assert turns.key_expires == 61.0
    turns.advance(60.9)
    assert turns.deadline is None
    turns.advance(70.0)
    assert turns.deadline == 61.5
    turns.hear(NoteOff(3600, 60))
    assert turns.deadline == 61.5


def test_the_last_phrase_is_remembered() -> None:
    turns = turns_after(NoteOn(1, 60, 80), NoteOff(2, 60))
    assert turns.last is None
    turns.end_phrase()
    assert turns.last == Phrase(1, 2, 1)
    turns.end_phrase()
    assert turns.last == Phrase(1, 2, 1)


EVENTS = st.lists(
    st.one_of(
        st.builds(NoteOn, st.just(0.0), st.integers(60, 62), st.just(80), st.integers(0, 1)),
        st.builds(NoteOff, st.just(0.0), st.integers(60, 62), st.integers(0, 1)),
        st.builds(Pedal, st.just(0.0), st.booleans(), st.integers(0, 1)),
    )
)


@given(EVENTS, st.floats(0.05, 60))
def test_there_is_a_deadline_when_something_was_played_and_no_key_is_held(
    events: list[Event], silence: float
) -> None:
    turns, held, last = in_silence(silence), set(), None
    for time, event in enumerate(events):
        if isinstance(event, NoteOn):
            held.add((event.part, event.pitch))
            last = time
            turns.hear(NoteOn(time, event.pitch, 80, event.part))
        elif isinstance(event, NoteOff):
            if (event.part, event.pitch) in held:
                held.remove((event.part, event.pitch))
                last = time
            turns.hear(NoteOff(time, event.pitch, event.part))
        else:
            turns.hear(Pedal(time, event.down, event.part))
        expected = None if held or last is None else last + silence
        assert turns.deadline == (None if expected is None else pytest.approx(expected))
