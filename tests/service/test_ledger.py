"""The account of what is on the wire: complete at any moment, also in the midst of a send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.player.active_notes import MODEL, PERFORMER, ActiveNotes
from segued.service.ledger import SIZE, Ledger

from tests.support.fakes import Synth, control, note_off, note_on, pedal


def ledger() -> Ledger:
    return Ledger(memoryview(bytearray(SIZE)))


MESSAGES = st.one_of(
    st.builds(note_on, st.integers(58, 62), st.integers(0, 127), st.integers(0, 2)),
    st.builds(note_off, st.integers(58, 62), channel=st.integers(0, 2)),
    st.builds(pedal, st.booleans(), st.integers(0, 2)),
    st.builds(control, st.integers(0, 119).filter(lambda c: c != 64), st.integers(0, 127)),
    st.sampled_from([b"\xf8", b"\xfa", b"\xc0\x05", b"\xe0\x00\x40", b"\xd0\x11"]),
)


@given(st.lists(MESSAGES, max_size=60), st.booleans(), st.booleans())
def test_whenever_it_is_killed_the_account_ends_all_that_sounds(
    messages: list[bytes], sent: bool, deaf: bool
) -> None:
    """The last message may or may not have gone out when the process died."""
    account, synth = ledger(), Synth(deaf)
    for i, message in enumerate(messages):
        account.before(message)
        if i < len(messages) - 1:
            synth.take(message)
            account.after(message)
        elif sent:
            synth.take(message)
    for message in account.silence():
        synth.take(message)
    assert not synth.sounding


def test_nothing_on_the_account_is_nothing_to_send() -> None:
    account = ledger()
    for message in (note_off(60), control(123, 0), control(7, 100), b"\xfe", note_on(60, 0)):
        account.before(message)
        account.after(message)
    assert account.silence() == [] and account.used() == []


def test_each_voice_has_its_note_off_and_a_drum_machine_that_never_lets_go_has_an_end() -> None:
    account, active = ledger(), ActiveNotes()
    for owner in (MODEL, PERFORMER) * 50:
        active.note_on(owner, 9, 36)
        account.before(note_on(36, channel=9))
        account.after(note_on(36, channel=9))
    for message in active.silence():
        account.before(message)
        account.after(message)
    assert account.sounding() == []


@pytest.mark.parametrize("controller", [64, 66, 69])
def test_each_pedal_that_holds_notes_is_on_the_account(controller: int) -> None:
    account = ledger()
    for message in (control(controller, 127, 2), control(66, 127, 3)):
        account.before(message)
        account.after(message)
    assert account.pedals() == account.used() == [2, 3]
    assert control(controller, 0, 2) in account.silence()
    account.after(control(66, 0, 3))
    assert account.pedals() == [2]
    account.after(control(controller, 0, 2))
    assert account.pedals() == [] and account.used() == [2, 3]


def test_what_was_sent_into_the_void_is_taken_back() -> None:
    """Since the ports were last seen: what sounded then, what began since, pedals; no more."""
    account = ledger()
    for message in (note_on(50), note_off(50), note_on(60), note_on(62)):
        account.before(message)
        account.after(message)
    account.confirm()
    for message in (note_off(60), note_on(64, channel=1), note_off(64, channel=1), pedal(True),
                    pedal(False)):  # fmt: skip
        account.before(message)
        account.after(message)
    assert account.sounding() == [(0, 62, 1)] and account.pedals() == []
    account.unconfirm()
    assert account.sounding() == [(0, 60, 1), (0, 62, 1), (1, 64, 1)] and account.pedals() == [0]
    assert account.silence()[:3] == [note_off(60), note_off(62), note_off(64, channel=1)]
    assert account.used() == [0, 1]
    account.clear()
    account.unconfirm()
    assert account.silence() == []
