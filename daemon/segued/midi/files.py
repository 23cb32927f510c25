"""MIDI bytes and MIDI files, to events and back."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import mido

from ..errors import DataError
from ..tokens.events import Event, NoteOff, NoteOn, Pedal
from .messages import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    CHANNEL_MASK,
    CONTROL_CHANGE,
    DRUMS,
    KIND_MASK,
    NOTE_OFF,
    NOTE_ON,
    SUSTAIN,
    SWITCH_ON,
    SYSTEM,
    note_off,
)
from .smf import META, TEMPO, TRACK_NAME, BrokenFile, Smf, Ticked, parse

LONGEST = 86_400.0  # seconds of a performance
FRAMES = {24: 1 / 24, 25: 1 / 25, 29: 1001 / 30000, 30: 1 / 30}  # seconds of SMPTE's frames

Timed = tuple[float, bytes]
"""Seconds, and a raw channel message."""

Warn = Callable[[str], None]


def ignore(line: str) -> None:
    """A `warn` that discards the line."""


def event_of(message: Sequence[int], time: float) -> Event | None:
    """The event of a raw MIDI message, or None. Its part is the channel.

    A note-on of velocity 0 is a note-off. A malformed message gives None, never an exception.
    """
    if len(message) != 3 or message[1] > 127 or message[2] > 127:
        return None
    kind, part = message[0] & KIND_MASK, message[0] & CHANNEL_MASK
    if kind == NOTE_ON and message[2] > 0:
        return NoteOn(time, message[1], message[2], part)
    if kind in (NOTE_OFF, NOTE_ON):
        return NoteOff(time, message[1], part)
    if kind == CONTROL_CHANGE and message[1] == SUSTAIN:
        return Pedal(time, message[2] >= SWITCH_ON, part)
    return None


def open_midi(path: str | Path, warn: Warn = ignore) -> Smf:
    """Read a MIDI file. Raises DataError. `warn(line)` is called if only a part can be read."""
    try:
        file = parse(Path(path).read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path}: no such MIDI file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read as a MIDI file: {error.strerror}") from None
    except BrokenFile as error:
        raise DataError(f"{path}: cannot be read as a MIDI file: {error}") from None
    if file.type not in (0, 1, 2):
        raise DataError(f"{path}: cannot be read as a MIDI file: there is no type {file.type}")
    if file.type == 2 and len(file.tracks) > 1:
        raise DataError(f"{path}: MIDI files of type 2 (independent patterns) are not supported")
    if not file.division:
        raise DataError(f"{path}: cannot be read as a MIDI file: it has 0 ticks per beat")
    if file.division < 0 and not (file.division & 0xFF and -(file.division >> 8) in FRAMES):
        rate = f"{file.division & 0xFF} ticks in each of {-(file.division >> 8)} frames a second"
        raise DataError(f"{path}: cannot be read as a MIDI file: its times are {rate}")
    if file.remarks:
        more = f" (and {len(file.remarks) - 1} more)" if len(file.remarks) > 1 else ""
        warn(f"{path}: read as far as it makes sense: {file.remarks[0]}{more}")
    return file


class TempoMap:
    """Converts ticks to seconds, from the last tempo change on, so that errors never add up."""

    def __init__(self, file: Smf) -> None:
        if file.division < 0:  # SMPTE: independent of the tempo
            scale = FRAMES[-(file.division >> 8)] / (file.division & 0xFF)
            self._segments = [(0, 0.0, scale)]
            return
        changes = [
            (tick, int.from_bytes(message[2:5], "big"))
            for track in file.tracks
            for tick, message in track
            if message[0] == META and message[1] == TEMPO and len(message) >= 5
        ]
        self._segments = [(0, 0.0, 60.0 / (120.0 * file.division))]
        for tick, tempo in sorted(changes, key=lambda change: change[0]):
            start, seconds, scale = self._segments[-1]
            new_scale = 60.0 / ((6e7 / max(1, tempo)) * file.division)
            if tick == 0:
                self._segments = [(0, 0.0, new_scale)]
            elif new_scale != scale:
                self._segments.append((tick, seconds + scale * (tick - start), new_scale))

    def seconds(self, ticks: Sequence[int]) -> list[float]:
        """Seconds of ascending ticks."""
        times, segment = [], 0
        for tick in ticks:
            while segment + 1 < len(self._segments) and self._segments[segment + 1][0] <= tick:
                segment += 1
            start, seconds, scale = self._segments[segment]
            times.append(seconds + scale * (tick - start))
        return times


# At one tick pedals come first (down before up), then note-offs, then note-ons: note-seq's order.
_PEDAL_DOWN, _PEDAL_UP, _NOTE_OFF, _NOTE_ON = range(4)


def _part_events(
    track: Sequence[Ticked], parts: dict[tuple[int, int], int], index: int
) -> list[list[int]]:
    """(tick, order, pitch or 0, velocity or 0, part) of one track, without unfinished notes.

    The pedals of a part without notes are also left out: they lengthen nothing, and a late one
    would delay the end of the performance.
    """
    rows: list[list[int] | None] = []
    begun: dict[tuple[int, int], list[int]] = {}  # (part, pitch) -> rows of open note-ons
    for tick, message in track:
        kind, channel = message[0] & KIND_MASK, message[0] & CHANNEL_MASK
        if kind == CONTROL_CHANGE and message[1] == SUSTAIN:
            part = parts.setdefault((index, channel), len(parts))
            order = _PEDAL_DOWN if message[2] >= SWITCH_ON else _PEDAL_UP
            rows.append([tick, order, 0, 0, part])
        elif kind in (NOTE_OFF, NOTE_ON) and channel != DRUMS:
            part = parts.setdefault((index, channel), len(parts))
            pitch, velocity = message[1], message[2]
            open_rows = begun.setdefault((part, pitch), [])
            if kind == NOTE_ON and velocity > 0:
                open_rows.append(len(rows))
                rows.append([tick, _NOTE_ON, pitch, velocity, part])
            elif open_rows:
                now = [i for i in open_rows if rows[i][0] == tick]  # type: ignore[index]
                if len(now) < len(open_rows):  # it ends what began earlier
                    rows.append([tick, _NOTE_OFF, pitch, 0, part])
                else:  # a note of no length at all is no note
                    for i in now:
                        rows[i] = None
                    now = []
                begun[part, pitch] = now
    for open_rows in begun.values():
        for i in open_rows:
            rows[i] = None
    kept = [row for row in rows if row is not None]
    playing = {row[4] for row in kept if row[1] == _NOTE_ON}
    return [row for row in kept if row[4] in playing]


def read_events(
    path: str | Path,
    warn: Warn = ignore,
    wanted: Callable[[str], bool] = lambda name: True,
    longest: float = LONGEST,
) -> list[Event]:
    """All notes and pedals of a MIDI file in order of time, in seconds.

    Each channel of each track is a separate part, as in note-seq. Drums (channel 10), notes that
    never end, notes without length and tracks whose names are not `wanted` are left out. Raises
    DataError when the file cannot be read, has no notes or lasts more than `longest` seconds.
    `warn(line)` is called if only a part can be read.
    """
    file = open_midi(path, warn)
    parts: dict[tuple[int, int], int] = {}
    tracks = [(i, track) for i, track in enumerate(file.tracks) if wanted(_name(track))]
    rows = [row for i, track in tracks for row in _part_events(track, parts, i)]
    rows.sort(key=lambda row: (row[0], row[1]))
    times = TempoMap(file).seconds([row[0] for row in rows])
    _refuse_days(path, times, longest)
    events: list[Event] = []
    notes = 0
    for time, (_, order, pitch, velocity, part) in zip(times, rows, strict=True):
        if order == _NOTE_ON:
            events.append(NoteOn(time, pitch, velocity, part))
            notes += 1
        elif order == _NOTE_OFF:
            events.append(NoteOff(time, pitch, part))
        else:
            events.append(Pedal(time, order == _PEDAL_DOWN, part))
    if not notes:
        drums = any(message[0] == NOTE_ON | DRUMS for _, track in tracks for _, message in track)
        but = " except drums (channel 10)" if drums else ""
        raise DataError(f"{path}: no notes{but} in this MIDI file")
    return events


def _refuse_days(path: str | Path, times: Sequence[float], longest: float = LONGEST) -> None:
    """Refuse a file with a damaged time, which would give billions of tokens."""
    if times and times[-1] > longest:
        hours = times[-1] / 3600
        raise DataError(f"{path}: it lasts {hours:.0f} hours, so one of its times is damaged (at "
                        f"most {longest / 3600:.0f} hours are read)")  # fmt: skip


def read_tracks(path: str | Path) -> list[tuple[str, list[Timed]]]:
    """(name, [(seconds, raw channel message)]) of every track of a file."""
    return _tracks(path, open_midi(path))


def _tracks(path: str | Path, file: Smf) -> list[tuple[str, list[Timed]]]:
    tempo, tracks = TempoMap(file), []
    for track in file.tracks:
        rows = [(tick, message) for tick, message in track if message[0] < SYSTEM]
        times = tempo.seconds([tick for tick, _ in rows])
        _refuse_days(path, times)
        timed = [(time, data) for time, (_, data) in zip(times, rows, strict=True)]
        tracks.append((_name(track), timed))
    return tracks


def _name(track: Sequence[Ticked]) -> str:
    """The first name of a track; "" if it has none."""
    names = (m[2:] for _, m in track if m[0] == META and m[1] == TRACK_NAME)
    return next(names, b"").decode("latin-1")


def read_messages(path: str | Path) -> list[Timed]:
    """(seconds, raw channel message) of a whole file in the order in which a player sends them."""
    return _merged(path, open_midi(path))


def _merged(path: str | Path, file: Smf) -> list[Timed]:
    timed = [message for _, messages in _tracks(path, file) for message in messages]
    return sorted(timed, key=lambda message: message[0])


def read_performance(path: str | Path, warn: Warn = ignore) -> list[Timed]:
    """Like `read_messages`, with note-offs at the end of the file for the notes that it leaves on.

    `warn(line)` is called if only a part can be read.
    """
    file = open_midi(path, warn)
    messages = _merged(path, file)
    end = TempoMap(file).seconds([max(track[-1][0] for track in file.tracks)])[0]
    return closed(messages, end if end <= LONGEST or not messages else messages[-1][0])


def closed(performance: Sequence[Timed], end: float) -> list[Timed]:
    """A performance with note-offs at its `end` for the keys that it leaves down."""
    held: dict[bytes, int] = {}  # note-off -> number of note-ons without it
    for _, message in performance:
        kind, channel = message[0] & KIND_MASK, message[0] & CHANNEL_MASK
        lift = note_off(channel, message[1])
        if kind == NOTE_ON and message[2]:
            held[lift] = held.get(lift, 0) + 1
        elif kind in (NOTE_OFF, NOTE_ON):
            held[lift] = max(0, held.get(lift, 0) - 1)
        elif kind == CONTROL_CHANGE and _ends_all(message[1]):
            held = {lift: n for lift, n in held.items() if lift[0] & CHANNEL_MASK != channel}
    lifts = [lift for lift, count in held.items() for _ in range(count)]
    return [*performance, *((end, lift) for lift in lifts)]


def _ends_all(controller: int) -> bool:
    return controller == ALL_SOUND_OFF or controller >= ALL_NOTES_OFF


def write_messages(path: str | Path, tracks: Sequence[tuple[str, Sequence[Timed]]]) -> None:
    """Write named tracks of (seconds, raw channel message) as a type 1 file with ticks of 1 ms.

    The same tracks give the same bytes. The file is written atomically, except a device or a pipe.
    Raises DataError when it cannot be written.
    """
    file = mido.MidiFile(type=1, ticks_per_beat=500)  # at 120 BPM
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)]))
    for name, messages in tracks:
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        last = 0
        for time, data in messages:
            tick = max(last, int(time * 1000 + 0.5))
            track.append(mido.Message.from_bytes(data, time=tick - last))
            last = tick
        file.tracks.append(track)
    target = Path(path)
    unfinished = target.with_name(
        f".{zlib.crc32(target.name.encode()):08x}.part"
    )  # short: names have an end
    try:
        special = target.exists() and not target.is_file()
        file.save(target if special else unfinished)
        if not special:
            unfinished.replace(target)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot be written: {error.strerror}") from None
