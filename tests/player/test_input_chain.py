"""The way in, whole: what is mapped is consumed, whatever comes is survived, nothing hangs."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st
from segued.midi.stream import MidiStream
from segued.player.active_notes import PERFORMER
from segued.player.player import Player
from segued.settings.config import Config
from segued.settings.yaml_file import load_settings

from ..support.fakes import FoldingModel, Session, control, note_off, note_on, settings
from ..support.performers import PERFORMANCES, Move

MAP = (
    "control.map=[{cc: 20, knob: density}, {cc: 64, channel: 2, action: take, release: give}, "
    "{note: 61, knob: mode, values: [duet, solo, continue]}, {note: 127, learn: temperature}, "
    "{note: 0, channel: 3, knob: gate, momentary: true, value: false}, {note: 67, action: learn, "
    "channel: 2}, {program: 6, preset: calm}, {bend: true, channel: 2, knob: register}, "
    "{cc: 119, action: panic}, {note: 62, channel: 2, unlearn: all, pass: true}]"
)
PRESET = "control.presets=[{name: calm, density: 0.5, mode: continue, polyphony: 2}]"
PLAIN = ["ports.thru=true", "turns.silence=0.2"]
MPE = [control(101, 0), control(100, 6), control(6, 2)]  # a zone: channels 2 and 3 are members

OPENINGS = st.sampled_from([[], [], MPE])
MODE_TABLE = st.sampled_from(
    [
        [],
        ["ports.zones=[{high: 61, to: thru}, {low: 127, to: model}]"],
        ["ports.mpe_thru=flat"],
        [],
        ["ports.listen_channel=[1, 2]", "ports.reply_channel=1", "ports.program=3"],
        ["steering.mode=duet", "sampling.max_notes_per_second=5"],
    ]
)


def consumed(message: bytes) -> bool:
    """Whether a message is of a control that is mapped above, on a channel that all have."""
    kind, channel = message[0] & 0xF0, message[0] & 0x0F
    if kind == 0xB0:
        return message[1] in (20, 119) or (message[1] == 64 and channel == 1)
    if kind == 0x90 and message[2]:
        return message[1] in (61, 127) or (channel, message[1]) in ((2, 0), (1, 67))
    if kind == 0xC0:
        return message[1] == 5
    return kind == 0xE0 and channel == 1


@given(PERFORMANCES)
def test_what_is_mapped_never_goes_thru(performance: list[Move]) -> None:
    session = Session(FoldingModel(), config_of("ports.echo_filter=false"))
    for move in performance:
        move(session)
    assert not [message for message in session.passed if consumed(message)]


@cache
def config_of(*ways: str) -> Config:
    return load_settings(None, [MAP, PRESET, *PLAIN, *ways])


@given(PERFORMANCES, MODE_TABLE, OPENINGS, st.booleans())
def test_a_performance_with_controls_leaves_silence(
    performance: list[Move], ways: list[str], opening: list[bytes], guard: bool
) -> None:
    """When all keys are up the performer holds nothing, and after the engine's last act nothing
    sounds at all."""
    config = config_of(*ways, f"ports.echo_filter={str(guard).lower()}")
    session = Session(FoldingModel(), config)
    for message in opening:
        session.receive(message)
    for move in performance:
        move(session)
    session.wait(600)
    struck = [m for m in session.received if m[0] & 0xF0 == 0x90 and m[2]]
    for message in struck:
        session.receive(note_off(message[1], channel=message[0] & 0x0F))
    assert not session.player.active.of(PERFORMER)
    session.silence()
    assert not session.sounding(deaf=True)


@given(
    st.binary(max_size=200),
    MODE_TABLE,
    OPENINGS,
    st.lists(st.integers(0, 200), max_size=5),
)
def test_any_bytes_at_all_are_survived(
    data: bytes, ways: list[str], opening: list[bytes], waits: list[int]
) -> None:
    sent: list[bytes] = []
    player = Player(FoldingModel(), config_of(*ways), lambda _, message: sent.append(message), 1)
    now = 0.0
    for i, message in enumerate([*opening, *MidiStream().feed(data)]):
        player.receive(now, message)
        player.think(now)
        now += waits[i % len(waits)] / 1000 if waits else 0.001
        player.tick(now)
    for message in (data, data[:1], b"", b"\x90", b"\x90\x80\x80"):
        player.receive(now, message)
    player.silence(now)
    for message in sent:
        assert message[0] >= 0x80
        assert max(message[1:], default=0) < 0x80


def test_a_note_on_that_went_thru_takes_its_note_off_along_though_it_was_learned_since() -> None:
    session = Session(
        FoldingModel(), settings("control.map=[{cc: 9, learn: take}]", "ports.mpe=off")
    )
    session.receive(note_on(60))
    session.receive(control(9, 127))
    session.receive(note_on(60))  # learned: this one is a pad
    session.receive(note_off(60))
    assert session.passed == [note_on(60), note_off(60)]


def test_system_messages_are_no_controls() -> None:
    session = Session(FoldingModel(), settings(MAP, PRESET))
    for message in (b"\xf8", b"\xfa", b"\xfc", b"\xf2\x00\x00", b"\xff"):
        session.receive(message)
    assert session.passed == []
