"""Does a reply resemble what really came next? The continuation test.

A passage of real music is heard, then the model plays on; what it plays is compared with what
really followed. Two marks of the same files stand beside it: the ceiling, how much the ten seconds
that really came resemble the ten after those, and the floor, how much they resemble ten seconds of
some other piece. Resemblance is the overlap of normalised histograms (the sum of the smaller of the
two, 0..1), a feature at a time, after Yang and Lerch, "On the evaluation of generative models in
music" (2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from daemon.errors import DataError
from daemon.improviser import Improviser
from daemon.model import Model
from daemon.music.events import MODEL_PART, Event, NoteOff, NoteOn
from daemon.music.midi import read_events
from daemon.music.tokenizer import decode, encode
from daemon.music.vocabulary import PERFORMANCE
from daemon.roll import Note
from daemon.shaping import Playing

from .corpus import midi_files

PROMPT, REPLY = 20.0, 10.0  # seconds
FEWEST = 12  # notes that a passage needs to be compared at all

SPANS = np.geomspace(0.01, 8.0, 25)  # edges of inter-onset and duration bins, in seconds
BINS = {
    "pitch class": np.arange(13) - 0.5,
    "pitch": np.arange(0, 132, 4) - 0.5,
    "interval": np.arange(-24, 26) - 0.5,
    "inter-onset": SPANS,
    "duration": SPANS,
    "velocity": np.arange(0, 132, 8) - 0.5,
    "density": np.array([-0.5, 0.5, 2.5, 4.5, 7.5, 10.5, 14.5, 20.5, 30.5, 1e9]),
}


def notes_of(events: Sequence[Event]) -> list[Note]:
    """Notes of a decoded performance (no pedals, no overlaps), by onset."""
    begun: dict[int, NoteOn] = {}
    notes = []
    for event in events:
        if isinstance(event, NoteOn):
            begun[event.pitch] = event
        elif isinstance(event, NoteOff) and event.pitch in begun:
            on = begun.pop(event.pitch)
            notes.append(Note(on.time, event.time, on.pitch, on.velocity))
    return sorted(notes, key=lambda note: (note.start, note.pitch))


def features(notes: Sequence[Note], start: float, seconds: float) -> dict[str, np.ndarray]:
    """A normalised histogram of each feature over the notes that begin in a passage."""
    inside = [n for n in notes if start <= n.start < start + seconds]
    onsets = np.array([n.start for n in inside])
    pitches = np.array([n.pitch for n in inside])
    values = {
        "pitch class": pitches % 12,
        "pitch": pitches,
        "interval": np.clip(np.diff(pitches), -24, 24),
        "inter-onset": np.clip(np.diff(onsets), SPANS[0], SPANS[-1]),
        "duration": np.clip([n.end - n.start for n in inside], SPANS[0], SPANS[-1]),
        "velocity": np.array([n.velocity for n in inside]),
        "density": np.histogram(onsets, np.arange(start, start + seconds + 0.5, 1.0))[0],
    }
    return {name: _normalised(values[name], edges) for name, edges in BINS.items()}


def _normalised(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    counts = np.histogram(values, edges)[0].astype(float)
    return counts / max(1.0, counts.sum())


def overlap(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> dict[str, float]:
    """Shared area of each pair of histograms, 0..1."""
    return {name: float(np.minimum(a[name], b[name]).sum()) for name in BINS}


def play_on(model: Model, notes: Sequence[Note], cut: float, playing: Playing) -> list[Note]:
    """The model hears PROMPT seconds of notes before `cut` and plays on for REPLY seconds.

    What sounds at the cut is the model's to end, as if it had played all of it itself.
    """
    improviser = Improviser(model, replace(playing, lookahead=2 * REPLY))
    for event in _events(notes, cut - PROMPT, cut):
        improviser.hear(event)
    begin = cut + 2.0 / PERFORMANCE.steps_per_second
    improviser.advance(begin)
    improviser.prepare(begin, REPLY)
    while improviser.think(begin):
        pass
    played: list[Event] = []
    while (token := improviser.due(float("inf"))) is not None:
        played += token.events
    return notes_of(played)


def _events(notes: Sequence[Note], start: float, end: float) -> list[NoteOn | NoteOff]:
    """What happens in a passage, in order: note-offs before note-ons."""
    events: list[NoteOn | NoteOff] = []
    for note in notes:
        if start <= note.start < end:
            events.append(NoteOn(note.start, note.pitch, note.velocity, MODEL_PART))
            if note.end < end:
                events.append(NoteOff(note.end, note.pitch, MODEL_PART))
    return sorted(events, key=lambda event: (event.time, isinstance(event, NoteOn)))


@dataclass
class Passage:
    """A place in a piece: its notes, with the pedal applied, and a time in it."""

    notes: list[Note]
    cut: float


def passages(folder: Path, count: int, seed: int) -> list[Passage]:
    """`count` places with enough real music before and after them, spread over the files."""
    rng = np.random.default_rng(seed)
    pieces = []
    for path in midi_files(folder):
        try:
            events = read_events(path)
        except DataError:
            continue  # `evaluate` reports broken files
        offset = next(e.time for e in events if isinstance(e, NoteOn))
        shift = PERFORMANCE.time_of(PERFORMANCE.step_of(offset))
        notes = [
            Note(n.start + shift, n.end + shift, n.pitch, n.velocity)
            for n in notes_of(decode(encode(events)))
        ]
        if notes and notes[-1].start - notes[0].start > PROMPT + 2 * REPLY:
            pieces.append(notes)
    if not pieces:
        raise DataError(f"{folder}: no piece is longer than {PROMPT + 2 * REPLY:g} seconds")
    found: list[Passage] = []
    for attempt in range(20 * count):
        notes = pieces[attempt % len(pieces)]
        cut = float(rng.uniform(notes[0].start + PROMPT, notes[-1].start - 2 * REPLY))
        starts = np.array([n.start for n in notes])
        spans = [(cut - PROMPT, cut), (cut, cut + REPLY), (cut + REPLY, cut + 2 * REPLY)]
        if all(((starts >= a) & (starts < b)).sum() >= FEWEST for a, b in spans):
            found.append(Passage(notes, cut))
        if len(found) == count:
            break
    return found


def continuation_test(
    model: Model, folder: Path, count: int, playing: Playing, seed: int = 1
) -> dict[str, dict[str, float]]:
    """For each feature the mean overlap with what really came, its floor and ceiling, and `share`.

    `share` is how far from the floor to the ceiling the replies are (1: like the real thing).
    `low` and `high` bound the mean of the replies with 95 % confidence (bootstrap over passages).
    """
    places = passages(folder, count, seed)
    rng = np.random.default_rng(seed)
    rows: dict[str, list[dict[str, float]]] = {"reply": [], "floor": [], "ceiling": []}
    bar = tqdm(places, desc=f"playing on, {folder.name}", unit="passage", leave=False)
    for i, place in enumerate(bar):
        real = features(place.notes, place.cut, REPLY)
        reply = play_on(model, place.notes, place.cut, playing)
        rows["reply"].append(overlap(features(reply, place.cut, REPLY + 0.03), real))
        rows["ceiling"].append(overlap(features(place.notes, place.cut + REPLY, REPLY), real))
        other = places[(i + 1 + int(rng.integers(max(1, len(places) - 1)))) % len(places)]
        rows["floor"].append(overlap(features(other.notes, other.cut, REPLY), real))
    return {name: _summary(name, rows, rng) for name in BINS}


def _summary(
    name: str, rows: dict[str, list[dict[str, float]]], rng: np.random.Generator
) -> dict[str, float]:
    values = {kind: np.array([row[name] for row in kept]) for kind, kept in rows.items()}
    reply, floor, ceiling = (float(values[k].mean()) for k in ("reply", "floor", "ceiling"))
    draws = rng.integers(0, len(values["reply"]), (2000, len(values["reply"])))
    low, high = np.percentile(values["reply"][draws].mean(axis=1), [2.5, 97.5])
    share = (reply - floor) / (ceiling - floor) if ceiling > floor else float("nan")
    return {
        "reply": reply, "low": float(low), "high": float(high), "floor": floor,
        "ceiling": ceiling, "share": share, "passages": len(values["reply"]),
    }  # fmt: skip
