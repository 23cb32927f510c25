"""Our ids against those that the real note-seq gave for three invented phrases.

The golden file is written by `tests/tools/check_against_note_seq.py --write-golden`.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from segued.midi.files import read_events, write_messages
from segued.midi.messages import SUSTAIN
from segued.tokens.events import Event, NoteOff, NoteOn, Pedal
from segued.tokens.tokenizer import Encoder, encode

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "note_seq_golden.json").read_text())
KINDS = {"note_on": NoteOn, "note_off": NoteOff, "pedal": Pedal}


def events_of(phrase: dict[str, Any]) -> list[Event]:
    return [KINDS[kind](*fields) for kind, *fields in phrase["events"]]


def raw(event: Event) -> bytes:
    """The MIDI message of an event, its part as the channel."""
    if isinstance(event, NoteOn):
        return bytes((0x90 | event.part, event.pitch, event.velocity))
    if isinstance(event, NoteOff):
        return bytes((0x80 | event.part, event.pitch, 0))
    return bytes((0xB0 | event.part, SUSTAIN, 127 if event.down else 0))


def track(events: list[Event]) -> list[tuple[float, bytes]]:
    return [(event.time, raw(event)) for event in events]


@pytest.fixture(params=GOLDEN, ids=[phrase["name"] for phrase in GOLDEN])
def phrase(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


def test_ids_equal_those_of_note_seq(phrase: dict[str, Any]) -> None:
    assert encode(events_of(phrase)) == phrase["ids"]


def test_streaming_with_the_clock_running_gives_the_same_ids(phrase: dict[str, Any]) -> None:
    """`advance` before every event, as the live port does, must not change a single id."""
    encoder, ids = Encoder(), []
    for event in events_of(phrase):
        ids += encoder.advance(event.time) + encoder.feed(event)
    assert ids + encoder.flush() == phrase["ids"]


def test_ids_equal_those_of_note_seq_after_a_midi_file(
    phrase: dict[str, Any], tmp_path: Path
) -> None:
    """A track for each part. A late pedal of a part without notes must not put off the end."""
    events = events_of(phrase)
    parts = sorted({event.part for event in events})
    tracks = [(f"part {p}", track([e for e in events if e.part == p])) for p in parts]
    late = events[-1].time + 9
    tracks.append(("pedal", track([Pedal(late, True, 15), Pedal(late + 1, False, 15)])))
    write_messages(tmp_path / "phrase.mid", tracks)
    assert read_events(tmp_path / "phrase.mid") == events
    assert encode(read_events(tmp_path / "phrase.mid")) == phrase["ids"]
