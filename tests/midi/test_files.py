"""MIDI messages and MIDI files: what they mean, and that nonsense is refused in one line."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.errors import DataError
from segued.midi.files import (
    event_of,
    open_midi,
    read_events,
    read_messages,
    read_performance,
    write_messages,
)
from segued.tokens.events import Event, NoteOff, NoteOn, Pedal

from ..support.fakes import Timed, control, note_off, note_on, pedal

Save = Callable[..., Path]
Reader = Callable[[Path], Any]

NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)


def meta(kind: str, time: int = 0, **fields: object) -> mido.MetaMessage:
    return mido.MetaMessage(kind, time=time, **fields)


def message(kind: str, time: int = 0, **fields: object) -> mido.Message:
    return mido.Message(kind, time=time, **fields)


def on(note: int, time: int = 0, velocity: int = 80, channel: int = 0) -> mido.Message:
    return message("note_on", time, note=note, velocity=velocity, channel=channel)


def off(note: int, time: int = 0, channel: int = 0) -> mido.Message:
    return message("note_off", time, note=note, velocity=0, channel=channel)


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write tracks of mido messages as a file of 480 ticks a beat."""

    def write(*tracks: list[Any], type: int = 1, ticks: int = 480) -> Path:
        file = mido.MidiFile(type=type, ticks_per_beat=ticks)
        file.tracks.extend(mido.MidiTrack(track) for track in tracks)
        file.save(tmp_path / "song.mid")
        return tmp_path / "song.mid"

    return write


# --- messages


@pytest.mark.parametrize(
    ("raw", "event"),
    [
        (note_on(60, 100), NoteOn(1.5, 60, 100)),
        (note_on(60, 1, 15), NoteOn(1.5, 60, 1, 15)),
        (note_on(60, 0, 3), NoteOff(1.5, 60, 3)),
        (note_off(60, 64, 3), NoteOff(1.5, 60, 3)),
        (note_off(60, 0), NoteOff(1.5, 60)),
        (control(64, 127), Pedal(1.5, True)),
        (control(64, 64, 2), Pedal(1.5, True, 2)),
        (control(64, 63), Pedal(1.5, False)),
        (control(64, 0), Pedal(1.5, False)),
        (control(66, 127), None),
        (control(123, 0), None),
        (b"\xa0\x3c\x40", None),
        (b"\xc0\x05", None),
        (b"\xe0\x00\x40", None),
        (b"\xf8", None),
        (b"\xf0\x01\xf7", None),
        (b"", None),
        (b"\x90", None),
        (b"\x90\x3c", None),
        (b"\x90\x3c\x64\x00", None),
        (b"\x90\x80\x64", None),
        (b"\x90\x3c\x80", None),
        (b"\x3c\x64\x00", None),
    ],
)
def test_events_of_messages(raw: bytes, event: Event | None) -> None:
    assert event_of(raw, 1.5) == event


@given(st.lists(st.integers(0, 255), max_size=5))
def test_any_bytes_are_an_event_or_none(raw: list[int]) -> None:
    event = event_of(raw, 0.0)
    if isinstance(event, NoteOn):
        assert 0 <= event.pitch <= 127
        assert 1 <= event.velocity <= 127
    if event is not None:
        assert len(raw) == 3
        assert event.part == raw[0] % 16


# --- reading files


def test_a_file_is_read(save: Save) -> None:
    path = save([on(60), off(60, 480), on(64, 480), off(64, 240)])
    assert read_events(path) == [
        NoteOn(0, 60, 80),
        NoteOff(0.5, 60),
        NoteOn(1.0, 64, 80),
        NoteOff(1.25, 64),
    ]


def test_a_tempo_may_change_within_a_note(save: Save) -> None:
    tempos = [meta("set_tempo", tempo=1_000_000), meta("set_tempo", 480, tempo=250_000)]
    path = save(tempos, [on(60), off(60, 960), on(64), off(64, 480)])
    assert [event.time for event in read_events(path)] == [0, 1.25, 1.25, 1.5]


def test_a_tempo_acts_on_every_track_wherever_it_stands(save: Save) -> None:
    path = save([on(60), off(60, 480)], [meta("set_tempo", tempo=1_000_000)])
    assert [event.time for event in read_events(path)] == [0, 1.0]


def test_of_two_tempos_at_one_tick_the_later_counts(save: Save) -> None:
    tempos = [meta("set_tempo", tempo=1_000_000), meta("set_tempo", tempo=250_000)]
    assert read_events(save(tempos, [on(60), off(60, 480)]))[-1].time == 0.25


def test_times_stay_exact_over_many_tempos(save: Save) -> None:
    """Ten thousand tempo changes a tick apart, each a third of a millisecond a tick."""
    tempos = [meta("set_tempo", 1, tempo=160_000 + i % 2) for i in range(10_000)]
    path = save(tempos, [on(60, 10_000), off(60, 480)])
    exact = (500_000 + 5000 * 160_000 + 4999 * 160_001) / 480 / 1e6
    assert read_events(path)[0].time == pytest.approx(exact, abs=1e-9)


