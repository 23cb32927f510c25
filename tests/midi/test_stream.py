"""Any bytes, cut anywhere: what comes out is MIDI, and nothing piles up."""

import random
import tracemalloc
from itertools import pairwise

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.midi.messages import DATA_BYTES, is_message
from segued.midi.stream import MidiStream

STATUSES = st.sampled_from(sorted(DATA_BYTES))
REAL_TIME = st.sampled_from([s for s in sorted(DATA_BYTES) if s >= 0xF8]).map(lambda s: bytes([s]))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    status = draw(STATUSES)
    data = draw(st.lists(st.integers(0, 127), min_size=2, max_size=2))
    return bytes([status, *data[: DATA_BYTES[status]]])


def feed(*chunks: str) -> list[bytes]:
    stream = MidiStream()
    return [message for chunk in chunks for message in stream.feed(bytes.fromhex(chunk))]


@pytest.mark.parametrize(
    ("given_bytes", "expected"),
    [
        ("90 3C 64", ["903c64"]),
        ("90 3C 64 3C 00 40 01", ["903c64", "903c00", "904001"]),  # running status
        ("C0 05 06", ["c005", "c006"]),
        ("90 3C F8 64", ["f8", "903c64"]),  # real time inside a message
        ("90 F8 3C FA 64 FE 3C 00", ["f8", "fa", "903c64", "903c00"]),
        ("F0 7E 00 06 01 F7 90 3C 64", ["903c64"]),  # system exclusive
        ("F0 7E F8 00 F7", ["f8"]),
        ("F0 7E 00 90 3C 64", ["903c64"]),  # cut off by a status
        ("F2 01 02 03 04", ["f20102"]),  # a system message ends running status
        ("90 3C 64 F3 05 3C 64", ["903c64", "f305"]),
        ("F1 31 F6", ["f131", "f6"]),
        ("F4 01 F5 02 90 3C 64", ["903c64"]),  # undefined
        ("90 3C 64 F4 3C 64", ["903c64"]),
        ("90 3C F9 FD 64", ["903c64"]),  # undefined real time
        ("90 3C 80 3C 40", ["803c40"]),  # a message that never ended
        ("3C 64 7F", []),  # data out of the blue
        ("F7 F7", []),
        ("", []),
    ],
)
def test_known_streams(given_bytes: str, expected: list[str]) -> None:
    assert [message.hex() for message in feed(given_bytes)] == expected
    one_by_one = [f"{byte:02x}" for byte in bytes.fromhex(given_bytes)]
    assert [message.hex() for message in feed(*one_by_one)] == expected


@given(st.binary(max_size=200))
def test_any_bytes_give_only_whole_messages(data: bytes) -> None:
    assert all(is_message(message) for message in MidiStream().feed(data))


@given(st.binary(max_size=100), st.lists(st.integers(0, 100), max_size=8))
def test_how_a_stream_is_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(data)]
    stream = MidiStream()
    pieces = [data[a:b] for a, b in pairwise(places)]
    assert [m for piece in pieces for m in stream.feed(piece)] == MidiStream().feed(data)


@given(st.lists(messages(), max_size=30))
def test_valid_messages_come_out_as_they_went_in(sent: list[bytes]) -> None:
    assert MidiStream().feed(b"".join(sent)) == sent


@given(st.lists(messages().filter(lambda m: m[0] < 0xF0), min_size=1, max_size=30), st.data())
def test_running_status_and_real_time_anywhere(sent: list[bytes], data: st.DataObject) -> None:
    stream, status, expected_clock = bytearray(), None, 0
    for message in sent:
        for byte in message if message[0] != status else message[1:]:
            stream.append(byte)
            if data.draw(st.booleans()):
                stream += data.draw(REAL_TIME)
                expected_clock += 1
        status = message[0]
    out = MidiStream().feed(bytes(stream))
    assert [message for message in out if message[0] < 0xF0] == sent
    assert len(out) - len(sent) == expected_clock


@given(st.binary(max_size=60), messages())
def test_after_any_bytes_the_next_status_is_understood(nonsense: bytes, message: bytes) -> None:
    stream = MidiStream()
    stream.feed(nonsense)
    assert stream.feed(message) == [message]


@given(st.binary(max_size=120))
def test_it_agrees_with_mido_wherever_mido_keeps_to_the_specification(data: bytes) -> None:
    # mido has no running status and keeps system exclusive: leave both out
    statuses = [b for b in data if b >= 0x80]
    stream = b"".join(
        bytes([s, *bytes(b & 0x7F for b in data[:2])[: DATA_BYTES.get(s, 0)]]) for s in statuses
    )
    parser = mido.Parser()
    parser.feed(stream)
    theirs = [m.bin() for m in parser if m.type not in ("sysex", "active_sensing")]
    assert MidiStream().feed(stream) == [bytes(m) for m in theirs]


def test_endless_system_exclusive_and_noise_hold_no_memory() -> None:
    stream, noise = MidiStream(), random.Random(1)
    pieces = [bytes(1 << 16), noise.randbytes(1 << 16)]
    stream.feed(b"\xf0")
    for piece in pieces:
        stream.feed(piece)
    stream.feed(b"\xf0")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(4):
            stream.feed(pieces[0])
        for _ in range(4):
            stream.feed(pieces[1])
        assert tracemalloc.get_traced_memory()[0] - before < 4096
    finally:
        tracemalloc.stop()
    assert stream.feed(b"\x90\x3c\x64") == [b"\x90\x3c\x64"]
