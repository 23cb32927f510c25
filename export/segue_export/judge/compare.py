"""Models set beside each other on pitches alone, with the time that a chord takes each of them.

A model of the note vocabulary gives chords a probability at once. For a performance model it is put
together from its tokens: the pitch of each note-on, given that there is one, and after each note
whether the chord goes on or time does. (That such a model also knew when, how long and how loud
everything before was is what its vocabulary is for.) Both are scored on the same chords: those that
every note model at hand knows as they are. The music should be quantized, so that the notes of a
chord come in one step; what is spread over several is scored as if the spreading were known.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from segued.errors import UsageError
from segued.generation.context import StepModel
from segued.generation.improviser import Improviser
from segued.generation.shaping import Playing
from segued.model.chord_model import ChordModel
from segued.model.session import Model
from segued.tokens.chord_vocabulary import Chord, ChordEncoder
from segued.tokens.events import NoteOff, NoteOn
from segued.tokens.vocabulary import NOTE_ON, PERFORMANCE, TIME_SHIFT, VELOCITY

from ..corpus.pieces import Pieces
from ..data import IGNORE, rows_of
from ..seed.windows import ChordPieces, gather
from .chords import symbol_nats, way_of

TIMED = 300  # chords
ROWS, WINDOW = 16, 256
_KINDS = [PERFORMANCE.ids(kind) for kind in (NOTE_ON, VELOCITY, TIME_SHIFT)]
_ON, _LOUD, _SHIFT = (slice(ids.start, ids.stop) for ids in _KINDS)


@dataclass(frozen=True)
class Row:
    """One way to play: a model, and for note models whether its state is carried."""

    model: str
    way: str
    nats_per_chord: float
    nats_per_note: float
    milliseconds: float  # a chord, median


def compare(paths: Sequence[Path], pieces: Pieces) -> tuple[list[Row], dict[str, float]]:
    """A row for each way to play each model; and how much music was scored.

    UsageError when no model has a note vocabulary: its chords are what is compared.
    """
    models = [(path, Model.load(path)) for path in paths]
    corpus = gather(pieces, len(pieces))
    vocabularies = [model.notes for _, model in models if model.notes is not None]
    if not vocabularies:
        raise UsageError("compare needs one model of train --preset seed or more")
    known = [all(notes.id(c) is not None for notes in vocabularies) for c in corpus.chords]
    scored = [np.array(known)[piece] for piece in corpus.pieces]
    for mask in scored:
        mask[:1] = False  # the first of a piece is given
    sizes = corpus.sizes()
    chords = int(sum(mask.sum() for mask in scored))
    notes = int(sum(sizes[p[m]].sum() for p, m in zip(corpus.pieces, scored, strict=True)))
    rows = []
    for path, model in models:
        for way, nats, seconds in _ways(model, corpus, pieces):
            total = sum(float(n[m].sum()) for n, m in zip(nats, scored, strict=True))
            rows.append(Row(path.name, way, total / chords, total / notes, 1000 * seconds))
    total = sum(map(len, corpus.pieces)) - len(corpus.pieces)
    return rows, {"chords": chords, "notes": notes, "share": chords / max(1, total)}


def _ways(
    model: Model, corpus: ChordPieces, pieces: Pieces
) -> list[tuple[str, list[np.ndarray], float]]:
    """For each way to play a model: its name, nats of each chord of each piece, seconds a chord."""
    if model.notes is None:
        return [("pitches alone", chord_nats(model, pieces), seconds_a_chord(model))]
    symbols = corpus.symbols(model.notes)
    window, ways = model.info["window"], []
    for way, name in (("window", f"window of {window} run anew"), ("carried", "state carried")):
        nats = [np.append(0.0, n) for n in symbol_nats(model, symbols, way)]
        played = ChordModel(model, model.notes, window, carried=way == "carried")
        ways.append((name + " *" * (way == way_of(model)), nats, seconds_a_chord(played)))
    return ways


def chord_nats(model: Model, pieces: Pieces) -> list[np.ndarray]:
    """Nats of each chord of each piece by a performance model, float64 (chords,); 0 of the first
    note of a piece."""
    every: list[np.ndarray] = [np.zeros(0)] * len(pieces)
    order = sorted(range(len(pieces)), key=lambda i: -len(pieces[i]))
    for group in (order[i : i + ROWS] for i in range(0, len(order), ROWS)):
        ids = rows_of([pieces[i] for i in group])
        state = np.zeros((len(group), model.state_size), np.float32)
        nats = np.zeros(ids.shape)
        for start in range(0, ids.shape[1] - 1, WINDOW):
            window = ids[:, start : start + WINDOW + 1]
            inputs = np.ascontiguousarray(np.maximum(window[:, :-1], 0))
            logits, state = model.run(inputs, state)
            nats[:, start + 1 : start + 1 + inputs.shape[1]] = _token_nats(logits, window)
        for row, i in enumerate(group):
            chords = chord_numbers(pieces[i].tolist())
            inside = chords >= 0
            every[i] = np.bincount(chords[inside], nats[row, : len(chords)][inside])
    return every


def _token_nats(logits: np.ndarray, window: np.ndarray) -> np.ndarray:
    """What each token costs in pitch and in going on, (batch, time), its predecessor given."""
    before, target = window[:, :-1], window[:, 1:]
    logits = logits.astype(np.float64)
    on, loud, shift = (_total(logits[..., part]) for part in (_ON, _LOUD, _SHIFT))
    pitch = np.take_along_axis(logits, np.clip(target, 0, _ON.stop - 1)[..., None], axis=2)[..., 0]
    goes_on = np.logaddexp(on, loud)
    either = np.logaddexp(goes_on, shift)
    is_on = (target >= 0) & (target < _ON.stop)
    is_shift = (target >= _SHIFT.start) & (target < _SHIFT.stop)
    after_note = (before >= 0) & (before < _ON.stop) & (target != IGNORE)
    nats = np.where(is_on, on - pitch, 0.0)
    return nats + np.where(after_note, either - np.where(is_shift, shift, goes_on), 0.0)


def _total(logits: np.ndarray) -> np.ndarray:
    top = logits.max(axis=2)
    total: np.ndarray = top + np.log(np.exp(logits - top[..., np.newaxis]).sum(axis=2))
    return total


def chord_numbers(ids: list[int]) -> np.ndarray:
    """For each token the number of the chord that it belongs to: its notes, the velocities among
    them, the time shift that shows its end; -1 for what belongs to none."""
    encoder, numbers, chord = ChordEncoder(), np.full(len(ids), -1, np.int64), 0
    for i, id in enumerate(ids):
        over = encoder.feed(id)
        if encoder.pitches or over:
            numbers[i] = chord
        chord += bool(over)
    return numbers


def seconds_a_chord(model: StepModel) -> float:
    """The median time from chord to chord of an endless reply, sampling and plan included."""
    improviser = Improviser(model, Playing(lookahead=1e9, seed=1))
    phrase: list[Chord] = [(60,), (64, 67), (72,), (67,)] * 4
    for i, chord in enumerate(phrase):
        for pitch in chord:
            improviser.hear(NoteOn(0.2 * i, pitch, 70))
        for pitch in chord:
            improviser.hear(NoteOff(0.2 * i + 0.18, pitch))
    improviser.advance(4.0)
    improviser.prepare(4.0, float("inf"))
    seconds: list[float] = []
    onset, planned = -1.0, 0
    began = time.perf_counter()
    while len(seconds) < TIMED:
        improviser.think(4.0)
        if len(improviser.planned) > planned:
            planned = len(improviser.planned)
            token = improviser.planned[-1]
            if token.time > onset and any(isinstance(e, NoteOn) for e in token.events):
                now = time.perf_counter()
                seconds.append(now - began)
                began, onset = now, token.time
    return float(np.median(seconds[1:]))