def test_every_channel_of_every_track_is_a_part(save: Save) -> None:
    one = [on(60), on(62, channel=1), off(60, 480), off(62, channel=1)]
    path = save(one, [on(64), off(64, 480)])
    ons = [event for event in read_events(path) if isinstance(event, NoteOn)]
    assert [(event.pitch, event.part) for event in ons] == [(60, 0), (62, 1), (64, 2)]


def test_at_one_moment_pedals_come_first_then_note_offs_then_note_ons(save: Save) -> None:
    down = message("control_change", control=64, value=127)
    up = message("control_change", control=64, value=0)
    path = save([on(60), on(61, 480), off(60), up, down, off(61, 480)])
    assert read_events(path)[1:] == [
        Pedal(0.5, True),
        Pedal(0.5, False),
        NoteOff(0.5, 60),
        NoteOn(0.5, 61, 80),
        NoteOff(1.0, 61),
    ]


def test_notes_that_never_end_and_notes_of_no_length_are_left_out(save: Save) -> None:
    path = save([on(60), on(62), off(62), on(64), off(64, 480)])
    assert {e.pitch for e in read_events(path) if not isinstance(e, Pedal)} == {64}


def test_drums_are_left_out(save: Save) -> None:
    path = save([on(36, channel=9), on(60), off(60, 480), off(36, channel=9)])
    assert [e.pitch for e in read_events(path) if not isinstance(e, Pedal)] == [60, 60]


def test_pedals_of_a_part_without_notes_are_left_out(save: Save) -> None:
    lonely = [message("control_change", 99_999, control=64, value=127)]
    assert len(read_events(save([on(60), off(60, 480)], lonely))) == 2


def test_events_come_in_order_of_time_whatever_the_tracks(save: Save) -> None:
    path = save([on(60, 480), off(60, 480)], [on(64), off(64, 1440)])
    times = [event.time for event in read_events(path)]
    assert times == sorted(times) == [0, 0.5, 1.0, 1.5]


def test_data_bytes_above_127_are_clipped(save: Save) -> None:
    path = save([on(60, velocity=80), off(60, 480)])
    data = bytearray(path.read_bytes())
    data[data.index(b"\x90\x3c\x50") + 2] = 0xD0
    path.write_bytes(data)
    assert read_events(path)[0] == NoteOn(0, 60, 127)


def test_messages_of_a_file_come_as_a_player_sends_them(save: Save) -> None:
    system = mido.Message("sysex", data=(1, 2, 3))
    path = save(
        [meta("text", text="hello"), message("program_change", program=5), on(60), off(60, 480)],
        [system, on(64, 240, channel=1), off(64, 240, channel=1)],
    )
    assert read_messages(path) == [
        (0.0, b"\xc0\x05"),
        (0.0, note_on(60)),
        (0.25, note_on(64, channel=1)),
        (0.5, note_off(60, 0)),
        (0.5, note_off(64, 0, channel=1)),
    ]


# --- files that are refused


def refusal(path: Path, reader: Reader = read_events) -> str:
    """The one line that says why, which names the file."""
    with pytest.raises(DataError) as caught:
        reader(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return text.removeprefix(f"{path}: ")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.mid") == "no such MIDI file"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "directory" in refusal(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.mid").touch()
    assert "cannot be read as a MIDI file" in refusal(tmp_path / "empty.mid")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_text("RIFF, or whatever this is, and rather long at that")
    assert "MIDI header" in refusal(tmp_path / "a.mid")


def test_several_independent_patterns_are_refused(save: Save) -> None:
    assert "type 2" in refusal(save([on(60), off(60, 480)], [on(64), off(64, 480)], type=2))


def test_a_file_without_notes_is_refused(save: Save) -> None:
    assert refusal(save([meta("text", text="la la")])) == "no notes in this MIDI file"
    assert read_messages(save([meta("text", text="la la")])) == []


@pytest.mark.parametrize("reader", [read_events, read_messages])
def test_a_file_cut_short_anywhere_is_refused_or_read_up_to_there(
    save: Save, reader: Reader
) -> None:
    path = save(
        [meta("set_tempo", tempo=400_000), meta("track_name", name="right hand")],
        [on(60), message("control_change", 10, control=64, value=127), off(60, 480)],
        [message("program_change", program=3), on(64, 200, channel=1), off(64, 99, channel=1)],
    )
    data = path.read_bytes()
    whole = reader(path)
    read = 0
    for length in range(len(data)):
        path.write_bytes(data[:length])
        remarks: list[str] = []
        rows = None
        with contextlib.suppress(DataError):
            open_midi(path, remarks.append)
            rows = reader(path)
        if rows is None:
            refusal(path, reader)
        else:
            read += 1
            assert rows == [row for row in whole if row in rows]
            assert len(remarks) == 1 and remarks[0].startswith(f"{path}: read as far")
    assert read > 20
    path.write_bytes(data + b"and something after the end")
    assert reader(path) == whole


