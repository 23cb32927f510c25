"""Compare our encoding of MIDI files with that of the real note-seq package, id by id.

note-seq is the reference of `daemon.music.tokenizer`, but it is old and brings some fifty packages
(librosa, bokeh, IPython ...). So this is a tool and no part of `make test`, which checks against
the ids that `--write-golden` saved. From the root of the repository:

    python3.11 -m venv /tmp/nsvenv
    /tmp/nsvenv/bin/pip install note-seq==0.0.5
    /tmp/nsvenv/bin/python -m tests.tools.check_against_note_seq --per-folder 30 FOLDER ...
    /tmp/nsvenv/bin/python -m tests.tools.check_against_note_seq --write-golden

(pretty_midi, which note-seq uses, brings mido, and that is all that `daemon.music` needs.)

Both encoders read the same file, and the ids must be equal. Three things are set aside, since the
contract sets them aside:

- Silence before the first event: leading time shifts are cut from note-seq's performance.
- A pitch that overlaps itself (after the pedal, in quantized steps, whatever the instrument). Such
  a file is not skipped: the later of two overlapping notes is taken out of a copy, again and again
  until no pitch overlaps itself, and both encoders read the copy.
- Drums: we leave them out, so they are taken out of note-seq's notes too.

Ends with status 1 when any file differs.
"""

import argparse
import itertools
import json
import random
import sys
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass, field
from math import sin
from pathlib import Path

import mido
import note_seq
import pretty_midi

from daemon.errors import DataError
from daemon.music.events import Event, NoteOff, NoteOn, Pedal
from daemon.music.midi import SUSTAIN, read_events, write_messages
from daemon.music.tokenizer import encode
from daemon.music.vocabulary import PERFORMANCE

GOLDEN = Path(__file__).parents[1] / "data" / "note_seq_golden.json"
VELOCITY_BINS = 32


class Unreadable(Exception):
    """note-seq cannot read a file, or finds no notes in it."""


@dataclass
class Reference:
    """What note-seq makes of one MIDI file: its quantized notes, and its clock."""

    midi: pretty_midi.PrettyMIDI
    sequence: note_seq.NoteSequence

    @classmethod
    def read(cls, path: Path) -> "Reference":
        """Read, leave drums out, apply the pedal, quantize; raise Unreadable when note-seq does."""
        try:
            midi = pretty_midi.PrettyMIDI(str(path))
        except Exception as error:  # as note-seq itself does: anything at all may come out of it
            raise Unreadable(f"{type(error).__name__}: {error}") from None
        midi.instruments = [i for i in midi.instruments if not i.is_drum]
        played = note_seq.midi_to_note_sequence(midi)
        if not played.notes:
            raise Unreadable("no notes")
        sustained = note_seq.apply_sustain_control_changes(played)
        quantized = note_seq.quantize_note_sequence_absolute(
            sustained, PERFORMANCE.steps_per_second
        )
        return cls(midi, quantized)

    def ids(self) -> list[int]:
        """note-seq's ids from the first event that is not a time shift."""
        shift = PERFORMANCE.max_shift()
        performance = note_seq.Performance(
            self.sequence, num_velocity_bins=VELOCITY_BINS, max_shift_steps=shift
        )
        encoding = note_seq.PerformanceOneHotEncoding(VELOCITY_BINS, max_shift_steps=shift)
        shifts = note_seq.PerformanceEvent.TIME_SHIFT
        heard = itertools.dropwhile(lambda event: event.event_type == shifts, performance)
        return [encoding.encode_event(event) for event in heard]

    def overlapping(self) -> Counter[tuple[int, int]]:
        """(tick, pitch) of notes that begin while their pitch sounds, so that none is left then."""
        sounds_until: dict[int, int] = {}
        later: Counter[tuple[int, int]] = Counter()
        for note in sorted(self.sequence.notes, key=lambda n: (n.start_time, n.pitch)):
            if note.quantized_start_step < sounds_until.get(note.pitch, 0):
                later[self.midi.time_to_tick(note.start_time), note.pitch] += 1
            else:
                sounds_until[note.pitch] = note.quantized_end_step
        return later


