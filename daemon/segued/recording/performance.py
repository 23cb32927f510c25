"""A recorded performance: a MIDI file that any editor opens, and that Segue can play once more.

Track 1 is what the performer played, track 2 what the model played. Track 0 holds, as meta events,
what the model's part came from: seed, settings and model as texts, and the score. The score is
everything that was ever asked of the player, call by call with its time: each message with those
that a MIDI file cannot hold (a clock's ticks), each look at what was due, each step of thought. The
player is a function of these calls, so the same calls give the same part, even where the machine
was too slow and notes came late.

Times are whole ticks of 10 µs. The live player is told such times only, so none is rounded here.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, SupportsBytes

from ..errors import DataError
from ..midi.messages import SYSTEM, is_message
from ..midi.smf import Ticked
from ..midi.tracks import Track, read_tracks, write_tracks

FORMAT = 2  # 1 is the same without APPLY
TICKS = 100_000  # a second
TICKS_PER_BEAT = 25_000  # at 240 beats a minute: both numbers are exact
TEMPO = 250_000
NAME = "segue recording"
JOURNAL = ".journal"  # suffix of a performance that is being written
PERFORMER_TRACK, MODEL_TRACK = "Performer", "Segue"

RECEIVE, TICK, THINK, SILENCE, PANIC, GO_ON, SET, DO = range(8)
LIFT, APPLY = 9, 10
"""Calls of the player, in a score. SENT, in a journal, is a message that the model sent."""
SENT = 8
_WITH_DATA = (RECEIVE, SET, DO, SENT, APPLY)
_KIND_BITS = 4
PACKED = 4096  # bytes of a score that are compressed at a time


class Entry(NamedTuple):
    """One call: its time in ticks, its kind, and its argument as bytes.

    Where it would take too long to make those in the hot loop it is what will give them.
    """

    tick: int
    kind: int
    data: bytes | SupportsBytes = b""


@dataclass
class Recording:
    """All of a performance. `about` has the texts: seed, model, version, settings; `score` is
    encoded and compressed; `performed` and `played` are both parts, without system messages."""

    about: dict[str, str]
    score: bytes
    performed: list[Ticked]
    played: list[Ticked]

    @classmethod
    def of(cls, about: dict[str, str], journal: Iterable[Entry]) -> "Recording":
        """From the calls in order and, among them, what the model sent."""
        growing = Growing()
        for entry in journal:
            growing.add(entry)
        return growing.recording(about)

    @property
    def entries(self) -> Iterator[Entry]:
        """The score, call by call."""
        return decode(zlib.decompress(self.score))


class Growing:
    """A recording to be, entry by entry: what is told of a month is soon written at its end."""

    def __init__(self) -> None:
        self._encoder, self._packer = Encoder(), zlib.compressobj()
        self._score = bytearray()
        self._performed: list[Ticked] = []
        self._played: list[Ticked] = []

    def add(self, entry: Entry) -> None:
        """One entry more."""
        tick, kind, data = entry[0], entry[1], bytes(entry[2])
        if kind == SENT:
            self._played.append((tick, data))
            return
        self._encoder.add(Entry(tick, kind, data))
        if len(self._encoder.data) >= PACKED:
            self._pack()
        if kind == RECEIVE and is_message(data) and data[0] < SYSTEM:
            self._performed.append((tick, data))

    def recording(self, about: dict[str, str]) -> Recording:
        """The whole of it. Nothing can be added after that."""
        self._pack()
        self._score += self._packer.flush()
        return Recording(about, bytes(self._score), self._performed, self._played)

    def _pack(self) -> None:
        self._score += self._packer.compress(self._encoder.data)
        self._encoder.data.clear()


def seconds(tick: int) -> float:
    """The time that the player is told for a tick."""
    return tick / TICKS


class Encoder:
    """Entries to bytes: the time since the entry before and the kind in one number of variable
    length, then, for those that have some, the length of the data and the data."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._last = 0

    def add(self, entry: Entry) -> None:
        """One entry more."""
        tick, kind, data = entry[0], entry[1], bytes(entry[2])
        _number(self.data, (tick - self._last) << _KIND_BITS | kind)
        self._last = tick
        if kind in _WITH_DATA:
            _number(self.data, len(data))
            self.data += data


def decode(score: bytes) -> Iterator[Entry]:
    """What an `Encoder` was given. A last entry that is cut short is left out."""
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
    """Write it as a MIDI file. Raises OSError."""
    about = {NAME: str(FORMAT), **recording.about}
    head = Track(
        texts=[f"{key}: {text}" for key, text in about.items()],
        data=recording.score,
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
        raise DataError(f"{path}: not a recording by segued (record.folder makes them)")
    if version not in ("1", str(FORMAT)) or ticks_per_beat != TICKS_PER_BEAT:
        raise DataError(f"{path}: a recording of format {version}; this segued knows {FORMAT}")
    try:
        zlib.decompress(tracks[0].data)
    except zlib.error:
        raise DataError(f"{path}: the score in this recording is damaged") from None
    return Recording(texts, tracks[0].data, tracks[1].messages, tracks[2].messages)
