"""Reads Standard MIDI Files (SMF 1.0) from bytes, as tolerantly as sequencers do.

Everything readable is read; violations of the specification are reported as remarks. Skipped
without a remark: irrelevant meta events, chunks of other kinds, and bytes before the header (RIFF,
MacBinary) and after the last chunk. The times of skipped events still count. Times are in ticks.
"""

import struct
from dataclasses import dataclass, field

from .messages import CONTROL_CHANGE, DATA_BYTES, END_OF_EXCLUSIVE, SYSTEM, SYSTEM_EXCLUSIVE

META, END_OF_TRACK, TEMPO, TRACK_NAME, TEXT, PRIVATE = 0xFF, 0x2F, 0x51, 0x03, 0x01, 0x7F
MARKER = 0x06
_HEADER, _TRACK = b"MThd", b"MTrk"
_BEFORE_HEADER = 4096  # bytes that may precede the header
_LENGTHS = (SYSTEM_EXCLUSIVE, END_OF_EXCLUSIVE, META)  # statuses that a length follows

Ticked = tuple[int, bytes]
"""Ticks since the beginning of the track; a channel message, or META, the kind and the data."""


class BrokenFile(ValueError):
    """Nothing can be read. The text says why."""


@dataclass
class Smf:
    """A file. Each of its `tracks` ends with an END_OF_TRACK. `remarks`: what is wrong with it.

    `division`: ticks per beat, or a negative number for SMPTE times.
    """

    type: int
    division: int
    tracks: list[list[Ticked]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def parse(data: bytes) -> Smf:
    """Parse the bytes of a file. Raises BrokenFile."""
    start = data.find(_HEADER, 0, _BEFORE_HEADER)
    if start < 0:
        raise BrokenFile("it does not start with a MIDI header")
    if len(data) < start + 14:
        raise BrokenFile("it is cut short in its header")
    length, type, count, division = struct.unpack_from(">IHHh", data, start + 4)
    file = Smf(type, division)
    position = start + 8 + length
    if length < 6 or position > len(data):
        position = start + 14
    while 0 <= position <= len(data) - 8:
        position = _chunk(data, position, file)
    if not file.tracks:
        raise BrokenFile("it has no track")
    if len(file.tracks) < count:
        file.remarks.append(f"it has {len(file.tracks)} of {count} tracks")
    return file


def _chunk(data: bytes, position: int, file: Smf) -> int:
    """Read the chunk at `position`; return the position of the next one, or -1."""
    start = position + 8
    end = start + int.from_bytes(data[position + 4 : start], "big")
    if data[position : position + 4] != _TRACK:
        return end if end <= len(data) else data.find(_TRACK, position + 1)
    track = _Track(data[start:end])
    if not track.ended and end < len(data) and not _is_chunk(data, end):  # its length is wrong
        end = data.find(_TRACK, end)
        track = _Track(data[start : end if end > 0 else len(data)])
    file.tracks.append(track.events)
    number = len(file.tracks)
    file.remarks += [f"track {number}: {remark}" for remark in track.remarks]
    if end > len(data) or data.startswith(_TRACK, start + track.position):  # wrong again
        return data.find(_TRACK, start + track.position)
    return end


def _is_chunk(data: bytes, position: int) -> bool:
    """Whether a chunk begins here, by its name and length."""
    end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
    return data[position : position + 4].isalnum() and end <= len(data)


class _Track:
    """The events of one track, and the `position` up to which it could be read.

    Events after an END_OF_TRACK count if everything that follows is valid: some programs write one
    before the last note-offs.
    """

    def __init__(self, data: bytes) -> None:
        self.events: list[Ticked] = []
        self.remarks: list[str] = []
        self.position = 0
        self._data, self._tick, self._status = data, 0, 0
        self._end: tuple[int, int] | None = None  # events and bytes up to the last END_OF_TRACK
        self._clipped = False
        why = "cut short"
        try:
            while self.position < len(data) and not (self.ended and self._chunk_begins()):
                self._read_event()
        except IndexError:
            pass
        except BrokenFile as error:
            why = f"{error} at its byte {self.position}, read up to there"
        if self._end is None:
            self.remarks.append(why)
            self.events.append((self._tick, bytes((META, END_OF_TRACK))))
        elif self.position < len(data) and not self._chunk_begins():
            count, self.position = self._end
            del self.events[count:]
            self.remarks.append(f"{len(data) - self.position} bytes after its end are left out")

    @property
    def ended(self) -> bool:
        """Whether it has an END_OF_TRACK."""
        return self._end is not None

    def _chunk_begins(self) -> bool:
        return self._data.startswith(_TRACK, self.position)

    def _read_event(self) -> None:
        """Read one event; `position` is unchanged if that fails."""
        data = self._data
        delta, position = self._number(self.position)
        status = data[position]
        if status >= 0x80:
            position += 1
        elif self._status:
            status = self._status  # running status: also after meta events and system exclusive
        else:
            raise BrokenFile("no MIDI event")
        if status in _LENGTHS:
            kind = position
            position += status == META
            length, position = self._number(position)
            end = position + length
        else:
            position, kind = position, position
            end = position + DATA_BYTES.get(status, 0)
        if end > len(data):
            raise IndexError
        self._tick += delta
        self.position = end
        if status == META:
            self._add(bytes((META, data[kind])) + data[position:end])
            if data[kind] == END_OF_TRACK:
                self._end = len(self.events), end
        elif status < SYSTEM:
            self._status = status
            self._add_message(status, data[position:end])

    def _add_message(self, status: int, values: bytes) -> None:
        """Add a channel message. Values above 127 become 127; keys above 127 are left out."""
        if max(values) > 127:
            if not self._clipped:
                self.remarks.append("values above 127")
                self._clipped = True
            if status < CONTROL_CHANGE and values[0] > 127:
                return
            values = bytes(min(value, 127) for value in values)
        self._add(bytes((status,)) + values)

    def _add(self, message: bytes) -> None:
        self.events.append((self._tick, message))

    def _number(self, position: int) -> tuple[int, int]:
        """A variable-length number, and the position after it."""
        value = 0
        for place in range(position, position + 4):
            byte = self._data[place]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value, place + 1
        raise BrokenFile("a number of more than four bytes")
