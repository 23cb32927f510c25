"""Writes and reads Segue's own MIDI files, exact to the tick, with texts and private data.

`files` reads any MIDI file, in seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mido

from ..errors import DataError
from .files import open_midi
from .smf import MARKER, META, PRIVATE, TEXT, TRACK_NAME, Ticked

LONGEST_DELTA = (1 << 28) - 1  # the most ticks between two events of a file
NOBODY = 0x7D  # the manufacturer id for non-commercial use
CHUNK = 1 << 16  # bytes of private data in one event


@dataclass
class Track:
    """A track. `texts` and `data` (private bytes) are written at its beginning.

    `markers`: (tick, text), which DAWs show above the tracks. A track has messages or markers.
    """

    name: str = ""
    texts: list[str] = field(default_factory=list)
    data: bytes = b""
    messages: list[Ticked] = field(default_factory=list)
    markers: list[tuple[int, str]] = field(default_factory=list)


def write_tracks(path: Path, tracks: Sequence[Track], ticks_per_beat: int, tempo: int) -> None:
    """Write a file of type 1; `tempo` in µs per beat. Raises OSError."""
    file = mido.MidiFile(type=1, ticks_per_beat=ticks_per_beat)
    for number, track in enumerate(tracks):
        written = mido.MidiTrack()
        if number == 0:
            written.append(mido.MetaMessage("set_tempo", tempo=tempo))
        if track.name:
            written.append(mido.MetaMessage("track_name", name=_narrow(track.name)))
        written += [mido.MetaMessage("text", text=_narrow(text)) for text in track.texts]
        for start in range(0, len(track.data), CHUNK):
            data = (NOBODY, *track.data[start : start + CHUNK])
            written.append(mido.MetaMessage("sequencer_specific", data=data))
        _write_timed(written, [(at, mido.Message.from_bytes(m)) for at, m in track.messages])
        _write_timed(
            written,
            [(at, mido.MetaMessage("marker", text=_narrow(text))) for at, text in track.markers],
        )
        file.tracks.append(written)
    file.save(path)


def _write_timed(track: mido.MidiTrack, messages: Sequence[tuple[int, Any]]) -> None:
    last = 0
    for tick, message in messages:
        while tick - last > LONGEST_DELTA:
            track.append(mido.MetaMessage("text", text="", time=LONGEST_DELTA))
            last += LONGEST_DELTA
        track.append(message.copy(time=tick - last))
        last = tick


def read_tracks(path: Path) -> tuple[int, list[Track]]:
    """Ticks per beat, and all tracks. Raises DataError, also for a damaged file."""

    def refuse(line: str) -> None:
        raise DataError(line)

    file = open_midi(path, refuse)
    return file.division, [_read(track) for track in file.tracks]


def _read(track: Sequence[Ticked]) -> Track:
    read, data = Track(), bytearray()
    for tick, message in track:
        if message[0] != META:
            read.messages.append((tick, message))
        elif message[1] == TRACK_NAME:
            read.name = message[2:].decode("utf-8", "replace")
        elif message[1] == TEXT and message[2:]:  # an empty one only fills a long gap
            read.texts.append(message[2:].decode("utf-8", "replace"))
        elif message[1] == MARKER:
            read.markers.append((tick, message[2:].decode("utf-8", "replace")))
        elif message[1] == PRIVATE and message[2:3] == bytes((NOBODY,)):
            data += message[3:]
    read.data = bytes(data)
    return read


def _narrow(text: str) -> str:
    """The UTF-8 bytes of a text as Latin-1 characters, because mido writes only Latin-1."""
    return text.encode().decode("latin-1")
