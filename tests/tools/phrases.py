"""Music made up for comparing encoders: phrases for the golden file, and files of random messages.

The phrases are lists of (milliseconds, part, raw MIDI bytes of channel 0), invented here, so that
the golden file holds nobody's music.
"""

import random
from math import sin
from pathlib import Path

import mido
from segued.midi.files import write_messages
from segued.midi.messages import SUSTAIN

Row = tuple[int, int, tuple[int, int, int]]


def _note(start: int, end: int, pitch: int, velocity: int, part: int = 0) -> list[Row]:
    return [(start, part, (0x90, pitch, velocity)), (end, part, (0x80, pitch, 0))]


def _pedal(down: int, up: int, part: int = 0) -> list[Row]:
    return [(down, part, (0xB0, SUSTAIN, 127)), (up, part, (0xB0, SUSTAIN, 0))]


def _rubato(beat: float) -> int:
    """Milliseconds of a beat in a pulse that leans forward and holds back."""
    return round(400 + 500 * beat + 70 * sin(1.7 * beat))


def pedalled_chords() -> list[Row]:
    """Rolled chords in legato pedalling, louder and louder, with tones struck again under it.

    In every other chord the pedal goes down in the very tick in which a key comes up, and the last
    pedal lifts and goes down again in one tick, which note-seq takes for a lift.
    """
    rows: list[Row] = []
    chords = [(48, 64, 60, 55), (45, 60, 64, 57), (41, 57, 65, 60), (43, 59, 65, 55), (36, 64, 60)]
    for beat, chord in enumerate(chords):
        start, following = _rubato(2 * beat), _rubato(2 * beat + 2)
        for i, pitch in enumerate(chord):
            velocity = 30 + 17 * beat + 3 * i
            rows += _note(start + 9 * i * (beat % 2), start + 310 + 7 * i, pitch, velocity)
        rows += _note(_rubato(2 * beat + 1), _rubato(2 * beat + 1) + 95, chord[1], 50 + 9 * beat)
        rows += _pedal(start + (310 if beat % 2 else 60), following + 25)
    again = _rubato(9)
    return rows + _pedal(again, again)[::-1]


def repeated_notes() -> list[Row]:
    """One key faster and faster, down to clicks; joined notes; halves of a step; long rests.

    Clicks begin and end in one step, the last of all too.
    """
    rows: list[Row] = []
    start, gap = 125, 250
    for i in range(16):
        rows += _note(start, start + max(2, gap // 9), 76, 127 - 8 * i)
        start, gap = start + gap, max(30, gap * 4 // 5)
    start += 1000 - (start % 10)
    for i, pitch in enumerate((67, 67, 69, 67, 67)):  # each ends where the next begins
        rows += _note(start + 125 * i, start + 125 * (i + 1), pitch, 1 + 4 * i)
    start += 3625
    rows += _pedal(start - 40, start + 1234)
    for i in range(6):
        rows += _note(start + 155 * i, start + 155 * i + 60, 79 - 5 * (i % 2), 64)
    click = start // 10 * 10 + 2000
    return rows + _note(click, click + 3, 91, 90)


def two_hands() -> list[Row]:
    """A trill over an accompaniment of another part; each hand has a pedal of its own."""
    rows: list[Row] = []
    for i in range(24):
        start, following = _rubato(i / 4), _rubato((i + 1) / 4)
        rows += _note(start, following - 8, 84 + i % 2, 70 + 2 * (i % 5), part=0)
    for beat in range(6):
        start = _rubato(beat) - 12 * (beat % 3)
        for i, pitch in enumerate((52, 47, 43) if beat % 2 else (40, 52)):
            rows += _note(start, start + 140 + 30 * i, pitch, (124, 123, 5, 4, 1)[beat % 5], part=1)
    rows += _pedal(_rubato(0) + 5, _rubato(1) + 30, part=1)
    rows += _pedal(_rubato(2) + 5, _rubato(4) - 30, part=1)
    rows += _pedal(_rubato(3) + 5, _rubato(5) + 30, part=0)
    end = _rubato(6) + 2000
    rows += _note(end, end + 3000, 88, 127, part=0) + _note(end, end + 2999, 40, 127, part=1)
    return rows + _pedal(end, end + 9000, part=2)  # of a part without notes: it must not matter


def save(rows: list[Row], path: Path) -> None:
    """Write a phrase as a MIDI file, a track and a channel for each part."""
    tracks = []
    for part in sorted({part for _, part, _ in rows}):
        mine = sorted((row for row in rows if row[1] == part), key=lambda row: (row[0], row[2][0]))
        messages = [(ms / 1000, bytes((data[0] | part, *data[1:]))) for ms, _, data in mine]
        tracks.append((f"part {part}", messages))
    write_messages(path, tracks)


def random_file(seed: int) -> mido.MidiFile:
    """Random messages at few pitches and crowded ticks: all the corners that no corpus has.

    Notes of no length, note-offs of nothing, notes that never end, pedals at one tick with notes
    or of parts without notes, tempos one after the other, drums. Left out is where note-seq's
    reader deviates from MIDI (see `check_against_note_seq`).
    """
    rng = random.Random(seed)
    file = mido.MidiFile(type=rng.choice((0, 1)), ticks_per_beat=rng.choice((96, 220, 480, 960)))
    for index in range(1 if file.type == 0 else rng.randint(1, 3)):
        track, longest = mido.MidiTrack(), rng.choice((2, 30, 300))
        channels = [*rng.sample(range(9), rng.randint(1, 2)), *rng.choice(((), (9,)))]
        pitches = rng.sample(range(128), rng.randint(2, 10))
        for _ in range(rng.randint(2, 80)):
            message = _random_message(rng, rng.choice(channels), rng.choice(pitches), index == 0)
            track.append(message.copy(time=rng.choice((0, 0, 1, rng.randint(0, longest)))))
        file.tracks.append(track)
    return file


def _random_message(
    rng: random.Random, channel: int, pitch: int, may_set_tempo: bool
) -> mido.Message | mido.MetaMessage:
    chance = rng.random()
    if chance < 0.4:
        velocity = rng.randint(1, 127)
        return mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)
    if chance < 0.78:
        kind = rng.choice(("note_off", "note_on"))
        return mido.Message(kind, channel=channel, note=pitch, velocity=0)
    if chance < 0.96 or not may_set_tempo:
        value = rng.choice((0, 63, 64, 127))
        return mido.Message("control_change", channel=channel, control=SUSTAIN, value=value)
    return mido.MetaMessage("set_tempo", tempo=rng.randint(200_000, 1_500_000))
