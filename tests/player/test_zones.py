"""Splits and zones: which keys the model hears, which go thru."""

from pathlib import Path

import pytest
from segued.errors import ConfigError
from segued.player.active_notes import MODEL
from segued.player.zones import HEARD, THRU, Routes
from segued.settings.yaml_file import load_settings

from ..support.fakes import FoldingModel, Session, control, note_off, note_on, pedal, settings

SPLIT = "ports.zones=[{high: B3, to: thru}, {low: C6, channel: 1, to: model}]"


def routes(*lines: str) -> Routes:
    ports = load_settings(None, lines).ports
    heard = frozenset(c for c in range(16) if ports.listens_to(c))
    return Routes(ports.zones, heard, ports.thru)


def test_each_key_has_its_way() -> None:
    split = routes(SPLIT)
    ways = {pitch: split.of(note_on(pitch)) for pitch in (0, 59, 60, 83, 84, 127)}
    assert ways == {0: THRU, 59: THRU, 60: 3, 83: 3, 84: HEARD, 127: HEARD}
    assert split.of(note_on(84, channel=1)) == HEARD | THRU
    assert split.of(bytes((0xA0, 59, 1))) == THRU


def test_pedals_and_wheels_go_wherever_a_key_of_their_channel_goes() -> None:
    split = routes("ports.zones=[{to: thru, channel: 2}, {to: none, channel: 3}]")
    ways = [split.of(bytes((0xB0 | channel, 64, 127))) for channel in range(4)]
    assert ways == [3, THRU, 0, 3]
    assert routes(SPLIT).of(b"\xe0\x00\x40") == HEARD | THRU


def test_a_zone_does_not_open_what_the_settings_close() -> None:
    closed = routes("ports.thru=false", "ports.listen_channel=[2, 3]", "ports.zones=[{to: both}]")
    assert [closed.of(note_on(60, channel=c)) for c in range(4)] == [0, HEARD, HEARD, 0]


def test_the_model_hears_its_zone_only_and_answers_it_only() -> None:
    session = Session(FoldingModel(), settings(SPLIT))
    session.tap(48, 100)
    session.wait(5000)
    assert not session.replies
    assert not session.heard
    session.tap(90, 100)
    session.wait(1000)
    assert session.replies
    assert session.passed == [note_on(48), note_off(48)]


def test_the_pedal_reaches_both_sides_of_a_split() -> None:
    session = Session(FoldingModel(), settings(SPLIT))
    session.receive(pedal(True))
    assert session.passed == [pedal(True)]
    assert session.player.improviser.context.encoder._pedals == {0}


def test_a_key_in_a_silent_zone_does_not_interrupt_the_reply() -> None:
    session = Session(FoldingModel(), settings(SPLIT, "turns.reply_length=endless"))
    session.tap(60, 100)
    session.await_note()
    before = len(session.replies)
    session.receive(note_on(40))
    session.wait(3000)
    assert len(session.replies) > before
    assert session.player.replying


def complaint(tmp_path: Path, *zones: str) -> str:
    path = tmp_path / "config.yaml"
    path.write_text("ports:\n  zones:\n" + "".join(f"    - {zone}\n" for zone in zones))
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    return str(caught.value).replace(f"{path}:", "line ")


@pytest.mark.parametrize(
    ("zones", "says"),
    [
        (["{low: C4}"], "line 3: ports.zones: a zone needs to: both, thru, model, none"),
        (["{low: C4, to: models}"], "to must be one of both, thru, model, none, not 'models'"),
        (["{low: C5, high: C4, to: thru}"], "low (72) is above high (60)"),
        (["{lo: C5, to: thru}"], "unknown key 'lo'; did you mean 'low'?"),
        (["{low: X, to: thru}"], "low must be a pitch from 0 to 127 or a name such as C4 (60)"),
        (
            ["{high: C4, to: thru}", "{low: C4, to: model, channel: 3}"],
            "line 4: ports.zones: pitches 60 to 60 of channel 3 are already in the zone at line 3",
        ),
    ],
)
def test_wrong_zones(tmp_path: Path, zones: list[str], says: str) -> None:
    assert says in complaint(tmp_path, *zones)


# --- what surrounds them: programs, pedals


def test_the_models_instrument_is_chosen_at_the_start_and_before_its_first_note() -> None:
    lines = ["ports.reply_channel=3", "ports.program=5", "ports.bank=129"]
    session = Session(FoldingModel(), settings(*lines))
    chosen = [control(0, 1, 2), control(32, 1, 2), b"\xc2\x04"]
    session.player.go_on(0.0)
    assert [message for _, message in session.replies][-3:] == chosen
    session.log.clear()
    session.tap(60, 100)
    session.wait(6000)
    messages = [message for _, message in session.replies]
    assert messages[:3] == chosen
    assert messages[3][0] == 0x92
    assert b"\xc2\x04" not in messages[3:]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["ports.program=5"], "ports.program needs a ports.reply_channel from 1 to 16"),
        (["ports.bank=5", "ports.reply_channel=1"], "ports.bank needs a ports.program"),
        (["ports.program=0"], "ports.program must be an integer from 1 to 128 or null"),
    ],
)
def test_a_program_needs_a_channel_of_its_own(lines: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_settings(None, lines)


def test_pedals_wheels_and_aftertouch_are_passed_thru_as_they_come() -> None:
    session = Session(FoldingModel(), settings())
    messages = [control(c, v) for c in (64, 66, 67, 1, 11, 74) for v in (127, 5, 0)]
    messages += [b"\xe0\x01\x02", b"\xd0\x05", b"\xa0\x3c\x05", b"\xc0\x05", control(0, 3)]
    for message in messages:
        session.receive(message)
    assert session.passed == messages
    assert not session.heard


def test_sostenuto_and_soft_pedal_leave_the_memory_as_it_is() -> None:
    heard = []
    for pedals in ((), (66, 67)):
        session = Session(FoldingModel(), settings())
        for pitch in (60, 64):
            session.receive(note_on(pitch))
            for controller in pedals:
                session.receive(control(controller, 127))
            session.wait(300)
            session.receive(note_off(pitch))
        session.wait(200)
        heard.append(session.heard)
    assert heard[0] == heard[1]


@pytest.mark.parametrize("controller", [64, 66])
@pytest.mark.parametrize("how", ["silence", "panic"])
def test_what_a_pedal_holds_ends_with_all_the_rest(controller: int, how: str) -> None:

    session = Session(FoldingModel(), settings())
    session.receive(note_on(60))
    session.receive(control(controller, 127))
    session.receive(note_off(60))
    getattr(session.player, how)(session.now)
    assert not session.sounding()
    assert [m for _, owner, m in session.log if owner == MODEL]


def test_a_note_that_is_held_for_an_hour_ends_with_its_key() -> None:
    session = Session(FoldingModel(), settings("steering.mode=listen"), poll=1.0)
    session.receive(note_on(60))
    session.wait(3_600_000)
    assert session.passed == [note_on(60)]
    session.receive(note_off(60))
    session.wait(2000)
    assert session.passed == [note_on(60), note_off(60)]
