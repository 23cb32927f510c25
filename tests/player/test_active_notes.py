"""What sounds on the wire, on a synth that gives each note-on a voice of its own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.player.active_notes import MODEL, MOST_VOICES, PERFORMER, ActiveNotes

from ..support.fakes import Synth, control, note_off, note_on


class OutputChain:
    """ActiveNotes with a synth at its other end."""

    def __init__(self, deaf: bool = True) -> None:
        self.active = ActiveNotes()
        self.synth = Synth(deaf)
        self.began: list[int] = []
        self.ended: list[int] = []

    def on(self, owner: int, pitch: int = 60, channel: int = 0) -> None:
        self.active.note_on(owner, channel, pitch)
        self.began.append(owner)
        self.synth.take(note_on(pitch, 80, channel))

    def off(self, owner: int, pitch: int = 60, channel: int = 0) -> int:
        going = self.active.note_off(owner, channel, pitch)
        self.ended += going
        for _ in going:
            self.synth.take(note_off(pitch, channel=channel))
        return len(going)


def test_a_note_and_its_end() -> None:
    output = OutputChain()
    output.on(MODEL)
    assert output.active.of(MODEL) == [(0, 60)]
    assert output.active.of(PERFORMER) == []
    assert output.off(MODEL) == 1
    assert output.synth.sounding == set()
    assert len(output.active) == 0


@pytest.mark.parametrize(("first", "second"), [(MODEL, PERFORMER), (PERFORMER, MODEL)])
def test_neither_cuts_the_other_off(first: int, second: int) -> None:
    """Whoever lets go first is silent about it; the last one ends both note-ons."""
    for leaving, staying in ((first, second), (second, first)):
        output = OutputChain()
        output.on(first)
        output.on(second)
        assert output.off(leaving) == 0
        assert output.active.of(leaving) == []
        assert output.active.of(staying) == [(0, 60)]
        assert output.synth.sounding == {(0, 60)}
        assert output.off(staying) == 2
        assert output.synth.sounding == set()


def test_who_strikes_again_and_again_beside_the_other_leaves_nothing() -> None:
    output = OutputChain()
    output.on(MODEL)
    for _ in range(3):
        output.on(PERFORMER)
        assert output.off(PERFORMER) == 0
    assert output.off(MODEL) == 4
    assert output.synth.sounding == set()


def test_a_note_off_for_what_nobody_holds_goes_out() -> None:
    assert OutputChain().off(PERFORMER) == 1


def test_a_performer_who_strikes_twice_is_passed_on_as_he_plays() -> None:
    output = OutputChain()
    output.on(PERFORMER)
    output.on(PERFORMER)
    assert [output.off(PERFORMER), output.off(PERFORMER)] == [1, 1]
    assert len(output.active) == 0


def test_channels_and_pitches_are_apart() -> None:
    output = OutputChain()
    output.on(MODEL, 60, 0)
    output.on(PERFORMER, 60, 1)
    output.on(PERFORMER, 61, 0)
    assert output.off(PERFORMER, 60, 1) == 1
    assert output.off(PERFORMER, 61, 0) == 1
    assert output.active.of(MODEL) == [(0, 60)]


def test_silence_is_each_notes_own_end_then_pedal_and_all_notes_off() -> None:
    active = ActiveNotes()
    active.note_on(MODEL, 3, 60)
    active.note_on(PERFORMER, 3, 64)
    active.channels.add(5)
    assert list(active.silence()) == [
        note_off(60, channel=3),
        note_off(64, channel=3),
        control(64, 0, 3),
        control(66, 0, 3),
        control(69, 0, 3),
        control(123, 0, 3),
        control(64, 0, 5),
        control(66, 0, 5),
        control(69, 0, 5),
        control(123, 0, 5),
    ]
    assert next(active.silence()) == control(64, 0, 3)
    assert len(active) == 0


def test_panic_is_for_every_channel() -> None:
    active = ActiveNotes()
    active.note_on(MODEL, 3, 60)
    messages = list(active.panic())
    assert messages[0] == note_off(60, channel=3)
    for channel in range(16):
        for controller in (64, 123, 120):
            assert control(controller, 0, channel) in messages


def test_a_machine_that_never_lets_go_costs_little() -> None:
    """Drum machines exist that send note-ons only."""
    active = ActiveNotes()
    for _ in range(100_000):
        active.note_on(PERFORMER, 9, 36)
    assert len(list(active.silence())) <= MOST_VOICES + 4


DEEDS = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from([MODEL, PERFORMER]),
        st.integers(60, 61),
        st.integers(0, 1),
    ),
    max_size=MOST_VOICES,
)


@given(DEEDS, st.booleans())
def test_silence_ends_all_that_sounds(deeds: list[Any], deaf: bool) -> None:
    output = OutputChain(deaf)
    for begins, owner, pitch, channel in deeds:
        (output.on if begins else output.off)(owner, pitch, channel)
    for message in output.active.silence():
        output.synth.take(message)
    assert output.synth.sounding == set()


@given(DEEDS)
def test_each_note_on_of_the_models_has_its_own_note_off(deeds: list[Any]) -> None:
    """Whatever the performer does with the same key: its track stands alone in a file."""
    output = OutputChain()
    for begins, owner, pitch, channel in deeds:
        (output.on if begins else output.off)(owner, pitch, channel)
    for owner in (MODEL, PERFORMER):
        for channel, pitch in output.active.of(owner):
            output.off(owner, pitch, channel)
    struck_twice = output.began.count(MODEL) - output.ended.count(MODEL)
    pairs = [(pitch, channel) for begins, who, pitch, channel in deeds if begins and who == MODEL]
    if len(pairs) == len({*pairs}):
        assert struck_twice <= 0


@given(DEEDS)
def test_a_key_sounds_as_long_as_somebody_holds_it(deeds: list[Any]) -> None:
    """And not a moment longer, unless a performer struck it twice and let it go once."""
    output, held, twice = OutputChain(), set(), set()
    for begins, owner, pitch, channel in deeds:
        key = (channel, pitch)
        if begins:
            twice |= {key} if (owner, key) in held else set()
            held.add((owner, key))
            output.on(owner, pitch, channel)
        else:
            held.discard((owner, key))
            output.off(owner, pitch, channel)
        holders = {key for _, key in held}
        assert holders <= output.synth.sounding <= holders | twice
        assert {key for who, key in held if who == MODEL} == set(output.active.of(MODEL))
        assert {key for who, key in held if who == PERFORMER} == set(output.active.of(PERFORMER))
