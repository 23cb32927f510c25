"""MPE: a zone of many channels is one instrument, at the pitch at which its notes begin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.midi.mpe import Mpe
from segued.settings.yaml_file import load_settings

from ..support.fakes import (
    FoldingModel,
    Session,
    Synth,
    control,
    note_off,
    note_on,
    pedal,
    settings,
)


def configure(members: int, manager: int = 0) -> list[bytes]:
    """The MPE configuration message: registered parameter 6."""
    return [control(101, 0, manager), control(100, 6, manager), control(6, members, manager)]


def bend(semitones: float, channel: int, span: float = 48.0) -> bytes:
    value = min(16383, round(8192 + 8192 * semitones / span))
    return bytes((0xE0 | channel, value & 0x7F, value >> 7))


def feed(mpe: Mpe, *messages: bytes) -> tuple[list[bytes], list[bytes]]:
    """What goes thru and what is heard."""
    both = [mpe.receive(message) for message in messages]
    return [thru for thru, _ in both if thru], [heard for _, heard in both if heard]


def test_without_a_zone_all_stays_as_it_is() -> None:
    for mpe in (Mpe("off"), Mpe("auto")):
        messages = [note_on(60, 80, 3), bend(2, 3), note_off(60, 1, 3), pedal(True, 3), b"\xd3\x10"]
        assert feed(mpe, *messages) == (messages, messages)


def test_off_does_not_listen_to_the_keyboard() -> None:
    mpe = Mpe("off")
    feed(mpe, *configure(15))
    assert not mpe.active


def test_zones_can_be_announced_to_another() -> None:
    for messages in ([], configure(3), [*configure(3), *configure(2, 15)], configure(15, 15)):
        mpe, other = Mpe("auto"), Mpe("auto")
        feed(mpe, *messages)
        feed(other, *mpe.announcement())
        assert [mpe.home(c) for c in range(16)] == [other.home(c) for c in range(16)]


def test_members_are_heard_on_the_managers_channel() -> None:
    mpe = Mpe("auto")
    feed(mpe, *configure(15))
    played = [note_on(60, 80, 1), note_on(64, 70, 2), note_off(60, 50, 1), note_off(64, 40, 2)]
    thru, heard = feed(mpe, *played)
    assert thru == played
    assert heard == [note_on(60, 80), note_on(64, 70), note_off(60, 50), note_off(64, 40)]


def test_a_zone_has_the_members_that_it_was_given() -> None:
    mpe = Mpe("auto")
    feed(mpe, *configure(3), *configure(2, 15))
    homes = [mpe.home(channel) for channel in range(16)]
    assert homes == [0, 0, 0, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 15, 15]
    feed(mpe, *configure(0))
    assert [mpe.home(channel) for channel in range(4)] == [0, 1, 2, 3]
    feed(mpe, *configure(15))
    assert {mpe.home(channel) for channel in range(16)} == {0}


def test_the_newer_zone_takes_members_from_the_older() -> None:
    mpe = Mpe("auto")
    feed(mpe, *configure(10), *configure(10, 15))
    assert [mpe.home(channel) for channel in range(16)] == [0] * 5 + [15] * 11


@pytest.mark.parametrize(
    ("semitones", "heard"), [(0, 60), (0.4, 60), (0.6, 61), (-0.6, 59), (12, 72), (47, 107)]
)
def test_a_note_begins_at_the_semitone_nearest_to_its_bend(semitones: float, heard: int) -> None:
    mpe = Mpe("lower")
    _, notes = feed(mpe, bend(semitones, 1), note_on(60, 80, 1), bend(7, 1), note_off(60, 64, 1))
    assert notes == [note_on(heard), note_off(heard)]


def test_the_keyboard_may_set_another_range_of_the_bend() -> None:
    mpe = Mpe("lower")
    feed(mpe, control(101, 0, 1), control(100, 0, 1), control(6, 24, 1))
    assert feed(mpe, bend(12, 2, 24.0), note_on(60, 80, 2))[1] == [note_on(72)]


def test_one_pitch_on_two_members_ends_with_the_last() -> None:
    mpe = Mpe("lower")
    _, heard = feed(mpe, note_on(60, 80, 1), note_on(60, 90, 2), note_off(60, 64, 1))
    assert heard == [note_on(60, 80), note_on(60, 90)]
    assert feed(mpe, note_off(60, 64, 2))[1] == [note_off(60)]


def test_flat_thru_is_plain_notes_and_pedals_on_one_channel() -> None:
    mpe = Mpe("auto", flat=True)
    thru, _ = feed(
        mpe, *configure(15), bend(1, 4), note_on(60, 80, 4), control(74, 30, 4), b"\xd4\x20",
        bytes((0xA4, 60, 9)), bend(3, 4), note_off(60, 64, 4), bend(1, 0), pedal(True, 0),
        control(1, 9, 4),
    )  # fmt: skip
    assert thru == [
        control(101, 0), control(100, 6), note_on(61), note_off(61), bend(1, 0), pedal(True),
        control(1, 9),
    ]  # fmt: skip


def test_what_shapes_one_note_turns_no_knob_but_the_manager_does() -> None:
    lines = [
        "ports.mpe=lower",
        "control.map=[{cc: 74, knob: temperature}]",
        "control.pick_up=false",
    ]
    session = Session(FoldingModel(), settings(*lines))
    session.receive(control(74, 127, 5))
    assert session.player.knobs.temperature == 1.0
    session.receive(control(74, 127, 0))
    assert session.player.knobs.temperature == 4.0
    assert session.passed == [control(74, 127, 5)]


def test_the_reply_is_not_played_on_a_member_channel() -> None:
    """There each channel's bend is one note's own."""
    for mode, manager in (("lower", 0), ("upper", 15)):
        session = Session(FoldingModel(), settings(f"ports.mpe={mode}"))
        session.tap(60, 200, channel=7)
        session.wait(2000)
        assert {message[0] & 0x0F for _, message in session.replies} == {manager}


def test_an_mpe_performance_is_heard_as_the_same_one_on_one_channel() -> None:
    heard = []
    for spread in (False, True):
        session = Session(FoldingModel(), settings(f"ports.mpe={'lower' if spread else 'off'}"))
        for i, pitch in enumerate((60, 64, 67, 72)):
            session.receive(note_on(pitch, 80, i + 1 if spread else 0))
            session.wait(100)
        session.receive(pedal(True))
        for i, pitch in enumerate((60, 64, 67, 72)):
            session.receive(note_off(pitch, channel=i + 1 if spread else 0))
            session.wait(50)
        session.receive(pedal(False))
        session.wait(3000)
        heard.append(session.heard)
    assert heard[0] == heard[1]


CHANNEL = st.integers(0, 15)
DATA = st.sampled_from([0, 1, 5, 6, 15, 38, 60, 61, 64, 74, 100, 101, 120, 123, 127])
KIND = st.sampled_from([0x80, 0x90, 0x90, 0xA0, 0xB0, 0xB0, 0xE0])
ANY = st.builds(lambda kind, c, a, b: bytes((kind | c, a, b)), KIND, CHANNEL, DATA, DATA)
ZONES = st.builds(configure, st.integers(0, 16), st.sampled_from([0, 15]))


@given(
    st.sampled_from(["auto", "lower", "upper"]),
    st.booleans(),
    st.lists(st.one_of(ANY.map(lambda m: [m]), ZONES), max_size=40),
)
def test_whatever_comes_notes_that_end_on_the_keyboard_end_thru_and_in_the_models_ear(
    mode: str, flat: bool, moves: list[list[bytes]]
) -> None:
    thru, ear = Synth(deaf=True), Synth(deaf=True)
    session = Session(
        FoldingModel(),
        settings(f"ports.mpe={mode}", f"ports.mpe_thru={'flat' if flat else 'keep'}"),
    )
    mpe = Mpe(mode, flat)
    keys: list[tuple[int, int]] = []
    messages = [message for move in moves for message in move]
    for message in messages:
        if message[0] & 0xF0 == 0xB0 and message[1] == 64:
            continue
        if message[0] & 0xF0 == 0x90 and message[2]:
            keys.append((message[0] & 0x0F, message[1]))
    lifts = [note_off(pitch, channel=channel) for channel, pitch in keys]
    for message in [*messages, *lifts]:
        passed, heard = mpe.receive(message)
        for synth, part in ((thru, passed), (ear, heard)):
            if part and part[0] & 0xE0 == 0x80:
                synth.take(part)
        session.receive(message)
    assert not thru.sounding
    assert not session.player.turns._held
    assert not session.player.active.of(1)


def test_auto_is_the_default_and_costs_other_keyboards_nothing() -> None:
    assert load_settings(None).ports.mpe == "auto"