TRACK = (
    b"\x00\xff\x51\x03\x07\xa1\x20\x00\xff\x59\x02\x00\x00\x00\xb0\x40\x7f\x00\xc0\x05"
    b"\x00\x90\x3c\x50\x83\x60\x80\x3c\x00\x00\xff\x2f\x00"
)
HEADER = b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0"
GOOD = HEADER + b"MTrk" + len(TRACK).to_bytes(4, "big") + TRACK


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("midi") / "a.mid"


def read_or_refuse(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    for reader in (read_events, read_messages):
        try:
            rows: list[Any] = [*reader(path)]
            times = [row.time if reader is read_events else row[0] for row in rows]
        except DataError as error:
            assert str(error).startswith(f"{path}: ")
            assert "\n" not in str(error)
        else:
            assert times == sorted(times)


def test_the_file_that_is_broken_below_is_whole(scratch: Path) -> None:
    scratch.write_bytes(GOOD)
    assert read_events(scratch)[-1] == NoteOff(0.5, 60)


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=4))
def test_a_file_with_wrong_bytes_is_refused_or_read(
    scratch: Path, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(GOOD)
    for place, byte in changes:
        data[place] = byte
    read_or_refuse(scratch, bytes(data))


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_read(scratch: Path, data: bytes) -> None:
    read_or_refuse(scratch, data)
    read_or_refuse(scratch, HEADER + b"MTrk" + len(data).to_bytes(4, "big") + data)


# --- writing files

MESSAGES = st.one_of(
    st.builds(note_on, st.integers(0, 127), st.integers(0, 127), st.integers(0, 15)),
    st.builds(note_off, st.integers(0, 127), st.integers(0, 127), st.integers(0, 15)),
    st.builds(pedal, st.booleans(), st.integers(0, 15)),
    st.sampled_from([b"\xc0\x05", b"\xd1\x40", b"\xe2\x00\x40", b"\xa3\x3c\x10"]),
)


@st.composite
def parts(draw: st.DrawFn) -> list[Timed]:
    time, part = 0, []
    for gap, raw in draw(st.lists(st.tuples(st.integers(0, 100_000), MESSAGES), max_size=12)):
        time += gap
        part.append((time / 1000, raw))
    return part


@given(parts(), parts(), NAMES, NAMES)
def test_what_is_written_is_read_back(
    scratch: Path, one: list[Timed], other: list[Timed], name: str, other_name: str
) -> None:
    tracks = [(name, one), (other_name, other)]
    write_messages(scratch, tracks)
    first = scratch.read_bytes()
    back = read_messages(scratch)
    expected = sorted([*one, *other], key=lambda timed: timed[0])
    assert [raw for _, raw in back] == [raw for _, raw in expected]
    assert [time for time, _ in back] == pytest.approx([time for time, _ in expected], abs=1e-6)
    write_messages(scratch, tracks)
    assert scratch.read_bytes() == first


def test_times_between_milliseconds_do_not_add_up(scratch: Path) -> None:
    part = [(0.0004 * i, note_on(60)) for i in range(1000)]
    write_messages(scratch, [("a", part)])
    back = read_messages(scratch)
    assert [time for time, _ in back] == pytest.approx([t for t, _ in part], abs=0.0005 + 1e-9)


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "no" / "such" / "folder.mid"
    assert refusal(path, lambda path: write_messages(path, [])).startswith("cannot be written")


def test_a_disk_that_is_full_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "take.mid"
    write_messages(path, [("a", [(0.0, note_on(60))])])
    before = path.read_bytes()

    def full(self: object, filename: Path) -> None:
        filename.write_bytes(b"MThd half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mido.MidiFile.save", full)
    assert "No space left" in refusal(path, lambda path: write_messages(path, []))
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("bytes_of_name", [255, 256])
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path, bytes_of_name: int) -> None:
    path = tmp_path / ("x" * (bytes_of_name - 4) + ".mid")
    if bytes_of_name > 255:
        assert "name too long" in refusal(path, lambda path: write_messages(path, []))
    else:
        write_messages(path, [])
        assert [*tmp_path.iterdir()] == [path]


def test_the_end_of_a_file_ends_what_it_leaves_on(save: Save) -> None:
    song = [on(60), off(60, 480), on(64), on(64), on(67, channel=3), meta("end_of_track", 480)]
    messages = read_performance(save(song))
    assert [(time, raw[:2]) for time, raw in messages[-3:]] == [
        (1.0, b"\x80\x40"), (1.0, b"\x80\x40"), (1.0, b"\x83\x43"),
    ]  # fmt: skip
    assert len(messages) == 5 + 3


def test_what_all_notes_off_has_ended_is_not_ended_again(save: Save) -> None:
    off_all = message("control_change", control=123)
    assert len(read_performance(save([on(60), off_all, on(61, channel=1), off(61, 9, 1)]))) == 4


def test_a_device_is_written_to_and_not_replaced() -> None:
    assert Path("/dev/null").is_char_device()
    write_messages("/dev/null", [])
    assert Path("/dev/null").is_char_device()
