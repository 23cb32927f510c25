"""The format of recordings: MIDI files that any editor opens and that Segue can replay.

Track 1 is the performer's part, track 2 the model's. Track 0 holds, as meta events, what the
model's part depends on: seed, settings and model as texts, and the score. Its markers tell the
tempo that was followed when each reply began; a replay does not need them.

The score is the sequence of all commands to the player with their times: each message (also those
that a MIDI file cannot hold, such as clock ticks), each Tick, each Think. The player is a function
of these commands, so the same score gives the same part, even if the machine was slow and notes
were late.

Times are whole ticks of 10 µs. The live player gets only such times, so none is rounded here.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, SupportsBytes

from ..errors import DataError
from ..midi.messages import SYSTEM, is_message
from ..midi.smf import Ticked
from ..midi.tracks import Track, read_tracks, write_tracks

FORMAT = 3  # 2 is the same without HEAR, 1 also without APPLY
TICKS = 100_000  # per second
TICKS_PER_BEAT = 25_000  # at 240 BPM; both numbers are exact
TEMPO = 250_000
NAME = "segue recording"
JOURNAL = ".journal"  # suffix of a performance that is being written
PERFORMER_TRACK, MODEL_TRACK = "Performer", "Segue"

RECEIVE, TICK, THINK, SILENCE, PANIC, GO_ON, SET, DO = range(8)
LIFT, APPLY, HEAR = 9, 10, 12
"""Kinds of commands in a score."""
SENT, TEMPO_HEARD = 8, 11
"""Only in a journal: a message that the model sent; the tempo when a reply began, as text."""
_WITH_DATA = (RECEIVE, SET, DO, SENT, APPLY, TEMPO_HEARD, HEAR)
_KIND_BITS = 4
PACKED = 4096  # bytes of a score that are compressed at a time


class Entry(NamedTuple):
    """One command: its time in ticks, its kind, and its argument as bytes.

    If making the bytes takes too long for the hot loop, `data` is an object that will make them.
    """

    tick: int
    kind: int
    data: bytes | SupportsBytes = b""


@dataclass
class Recording:
    """A whole performance.

    `about`: the texts seed, model, version and settings. `score`: encoded and compressed.
    `performed`, `played`: the performer's and the model's part, without system messages. `tempos`:
    the tempo and its certainty when each reply began, as text.
    """

    about: dict[str, str]
    score: bytes
    performed: list[Ticked]
    played: list[Ticked]
    tempos: list[tuple[int, str]] = field(default_factory=list)

    @classmethod
    def of(cls, about: dict[str, str], journal: Iterable[Entry]) -> "Recording":
        """The recording of a journal: commands in order, with the messages that the model sent."""
        growing = Growing()
        for entry in journal:
            growing.add(entry)
        return growing.recording(about)

    @property
    def entries(self) -> Iterator[Entry]:
        """The commands of the score."""
        return decode(zlib.decompress(self.score))


class Growing:
    """Builds a recording entry by entry, so that even a long one is finished quickly."""

    def __init__(self) -> None:
        self._encoder, self._packer = Encoder(), zlib.compressobj()
        self._score = bytearray()
        self._performed: list[Ticked] = []
        self._played: list[Ticked] = []
        self._tempos: list[tuple[int, str]] = []

    def add(self, entry: Entry) -> None:
        """Add an entry."""
        tick, kind, data = entry[0], entry[1], bytes(entry[2])
        if kind == SENT:
            self._played.append((tick, data))
            return
        if kind == TEMPO_HEARD:
            self._tempos.append((tick, data.decode()))
            return
        self._encoder.add(Entry(tick, kind, data))
        if len(self._encoder.data) >= PACKED:
            self._pack()
        if kind == RECEIVE and is_message(data) and data[0] < SYSTEM:
            self._performed.append((tick, data))

    def recording(self, about: dict[str, str]) -> Recording:
        """The recording. Nothing can be added afterwards."""
        self._pack()
        self._score += self._packer.flush()
        score = bytes(self._score)
        return Recording(about, score, self._performed, self._played, self._tempos)

    def _pack(self) -> None:
        self._score += self._packer.compress(self._encoder.data)
        self._encoder.data.clear()


def seconds(tick: int) -> float:
    """The time of a tick."""
    return tick / TICKS


class Encoder:
    """Encodes entries as bytes.

    Each is the time since the previous entry and the kind in one variable-length number; then, for
    kinds with data, the length of the data and the data.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self._last = 0

    def add(self, entry: Entry) -> None:
        """Add an entry."""
        tick, kind, data = entry[0], entry[1], bytes(entry[2])
        _number(self.data, (tick - self._last) << _KIND_BITS | kind)
        self._last = tick
        if kind in _WITH_DATA:
            _number(self.data, len(data))
            self.data += data


def decode(score: bytes) -> Iterator[Entry]:
    """The entries of an `Encoder`'s bytes. An incomplete last entry is left out."""
    place, tick, end = 0, 0, len(score)
    while True:
        value, place = _read(score, place)
        if value is None:
            return
        tick += value >> _KIND_BITS
        kind, data = value & (1 << _KIND_BITS) - 1, b""
        if kind in _WITH_DATA:
            size, place = _read(score, place)
            if size is None or place + size > end:
                return
            data = score[place : place + size]
            place += size
        yield Entry(tick, kind, data)


def _number(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _read(data: bytes, place: int) -> tuple[int | None, int]:
    value = shift = 0
    while place < len(data):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    return None, place


def write_recording(path: Path, recording: Recording) -> None:
    """Write a recording as a MIDI file. Raises OSError."""
    about = {NAME: str(FORMAT), **recording.about}
    head = Track(
        texts=[f"{key}: {text}" for key, text in about.items()],
        data=recording.score,
        markers=recording.tempos,
    )
    parts = [
        Track(PERFORMER_TRACK, messages=recording.performed),
        Track(MODEL_TRACK, messages=recording.played),
    ]
    write_tracks(path, [head, *parts], TICKS_PER_BEAT, TEMPO)


def read_recording(path: Path) -> Recording:
    """Read what `write_recording` wrote. Raises DataError."""
    ticks_per_beat, tracks = read_tracks(path)
    texts = dict(text.partition(": ")[::2] for text in tracks[0].texts) if tracks else {}
    version = texts.pop(NAME, None)
    if version is None or len(tracks) < 3:
        raise DataError(f"{path}: not a recording by segued (see record.folder)")
    if version not in map(str, range(1, FORMAT + 1)) or ticks_per_beat != TICKS_PER_BEAT:
        raise DataError(
            f"{path}: a recording of format {version}, but this segued reads format {FORMAT}: "
            "replay it with the version that made it"
        )
    try:
        zlib.decompress(tracks[0].data)
    except zlib.error:
        raise DataError(f"{path}: the score in this recording is damaged") from None
    head, performer, model = tracks[:3]
    return Recording(texts, head.data, performer.messages, model.messages, head.markers)
