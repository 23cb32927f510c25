"""How well a model file predicts music that it has not seen: nats per token and per note."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from segued.model.session import Model
from segued.tokens.vocabulary import NOTE_ON, PERFORMANCE

from ..corpus.pieces import Pieces
from ..data import IGNORE, rows_of
from ..report import progress
from .baselines import Baseline, counting, unigram
from .bootstrap import interval_of_ratio
from .quoting import nats_of as nats_quoting
from .quoting import quoted

__all__ = ["Evaluation", "evaluate", "nats_of", "unigram"]

ROWS, WINDOW = 16, 256

KINDS = tuple(kind for kind, _, _ in PERFORMANCE.ranges)
KIND_OF = np.repeat(np.arange(len(KINDS)), [len(PERFORMANCE.ids(kind)) for kind in KINDS])


@dataclass(frozen=True)
class Evaluation:
    """Figures over the tokens of some files; the first token of a file is given, not predicted.

    `file_nats`, `file_quoting` (the same as the daemon plays, quoting what it heard before in the
    piece) and `file_tokens` are (files,), `kind_nats` and `kind_tokens` (4,): of note-ons,
    note-offs, time shifts and velocities.
    """

    file_nats: np.ndarray
    file_quoting: np.ndarray
    file_tokens: np.ndarray
    kind_nats: np.ndarray
    kind_tokens: np.ndarray
    broken: int
    baselines: Sequence[Baseline] = field(default_factory=tuple)

    @property
    def nats(self) -> float:
        """Mean loss of all tokens."""
        return float(self.file_nats.sum())

    @property
    def tokens(self) -> int:
        """The number of predicted tokens."""
        return int(self.file_tokens.sum())

    @property
    def notes(self) -> int:
        """The number of predicted note-ons."""
        return int(self.kind_tokens[KINDS.index(NOTE_ON)])

    @property
    def files(self) -> int:
        """The number of files, without broken ones."""
        return len(self.file_nats)

    def to_dict(self) -> dict[str, Any]:
        """What `evaluate --json` prints.

        `low` and `high` bound a figure with 95 % confidence (bootstrap over files). `gain` is how
        many nats per token the model is better than a baseline.
        """
        low, high = interval_of_ratio(self.file_nats, self.file_tokens)
        values = {
            "nats_per_token": self.nats / self.tokens,
            "nats_per_token_low": low,
            "nats_per_token_high": high,
            "nats_per_note": self.nats / max(1, self.notes),
            "tokens": self.tokens,
            "notes": self.notes,
            "files": self.files,
            "broken": self.broken,
            "nats_by_kind": {
                kind: float(nats / max(1, tokens))
                for kind, nats, tokens in zip(KINDS, self.kind_nats, self.kind_tokens, strict=True)
            },
        }
        values["quoting"] = self._quoting()
        for baseline in self.baselines:
            values[f"{baseline.name}_nats_per_token"] = float(baseline.nats.sum() / self.tokens)
        return values | {"baselines": {b.name: self._against(b) for b in self.baselines}}

    def _quoting(self) -> dict[str, Any]:
        low, high = interval_of_ratio(self.file_quoting, self.file_tokens)
        return {
            "nats_per_token": float(self.file_quoting.sum() / self.tokens),
            "nats_per_note": float(self.file_quoting.sum() / max(1, self.notes)),
            "low": low,
            "high": high,
        }

    def _against(self, baseline: Baseline) -> dict[str, Any]:
        low, high = interval_of_ratio(baseline.nats, self.file_tokens)
        gained = baseline.nats - self.file_nats
        gain_low, gain_high = interval_of_ratio(gained, self.file_tokens)
        return {
            "about": baseline.about,
            "nats_per_token": float(baseline.nats.sum() / self.tokens),
            "nats_per_note": float(baseline.nats.sum() / max(1, self.notes)),
            "low": low,
            "high": high,
            "gain": float(gained.sum() / self.tokens),
            "gain_low": gain_low,
            "gain_high": gain_high,
        }


def evaluate(model: Model, pieces: Pieces, baselines: Sequence[Baseline] = ()) -> Evaluation:
    """Negative log-likelihood of pieces, the state carried from each one's first to last token.

    `baselines` are those of the same pieces; the unigram's is always added. Pieces of similar
    length are rows of one batch. An int8 model scales its inputs by the largest in a call, so its
    figures differ in the fourth digit from those of one row by itself.
    """
    quotations = [
        quoted(piece) for piece in progress(pieces, "looking for quotations", leave=False)
    ]
    order = sorted(range(len(pieces)), key=lambda i: -len(pieces[i]))  # rows end nearly together
    file_tokens = np.array([len(piece) - 1 for piece in pieces])
    file_nats, file_quoting = np.zeros(len(pieces)), np.zeros(len(pieces))
    kind_nats = np.zeros(len(KINDS))
    with progress(total=file_tokens.sum(), desc="evaluating", unit="token", leave=False) as bar:
        for i in range(0, len(order), ROWS):
            files = np.array(order[i : i + ROWS])
            for start, logits, targets in forward(model, [pieces[file] for file in files]):
                real, alive = targets != IGNORE, files[: len(targets)]
                nats = np.zeros(targets.shape)
                nats[real] = nats_of(logits[real], targets[real])
                file_nats[alive] += nats.sum(axis=1)
                for row, file in enumerate(alive):
                    known = quotations[file][start : start + WINDOW]
                    chances = softmax(logits[row, real[row]])
                    more = nats_quoting(chances, targets[row, real[row]], known)
                    file_quoting[file] += more.sum()
                kind_nats += np.bincount(KIND_OF[targets[real]], nats[real], len(KINDS))
                bar.update(int(real.sum()))
    targets = np.concatenate([piece[1:] for piece in pieces])
    kind_tokens = np.bincount(KIND_OF[targets], minlength=len(KINDS))
    together = [counting(pieces), *baselines]
    return Evaluation(
        file_nats, file_quoting, file_tokens, kind_nats, kind_tokens, len(pieces.broken), together
    )


def forward(
    model: Model, pieces: Sequence[np.ndarray]
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield the start, logits (rows, time, V) and targets (rows, time) of each window.

    Rows are pieces, the longest first, as far as they reach into the window.
    """
    ids = rows_of(pieces)
    state = np.zeros((len(ids), model.state_size), np.float32)
    for start in range(0, ids.shape[1] - 1, WINDOW):
        alive = int((ids[:, start + 1] != IGNORE).sum())
        window = ids[:alive, start : start + WINDOW + 1]
        inputs = np.ascontiguousarray(np.maximum(window[:, :-1], 0))
        logits, state = model.run(inputs, state[:alive])
        yield start, logits, window[:, 1:]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float64 (tokens, V), from logits."""
    rows = logits.astype(np.float64)
    rows -= rows.max(axis=1, keepdims=True)
    np.exp(rows, out=rows)
    rows /= rows.sum(axis=1, keepdims=True)
    return rows


def nats_of(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """-log p(target), float64 (tokens,), from logits (tokens, V) and targets (tokens,)."""
    rows = logits.astype(np.float64)
    rows -= rows.max(axis=1, keepdims=True)
    loss: np.ndarray = np.log(np.exp(rows).sum(axis=1)) - rows[np.arange(len(rows)), targets]
    return loss
