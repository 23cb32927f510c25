"""MIDI bytes and MIDI files, to events and back."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import mido

from ..errors import DataError
from ..tokens.events import Event, NoteOff, NoteOn, Pedal

LONGEST_DELTA = 0x0FFFFFFF  # ticks; a variable-length number has four bytes (SMF 1.0)
SUSTAIN = 64
SOSTENUTO = 66  # holds the notes whose keys are down as it goes down; the model does not hear it
SUSTAIN_DOWN = 64  # controller values from here on are "down"
RELEASE_VELOCITY = 64  # of note-offs that we send ourselves: the MIDI default


def event_of(message: Sequence[int], time: float) -> Event | None:
    """The event that a raw MIDI message means to the musician, or None. Its part is the channel.

    A note-on of velocity 0 is a note-off. Anything malformed is None, never an exception.
    """
    if len(message) != 3 or message[1] > 127 or message[2] > 127:
        return None
    kind, part = message[0] & 0xF0, message[0] & 0x0F
    if kind == 0x90 and message[2] > 0:
        return NoteOn(time, message[1], message[2], part)
    if kind in (0x80, 0x90):
        return NoteOff(time, message[1], part)
    if kind == 0xB0 and message[1] == SUSTAIN:
        return Pedal(time, message[2] >= SUSTAIN_DOWN, part)
    return None


def open_midi(path: str | Path) -> mido.MidiFile:
    """A MIDI file as mido reads it. Raises DataError."""
    try:
        file = mido.MidiFile(path, clip=True)
    except FileNotFoundError:
        raise DataError(f"{path}: no such MIDI file") from None
    except OSError as error:  # mido reports a wrong header this way too
        why = error.strerror or "it does not start with a MIDI header, or is cut short"
        raise DataError(f"{path}: cannot be read as a MIDI file: {why}") from None
    except (ValueError, mido.KeySignatureError) as error:
        raise DataError(f"{path}: cannot be read as a MIDI file: {error}") from None
    except (EOFError, LookupError, TypeError):
        raise DataError(f"{path}: cannot be read as a MIDI file: broken or cut short") from None
    if file.type == 2:
        raise DataError(f"{path}: MIDI files of type 2 (independent patterns) are not supported")
    if any(message.time > LONGEST_DELTA for track in file.tracks for message in track):
        raise DataError(f"{path}: cannot be read as a MIDI file: a time of more than four bytes")
    if file.type not in (0, 1):
        raise DataError(f"{path}: cannot be read as a MIDI file: there is no type {file.type}")
    if not 0 < file.ticks_per_beat < 0x8000:
        raise DataError(f"{path}: times in SMPTE frames are not supported, only ticks per beat")
    return file


class TempoMap:
    """Ticks to seconds. Times are computed from the last tempo change, so error never adds up."""

    def __init__(self, tracks: Iterable[mido.MidiTrack], ticks_per_beat: int) -> None:
        changes = []
        for track in tracks:
            tick = 0
            for message in track:
                tick += message.time
                if message.type == "set_tempo":
                    changes.append((tick, message.tempo))
        self._segments = [(0, 0.0, 60.0 / (120.0 * ticks_per_beat))]
        for tick, tempo in sorted(changes, key=lambda change: change[0]):
            start, seconds, scale = self._segments[-1]
            new_scale = 60.0 / ((6e7 / max(1, tempo)) * ticks_per_beat)
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
    track: mido.MidiTrack, parts: dict[tuple[int, int], int], index: int
) -> list[list[int]]:
    """(tick, order, pitch or 0, velocity or 0, part) of one track; unfinished notes left out.

    So are the pedals of a part that has no notes: they lengthen nothing, and a late one would put
    off the end of the performance.
    """
    rows: list[list[int] | None] = []
    begun: dict[tuple[int, int], list[int]] = {}  # (part, pitch) -> rows of open note-ons
    tick = 0
    for message in track:
        tick += message.time
        if message.type == "control_change" and message.control == SUSTAIN:
            part = parts.setdefault((index, message.channel), len(parts))
            order = _PEDAL_DOWN if message.value >= SUSTAIN_DOWN else _PEDAL_UP
            rows.append([tick, order, 0, 0, part])
        elif message.type in ("note_on", "note_off"):
            if message.channel == 9:  # General MIDI drums have no pitch
                continue
            part = parts.setdefault((index, message.channel), len(parts))
            open_rows = begun.setdefault((part, message.note), [])
            if message.type == "note_on" and message.velocity > 0:
                open_rows.append(len(rows))
                rows.append([tick, _NOTE_ON, message.note, message.velocity, part])
            elif open_rows:
                now = [i for i in open_rows if rows[i][0] == tick]  # type: ignore[index]
                if len(now) < len(open_rows):  # it ends what began earlier
                    rows.append([tick, _NOTE_OFF, message.note, 0, part])
                else:  # a note of no length at all is no note
                    for i in now:
                        rows[i] = None
                    now = []
                begun[part, message.note] = now
    for open_rows in begun.values():
        for i in open_rows:
            rows[i] = None
    kept = [row for row in rows if row is not None]
    playing = {row[4] for row in kept if row[1] == _NOTE_ON}
    return [row for row in kept if row[4] in playing]


def read_events(path: str | Path) -> list[Event]:
    """All notes and pedals of a MIDI file in order of time, in seconds.

    Each channel of each track is a part of its own, as in note-seq. Drums (channel 10), notes that
    never end and notes without length are left out. Raises DataError when the file cannot be read
    or has no notes.
    """
    file = open_midi(path)
    parts: dict[tuple[int, int], int] = {}
    rows = [r for i, track in enumerate(file.tracks) for r in _part_events(track, parts, i)]
    rows.sort(key=lambda row: (row[0], row[1]))
    times = TempoMap(file.tracks, file.ticks_per_beat).seconds([row[0] for row in rows])
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
        raise DataError(f"{path}: no notes in this MIDI file")
    return events


def read_tracks(path: str | Path) -> list[tuple[str, list[tuple[float, bytes]]]]:
    """(name, [(seconds, raw channel message)]) of every track of a file."""
    file = open_midi(path)
    tempo = TempoMap(file.tracks, file.ticks_per_beat)
    tracks = []
    for track in file.tracks:
        tick, rows = 0, []
        for message in track:
            tick += message.time
            if not message.is_meta and message.type != "sysex":
                rows.append((tick, bytes(message.bin())))
        times = tempo.seconds([tick for tick, _ in rows])
        timed = [(time, data) for time, (_, data) in zip(times, rows, strict=True)]
        tracks.append((track.name, timed))
    return tracks


def read_messages(path: str | Path) -> list[tuple[float, bytes]]:
    """(seconds, raw channel message) of a whole file in the order in which a player sends them."""
    timed = [message for _, messages in read_tracks(path) for message in messages]
    return sorted(timed, key=lambda message: message[0])


def write_messages(
    path: str | Path, tracks: Sequence[tuple[str, Sequence[tuple[float, bytes]]]]
) -> None:
    """Write named tracks of (seconds, raw channel message) as a type 1 file, a tick a millisecond.

    The same tracks give the same bytes. The file is whole or as it was before; a device or a pipe
    is written to as it is. DataError when it cannot be written.
    """
    file = mido.MidiFile(type=1, ticks_per_beat=500)  # at 120 beats a minute
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
    special = target.exists() and not target.is_file()
    unfinished = target if special else target.with_name(f".{target.name}.part")
    try:
        file.save(unfinished)
        if not special:
            unfinished.replace(target)
    except OSError as error:
        if not special:
            unfinished.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot be written: {error.strerror}") from None