def without(path: Path, later: Counter[tuple[int, int]], target: Path) -> None:
    """Copy a MIDI file without some of its note-ons; their note-offs then end nothing."""
    file = mido.MidiFile(path)
    left = Counter(later)
    for track in file.tracks:
        kept, tick, waited = [], 0, 0
        for message in track:
            tick += message.time
            waited += message.time
            sounds = message.type == "note_on" and message.velocity > 0
            if sounds and message.channel != 9 and left[tick, message.note] > 0:
                left[tick, message.note] -= 1
                continue
            kept.append(message.copy(time=waited))
            waited = 0
        track[:] = kept
    if sum(left.values()):
        raise AssertionError(f"{path}: overlapping notes that are not in the file: {left}")
    file.save(target)


def without_overlaps(path: Path, copy: Path) -> tuple[Path, Reference, int]:
    """The file, or a copy in which no pitch overlaps itself, and how many notes that cost.

    To take a note out lets the pedal lengthen others, so one pass is not enough.
    """
    reference, removed = Reference.read(path), 0
    while later := reference.overlapping():
        without(path, later, copy)
        removed += sum(later.values())
        path, reference = copy, Reference.read(copy)
    return path, reference, removed


@dataclass
class Tally:
    """What came out for the files of one folder."""

    untouched: int = 0
    cleaned: int = 0
    notes: int = 0
    removed: int = 0
    ids: int = 0
    unreadable: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)

    def compare(self, path: Path, copy: Path) -> None:
        """Compare one file and count it."""
        try:
            file, reference, removed = without_overlaps(path, copy)
        except Unreadable as error:
            self.unreadable.append(f"{path}: note-seq: {error}; ours: {ours_refuses(path)}")
            return
        theirs = reference.ids()
        try:
            ours = encode(read_events(file))
        except DataError as error:
            self.differing.append(f"{path}: only ours refuses: {error}")
            return
        self.untouched += not removed
        self.cleaned += bool(removed)
        self.notes += len(reference.sequence.notes)
        self.removed += removed
        self.ids += len(theirs)
        if ours != theirs:
            self.differing.append(f"{path}: {difference(ours, theirs)}")

    def line(self, name: str) -> str:
        compared = self.untouched + self.cleaned
        return (
            f"{name}: {compared} files compared ({self.untouched} as they are, {self.cleaned} after"
            f" {self.removed} overlapping notes were taken out), {self.notes} notes,"
            f" {self.ids} ids; {len(self.differing)} differ,"
            f" {len(self.unreadable)} that note-seq cannot read"
        )


def ours_refuses(path: Path) -> str:
    """What our reader says of a file that note-seq cannot read."""
    try:
        return f"reads {len(read_events(path))} events"
    except DataError as error:
        return str(error)


def difference(ours: list[int], theirs: list[int]) -> str:
    """The first place where two lists of ids differ, in words."""
    pairs = itertools.zip_longest(ours, theirs)
    at = next(i for i, (our, their) in enumerate(pairs) if our != their)
    step = sum(PERFORMANCE.token(id)[1] for id in ours[:at] if id in PERFORMANCE.ids("TIME_SHIFT"))

    def words(ids: list[int]) -> str:
        tokens = [PERFORMANCE.token(id) for id in ids[max(0, at - 2) : at + 6]]
        return " ".join(f"{kind}:{value}" for kind, value in tokens) or "(end)"

    return (
        f"id {at} of {len(ours)} (note-seq: {len(theirs)}), step {step} after the first event\n"
        f"    ours     {words(ours)}\n    note-seq {words(theirs)}"
    )


