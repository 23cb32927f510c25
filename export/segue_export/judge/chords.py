"""How well a model of the note vocabulary predicts music that it has not seen.

Time and loudness are not modelled: nats per symbol are not nats per token. `judge.compare` sets
both kinds of model beside each other on pitches alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from segued.model.session import Model
from segued.tokens.chord_vocabulary import SILENCE

from ..corpus.pieces import Pieces
from ..report import progress
from ..seed.windows import gather
from .baselines import unigram

ROWS, SPAN, BATCH = 16, 256, 64

WAYS = ("carried", "window")
"""To predict a symbol: from the state, or from its window run anew."""


@dataclass(frozen=True)
class ChordEvaluation:
    """Totals over the symbols of files. The first symbol of a file is given, not predicted.

    A chord that the vocabulary does not know is scored as the nearest that it knows; `known` counts
    those it knows as they are, `left_out` the notes that were lost.
    """

    nats: float
    symbols: int
    known: int
    notes: int
    left_out: int
    files: int
    broken: int
    unigram_nats_per_symbol: float

    def to_dict(self) -> dict[str, Any]:
        """What `evaluate --json` prints."""
        return {
            "nats_per_symbol": self.nats / self.symbols,
            "nats_per_note": self.nats / max(1, self.notes),
            "symbols": self.symbols,
            "known": self.known / self.symbols,
            "notes": self.notes,
            "left_out": self.left_out,
            "files": self.files,
            "broken": self.broken,
            "unigram_nats_per_symbol": self.unigram_nats_per_symbol,
        }

    def __str__(self) -> str:
        values = self.to_dict()
        text = (
            f"{values['nats_per_symbol']:.4f} nats per symbol, {values['nats_per_note']:.3f} per "
            "note, pitches alone\n"
            f"{self.unigram_nats_per_symbol:.4f} nats per symbol by counting symbols alone\n"
            f"{self.symbols} symbols, {100 * values['known']:.1f} % of them known as they are; "
            f"{self.notes} notes, {self.left_out} more left out; {self.files} files"
        )
        return text + (f"\n{self.broken} files left out" if self.broken else "")


def evaluate_chords(model: Model, pieces: Pieces, way: str | None = None) -> ChordEvaluation:
    """Negative log-likelihood of the chords of pieces, pitches alone.

    With `way` "carried" the state is carried from each piece's first to its last symbol, with
    "window" each symbol is predicted from its window alone, run anew from nothing as the tutorial
    does. By default it is the way in which the daemon plays the model.
    """
    assert model.notes is not None
    corpus = gather(pieces, len(pieces))
    symbols = corpus.symbols(model.notes)
    nats = symbol_nats(model, symbols, way or way_of(model))
    played = np.concatenate([corpus.sizes()[piece[1:]] for piece in corpus.pieces])
    targets = np.concatenate([piece[1:] for piece in symbols])
    sizes = np.array([len(chord) for chord in model.notes.chords])
    exact = np.array([model.notes.id(chord) is not None for chord in corpus.chords])
    known = np.concatenate([exact[piece[1:]] for piece in corpus.pieces])
    notes = int(sizes[targets].sum())
    return ChordEvaluation(
        float(np.concatenate(nats).sum()), len(targets), int(known.sum()), notes,
        int(played.sum()) - notes, len(pieces), len(pieces.broken), unigram(targets),
    )  # fmt: skip


def way_of(model: Model) -> str:
    """The way in which the daemon plays a model of the note vocabulary."""
    return "carried" if model.info["carried"] else "window"


def symbol_nats(model: Model, pieces: Sequence[np.ndarray], way: str) -> list[np.ndarray]:
    """Nats of each symbol of each piece but its first, float64 (symbols - 1,)."""
    return {"carried": _carried, "window": _windows}[way](model, pieces)


def _carried(model: Model, pieces: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Pieces of similar length are rows of one batch, each after a window of silence."""
    padding = int(model.info["window"])
    order = sorted(range(len(pieces)), key=lambda i: -len(pieces[i]))
    nats = [np.zeros(max(0, len(piece) - 1)) for piece in pieces]
    with _bar(pieces) as bar:
        for group in (order[i : i + ROWS] for i in range(0, len(order), ROWS)):
            rows = np.full((len(group), len(pieces[group[0]])), SILENCE, np.int64)
            for own, i in zip(rows, group, strict=True):
                own[: len(pieces[i])] = pieces[i]
            silence = np.full((len(group), padding), SILENCE, np.int64)
            state = np.zeros((len(group), model.state_size), np.float32)
            state = model.run(silence, state)[1]
            for start in range(0, rows.shape[1] - 1, SPAN):
                window = rows[:, start : start + SPAN + 1]
                logits, state = model.run(np.ascontiguousarray(window[:, :-1]), state)
                scores = _scores(logits, window[:, 1:])
                for row, i in enumerate(group):
                    part = nats[i][start : start + SPAN]
                    part[:] = scores[row, : len(part)]
                    bar.update(len(part))
    return nats


def _windows(model: Model, pieces: Sequence[np.ndarray]) -> list[np.ndarray]:
    window = int(model.info["window"])
    silence = np.full(window - 1, SILENCE, np.int64)
    nats = [np.zeros(max(0, len(piece) - 1)) for piece in pieces]
    with _bar(pieces) as bar:
        for piece, scores in zip(pieces, nats, strict=True):
            padded = np.concatenate([silence, piece])
            for start in range(0, len(scores), BATCH):
                firsts = np.arange(start, min(start + BATCH, len(scores)))
                inputs = padded[firsts[:, np.newaxis] + np.arange(window)]
                state = np.zeros((len(inputs), model.state_size), np.float32)
                logits = model.run(inputs, state)[0][:, -1:]
                scores[firsts] = _scores(logits, piece[firsts + 1][:, np.newaxis])[:, 0]
                bar.update(len(firsts))
    return nats


def _bar(pieces: Sequence[np.ndarray]) -> Any:
    total = sum(max(0, len(piece) - 1) for piece in pieces)
    return progress(total=total, desc="evaluating", unit="symbol", leave=False)


def _scores(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """-log p(target) (batch, time) from logits (batch, time, V), given that it is not silence."""
    logits = logits[..., SILENCE + 1 :].astype(np.float64)
    logits -= logits.max(axis=2, keepdims=True)
    targets = np.maximum(targets - SILENCE - 1, 0)[..., np.newaxis]
    chosen = np.take_along_axis(logits, targets, axis=2)[..., 0]
    loss: np.ndarray = np.log(np.exp(logits).sum(axis=2)) - chosen
    return loss
