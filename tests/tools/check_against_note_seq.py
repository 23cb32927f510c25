"""Compare our encoding of MIDI files with that of the real note-seq package, id by id.

note-seq is the reference of `segued.tokens.tokenizer`, but it is old and brings some fifty packages
(librosa, bokeh, IPython ...). So this is a tool and no part of `make test`, which checks against
the ids that `--write-golden` saved. From the root of the repository:

    python3.11 -m venv /tmp/nsvenv
    /tmp/nsvenv/bin/pip install note-seq==0.0.5
    /tmp/nsvenv/bin/python -m tests.tools.check_against_note_seq --per-folder 30 FOLDER ...
    /tmp/nsvenv/bin/python -m tests.tools.check_against_note_seq --random 5000
    /tmp/nsvenv/bin/python -m tests.tools.check_against_note_seq --write-golden

(pretty_midi, which note-seq uses, brings mido, and that is all that `segued.music` needs. Seen to
work with Python 3.11.7, pretty_midi 0.2.11.post0, protobuf 7.36.2, numpy 2.4.6, mido 1.3.3.)

Both encoders read the same file, and the ids must be equal. Three things are set aside:

- Silence before the first event: leading time shifts are cut from note-seq's performance.
- A pitch that overlaps itself (after the pedal, in quantized steps, whatever the instrument). Such
  a file is not skipped: the later of two overlapping notes is taken out of a copy, again and again
  until no pitch overlaps itself, and both encoders read the copy.
- Drums: we leave them out, so they are taken out of note-seq's notes too.

Two things are not set aside, because no file of ours has them. There note-seq's MIDI reader
(pretty_midi) goes astray, we do not follow it, and such a file is reported as differing: it ignores
tempo changes outside the first track, and after a change of program it takes the same channel for
a new instrument, so that the pedal neither holds its notes nor lifts from the earlier ones.

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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mido
import note_seq
import pretty_midi
from segued.errors import DataError
from segued.midi.files import read_events
from segued.tokens.events import Event, NoteOff, NoteOn, Pedal
from segued.tokens.tokenizer import encode
from segued.tokens.vocabulary import PERFORMANCE, TIME_SHIFT

from . import phrases

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
    refused: int = 0
    only_ours: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)

    def compare(self, path: Path, copy: Path) -> None:
        """Compare one file and count it."""
        try:
            file, reference, removed = without_overlaps(path, copy)
        except Unreadable as error:
            self.count_refused(path, error)
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

    def count_refused(self, path: Path, error: Unreadable) -> None:
        """Count a file that note-seq refuses, and remember it if we read it."""
        try:
            read_events(path)
        except DataError:
            self.refused += 1
        else:
            self.only_ours.append(f"{path}: only note-seq refuses: {error}")

    def line(self, name: str) -> str:
        compared = self.untouched + self.cleaned
        return (
            f"{name}: {compared} files compared ({self.untouched} as they are, {self.cleaned} after"
            f" {self.removed} overlapping notes were taken out), {self.notes} notes,"
            f" {self.ids} ids; {len(self.differing)} differ,"
            f" {self.refused} are refused by both, {len(self.only_ours)} by note-seq alone"
        )


def difference(ours: list[int], theirs: list[int]) -> str:
    """The first place where two lists of ids differ, in words."""
    pairs = itertools.zip_longest(ours, theirs)
    at = next(i for i, (our, their) in enumerate(pairs) if our != their)
    step = sum(PERFORMANCE.token(id)[1] for id in ours[:at] if id in PERFORMANCE.ids(TIME_SHIFT))

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


def check(named_paths: Iterable[tuple[str, Iterable[Path]]]) -> int:
    """Compare the files under each name and report; the number of files that differ."""
    differing = compared = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name, paths in named_paths:
            tally = Tally()
            for path in paths:
                tally.compare(path, Path(scratch) / "cleaned.mid")
            print(tally.line(name), flush=True)
            for text in tally.only_ours + tally.differing:
                print("  " + text, flush=True)
            differing += len(tally.differing)
            compared += tally.untouched + tally.cleaned
    print(f"{compared} files compared, {differing} differ")
    return differing


def random_files(count: int, folder: Path) -> Iterator[Path]:
    """Files of random messages, the seed as the name; each is gone when the next is asked for."""
    for seed in range(count):
        path = folder / f"{seed}.mid"
        phrases.random_file(seed).save(path)
        yield path
        path.unlink()


def as_json(event: Event) -> list[Any]:
    """An event as [kind, its fields ...]."""
    if isinstance(event, NoteOn):
        return ["note_on", event.time, event.pitch, event.velocity, event.part]
    if isinstance(event, NoteOff):
        return ["note_off", event.time, event.pitch, event.part]
    assert isinstance(event, Pedal)
    return ["pedal", event.time, event.down, event.part]


def write_golden(target: Path) -> None:
    """Save the phrases and note-seq's ids, for tests that run without note-seq."""
    rows = []
    for compose in (phrases.pedalled_chords, phrases.repeated_notes, phrases.two_hands):
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "phrase.mid"
            phrases.save(compose(), path)
            reference = Reference.read(path)
            if reference.overlapping():
                raise AssertionError(f"{compose.__name__}: a pitch overlaps itself")
            events = ",\n  ".join(json.dumps(as_json(event)) for event in read_events(path))
        ids, name = json.dumps(reference.ids()), json.dumps(compose.__name__)
        rows.append(f'{{"name": {name}, "ids": {ids}, "events": [\n  {events}]}}')
    target.parent.mkdir(exist_ok=True)
    target.write_text("[\n" + ",\n".join(rows) + "\n]\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, help="folders of MIDI files")
    parser.add_argument("--per-folder", type=int, help="so many files of each, drawn at random")
    parser.add_argument("--random", type=int, default=0, help="so many files of random messages")
    parser.add_argument("--write-golden", action="store_true", help=f"write {GOLDEN}")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # pretty_midi warns of tempos outside the first track
    if not (options.folders or options.random or options.write_golden):
        parser.error("nothing to do: name folders, or give --random or --write-golden")
    if options.write_golden:
        write_golden(GOLDEN)
    with tempfile.TemporaryDirectory() as scratch:
        sets: list[tuple[str, Iterable[Path]]] = [
            (str(f), sample(f, options.per_folder)) for f in options.folders
        ]
        if options.random:
            sets.append(("random messages", random_files(options.random, Path(scratch))))
        return 1 if sets and check(sets) else 0


if __name__ == "__main__":
    sys.exit(main())
