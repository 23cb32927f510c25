"""MIDI files as other programs write them: what is there is read, and one line says what is not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.errors import DataError
from segued.midi.files import read_events, read_messages, read_performance
from segued.midi.smf import END_OF_TRACK, META, BrokenFile, parse
from segued.tokens.events import Pedal
from segued.tokens.tokenizer import encode
from segued.tools.render import render_file

from ..support.fakes import FoldingModel, note_off, note_on, settings, words

END = b"\x00\xff\x2f\x00"
SONG = b"\x00\x90\x3c\x50\x83\x60\x80\x3c\x40"  # a beat of middle C
OTHER = SONG.replace(b"\x3c", b"\x40").replace(b"\x90", b"\x91").replace(b"\x80", b"\x81")


def number(value: int) -> bytes:
    """A number of variable length."""
    more = [value & 0x7F]
    while value := value >> 7:
        more.append(value & 0x7F | 0x80)
    return bytes(reversed(more))


def chunk(name: bytes, data: bytes, length: int | None = None) -> bytes:
    return name + (len(data) if length is None else length).to_bytes(4, "big") + data


def header(type: int = 0, tracks: int = 1, division: int = 480, more: bytes = b"") -> bytes:
    fields = b"".join(value.to_bytes(2, "big") for value in (type, tracks, division))
    return chunk(b"MThd", fields + more)


def track(*events: bytes, length: int | None = None) -> bytes:
    return chunk(b"MTrk", b"".join(events), length)


PLAIN = header() + track(SONG, END)
TWO = track(SONG, END) + track(OTHER, END)
META_FIRST = {
    "key signature, empty": b"\xff\x59\x00",
    "key signature there is not": b"\xff\x59\x02\x09\x05",
    "time signature of a byte": b"\xff\x58\x01\x04",
    "tempo, empty": b"\xff\x51\x00",
    "SMPTE offset of 3 bytes": b"\xff\x54\x03\x60\x00\x00",
    "SMPTE offset there is not": b"\xff\x54\x05\xff\xff\xff\xff\xff",
    "channel prefix, empty": b"\xff\x20\x00",
    "sequence number, empty": b"\xff\x00\x00",
    "name that is no text": b"\xff\x03\x02\xff\xfe",
}
GOOD = {
    "plain": PLAIN,
    "before the header": b"\r\n" + PLAIN,
    "MacBinary": bytes(128) + PLAIN,
    "RIFF": b"RIFF" + bytes(4) + b"RMIDdata" + bytes(4) + PLAIN + b"LIST" + bytes(3),
    "a long header": header(more=b"more") + track(SONG, END),
    "no tracks, it says": header(tracks=0) + track(SONG, END),
    "type 2 of one track": header(2) + track(SONG, END),
    "after the end": PLAIN + b"and whatever this is",
    "length too short": header() + track(SONG, END, length=4),
    "length too long": header() + track(SONG, END, length=999),
    "length too long, another follows": header(1, 2) + track(SONG, END, length=30) + track(END),
    "clock in the track": header() + track(SONG[:4], b"\x00\xf8", SONG[4:], END),
    "undefined": header() + track(SONG[:4], b"\x00\xf4\x00\xf9\x00\xfd\x00\xf5", SONG[4:], END),
    "system common": header() + track(b"\0\xf1\x05\0\xf2\x01\x02\0\xf3\x07\0\xf6", SONG, END),
    **{name: header() + track(b"\x00" + raw, SONG, END) for name, raw in META_FIRST.items()},
}  # fmt: skip
WANTED = [(0.0, note_on(60, 80)), (0.5, note_off(60))]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("smf") / "a.mid"


@pytest.mark.parametrize("name", GOOD)
def test_what_is_there_is_read_without_a_word(scratch: Path, name: str) -> None:
    scratch.write_bytes(GOOD[name])
    remarks: list[str] = []
    assert read_performance(scratch, remarks.append) == WANTED
    assert len(read_events(scratch, remarks.append)) == 2
    assert remarks == []


@pytest.mark.parametrize(
    "data",
    [
        header(1, 2) + TWO,
        header(1, 1) + TWO,  # more tracks than it says
        header(0, 2) + TWO,
        header(1, 2) + track(SONG, END) + chunk(b"XFKM", b"MTrk") + track(OTHER, END),
    ],
)  # fmt: skip
def test_all_tracks_are_read_whatever_the_header_says(scratch: Path, data: bytes) -> None:
    scratch.write_bytes(data)
    assert {event.pitch for event in read_events(scratch) if not isinstance(event, Pedal)} == {
        60,
        64,
    }


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (header() + track(SONG, b"\x00\x90\x40"), "track 1: cut short"),
        (header() + track(SONG), "track 1: cut short"),
        (header(1, 3) + TWO, "it has 2 of 3 tracks"),
        (header() + track(SONG, END, b"\xde\xad\xbe\xef"), "4 bytes after its end are left"),
        (header() + track(SONG, b"\x00\x90\xc3\x24\x00\x80\xc3\x00", END), "values above 127"),
        (header() + track(SONG, b"\xff\xff\xff\xff\x7f\x90\x40\x40", END), "more than four bytes"),
        (header() + track(SONG, b"\x00\xf0\x7f\x00"), "track 1: cut short"),
    ],
)  # fmt: skip
def test_one_line_says_what_was_not_read(scratch: Path, data: bytes, says: str) -> None:
    scratch.write_bytes(data)
    remarks: list[str] = []
    assert [m for m in read_performance(scratch, remarks.append) if m[1][0] & 1 == 0] == WANTED
    assert len(remarks) == 1 and remarks[0].startswith(f"{scratch}: ") and says in remarks[0]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (header(division=0) + track(SONG, END), "0 ticks per beat"),
        (header(division=0x8000) + track(SONG, END), "0 ticks in each of 128 frames"),
        (header(division=0xE700) + track(SONG, END), "0 ticks in each of 25 frames"),
        (header(division=0xCE28) + track(SONG, END), "40 ticks in each of 50 frames"),
        (header(7) + track(SONG, END), "no type 7"),
        (header(), "no track"),
        (header()[:11], "cut short in its header"),
        (header() + track(b"\0\x99\x24\x50\x20\x89\x24\0", END), "no notes except drums"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_right_reason(
    scratch: Path, data: bytes, says: str
) -> None:
    scratch.write_bytes(data)
    with pytest.raises(DataError, match=says):
        read_events(scratch)


@pytest.mark.parametrize(
    ("rate", "frame"), [(24, 1 / 24), (25, 0.04), (29, 1001 / 30000), (30, 1 / 30)]
)
def test_frames_of_smpte_are_times(scratch: Path, rate: int, frame: float) -> None:
    """480 ticks at 40 in a frame; a tempo has no say."""
    tempo = b"\x00\xff\x51\x03\x00\x00\x01"
    scratch.write_bytes(header(division=(256 - rate) << 8 | 40) + track(tempo, SONG, END))
    assert read_messages(scratch)[1][0] == pytest.approx(12 * frame, rel=1e-12)


GAP = number(960)  # two beats: a second
LEFT_OUT = {
    **{f"meta {kind:#04x}": bytes((META, kind)) for kind in range(128) if kind != END_OF_TRACK},
    "sysex": b"\xf0",
    "escape": b"\xf7",
}


@pytest.mark.parametrize("name", LEFT_OUT)
@pytest.mark.parametrize("size", [0, 1, 200])
def test_whatever_is_left_out_keeps_its_time(scratch: Path, name: str, size: int) -> None:
    """The tempo counts from where it stands, and `bytes(200)` is the fastest that there is."""
    left_out = GAP + LEFT_OUT[name] + number(size) + bytes(size)
    scratch.write_bytes(header() + track(SONG, left_out, SONG, END))
    assert read_messages(scratch)[2] == (1.5, note_on(60, 80))


def test_the_tokens_of_a_file_with_an_unknown_meta_event(scratch: Path) -> None:
    scratch.write_bytes(header() + track(SONG, GAP, b"\xff\x0a\x01\x78", OTHER, END))
    assert words(encode(read_events(scratch))) == "v19 on60 t50 off60 t100 on64 t50 off64"


def test_running_status_goes_on_after_system_exclusive_and_meta_events(scratch: Path) -> None:
    for between in (b"\xf0\x02\x7e\xf7", b"\xff\x01\x01a", b"\xf8"):
        scratch.write_bytes(header() + track(SONG[:4], b"\x00" + between, b"\x83\x60\x3c\x00", END))
        assert read_messages(scratch)[1] == (0.5, note_on(60, 0))


def test_system_exclusive_that_goes_on_in_another_event(scratch: Path) -> None:
    parts = b"\x00\xf0\x02\x7e\x01", GAP + b"\xf7\x02\x02\xf7"
    scratch.write_bytes(header() + track(*parts, SONG, END))
    assert [time for time, _ in read_messages(scratch)] == [1.0, 1.5]


def test_note_offs_after_an_end_that_came_too_early_count(scratch: Path) -> None:
    """Such files there are, from a program that reads piano rolls."""
    scratch.write_bytes(header() + track(SONG[:4], END, SONG[4:], END))
    assert read_messages(scratch) == WANTED


@pytest.mark.parametrize("read", [read_events, read_messages, read_performance])
@pytest.mark.parametrize("tempo", [b"", b"\x00\xff\x51\x03\xff\xff\xff"])
def test_a_broken_time_is_no_billion_tokens(
    scratch: Path, tempo: bytes, read: Callable[[Path], object]
) -> None:
    song = tempo + SONG + b"\xff\xff\xff\x7f" + SONG[1:]
    scratch.write_bytes(header(division=1 if tempo else 96) + track(song, END))
    with pytest.raises(DataError, match=r"it lasts .* hours, so one of its times is damaged"):
        read(scratch)


def test_a_late_end_of_track_is_no_broken_time(scratch: Path) -> None:
    scratch.write_bytes(header() + track(SONG, SONG[:4], b"\xff\xff\xff\x7f\xff\x2f\x00"))
    assert read_performance(scratch)[-1] == (0.5, note_off(60))


def test_a_last_note_without_its_end_is_answered_and_closed(scratch: Path) -> None:
    scratch.write_bytes(header() + track(SONG, SONG[:4], END))
    target = scratch.with_name("out.mid")
    performed, played = render_file(
        FoldingModel(), settings("sync.start_on=now"), scratch, target, 1
    )
    assert performed[-1] == (0.5, note_off(60))
    assert min(time for time, message in played if message[0] == 0x90) == pytest.approx(
        1.2, abs=0.02
    )


def test_seconds_that_cut_a_note_close_it(scratch: Path) -> None:
    scratch.write_bytes(PLAIN)
    target = scratch.with_name("out.mid")
    performed, _ = render_file(FoldingModel(), settings(), scratch, target, 1, seconds=0.3)
    assert performed == [WANTED[0], (0.3, note_off(60))]


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_bytes_are_read_or_refused(data: bytes, length: int) -> None:
    for whole in (data, header() + data, header() + track(data, length=length)):
        try:
            file = parse(whole)
        except BrokenFile as error:
            assert "\n" not in str(error)
        else:
            assert all(file.tracks)
            for events in file.tracks:
                assert events[-1][0] == max(tick for tick, _ in events)
                assert bytes((META, END_OF_TRACK)) in [message[:2] for _, message in events]
                assert all(max(m[1:], default=0) < 128 for _, m in events if m[0] != META)