def sample(folder: Path, per_folder: int | None) -> list[Path]:
    """The MIDI files under a folder, or as many of them, drawn with a fixed seed."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".mid", ".midi"))
    if per_folder is None or per_folder >= len(files):
        return files
    return sorted(random.Random(0).sample(files, per_folder))


def check(folders: list[Path], per_folder: int | None) -> int:
    """Compare files of each folder and report; the number of files that differ."""
    differing = compared = 0
    with tempfile.TemporaryDirectory() as scratch:
        for folder in folders:
            tally = Tally()
            for path in sample(folder, per_folder):
                tally.compare(path, Path(scratch) / "cleaned.mid")
            print(tally.line(str(folder)), flush=True)
            for text in tally.unreadable + tally.differing:
                print("  " + text, flush=True)
            differing += len(tally.differing)
            compared += tally.untouched + tally.cleaned
    print(f"{compared} files compared, {differing} differ")
    return differing


# The golden phrases. Each is a list of (milliseconds, part, raw MIDI bytes without the channel).

Row = tuple[int, int, tuple[int, int, int]]


def _note(start: int, end: int, pitch: int, velocity: int, part: int = 0) -> list[Row]:
    return [(start, part, (0x90, pitch, velocity)), (end, part, (0x80, pitch, 0))]


def _pedal(down: int, up: int, part: int = 0) -> list[Row]:
    return [(down, part, (0xB0, SUSTAIN, 127)), (up, part, (0xB0, SUSTAIN, 0))]


def _rubato(beat: float) -> int:
    """Milliseconds of a beat in a pulse that leans forward and holds back."""
    return round(400 + 500 * beat + 70 * sin(1.7 * beat))


def pedalled_chords() -> list[Row]:
    """Rolled chords in legato pedalling, louder and louder, with tones struck again under it."""
    rows: list[Row] = []
    chords = [(48, 64, 60, 55), (45, 60, 64, 57), (41, 57, 65, 60), (43, 59, 65, 55), (36, 64, 60)]
    for beat, chord in enumerate(chords):
        start, following = _rubato(2 * beat), _rubato(2 * beat + 2)
        for i, pitch in enumerate(chord):
            velocity = 30 + 17 * beat + 3 * i
            rows += _note(start + 9 * i * (beat % 2), start + 310 + 7 * i, pitch, velocity)
        rows += _note(_rubato(2 * beat + 1), _rubato(2 * beat + 1) + 95, chord[1], 50 + 9 * beat)
        rows += _pedal(start + 60, following + 25)
    return rows


def repeated_notes() -> list[Row]:
    """One key faster and faster, down to clicks; joined notes; halves of a step; long rests."""
    rows: list[Row] = []
    start, gap = 125, 250
    for i in range(16):
        rows += _note(start, start + max(2, gap // 3), 76, 127 - 8 * i)
        start, gap = start + gap, max(30, gap * 4 // 5)
    start += 1000 - (start % 10)
    for i, pitch in enumerate((67, 67, 69, 67, 67)):  # each ends where the next begins
        rows += _note(start + 125 * i, start + 125 * (i + 1), pitch, 1 + 4 * i)
    start += 3625
    rows += _pedal(start - 40, start + 1234)
    for i in range(6):
        rows += _note(start + 155 * i, start + 155 * i + 60, 79 - 5 * (i % 2), 64)
    return rows


def two_hands() -> list[Row]:
    """A trill over an accompaniment of another part; the pedal is only the left hand's."""
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
    end = _rubato(6) + 2000
    return rows + _note(end, end + 3000, 88, 127, part=0) + _note(end, end + 2999, 40, 127, part=1)


def save_phrase(rows: list[Row], path: Path) -> None:
    """Write a phrase as a MIDI file, a track and a channel for each part."""
    tracks = []
    for part in sorted({part for _, part, _ in rows}):
        mine = sorted((row for row in rows if row[1] == part), key=lambda row: (row[0], row[2][0]))
        messages = [(ms / 1000, bytes((data[0] | part, *data[1:]))) for ms, _, data in mine]
        tracks.append((f"part {part}", messages))
    write_messages(path, tracks)


def as_json(event: Event) -> list:
    """An event as [kind, its fields ...]."""
    if isinstance(event, NoteOn):
        return ["note_on", event.time, event.pitch, event.velocity, event.part]
    if isinstance(event, NoteOff):
        return ["note_off", event.time, event.pitch, event.part]
    assert isinstance(event, Pedal)
    return ["pedal", event.time, event.down, event.part]


def write_golden(target: Path) -> None:
    """Save the phrases and note-seq's ids, for tests that run without note-seq."""
    phrases = []
    for compose in (pedalled_chords, repeated_notes, two_hands):
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "phrase.mid"
            save_phrase(compose(), path)
            reference = Reference.read(path)
            if reference.overlapping():
                raise AssertionError(f"{compose.__name__}: a pitch overlaps itself")
            events = ",\n  ".join(json.dumps(as_json(event)) for event in read_events(path))
        ids = json.dumps(reference.ids())
        name = json.dumps(compose.__name__)
        phrases.append(f'{{"name": {name}, "ids": {ids}, "events": [\n  {events}]}}')
    target.parent.mkdir(exist_ok=True)
    target.write_text("[\n" + ",\n".join(phrases) + "\n]\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, help="folders of MIDI files")
    parser.add_argument("--per-folder", type=int, help="so many files of each, drawn at random")
    parser.add_argument("--write-golden", action="store_true", help=f"write {GOLDEN}")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # pretty_midi warns of tempos outside the first track
    if options.write_golden:
        write_golden(GOLDEN)
    return 1 if check(options.folders, options.per_folder) else 0


if __name__ == "__main__":
    sys.exit(main())
