"""How well a model file predicts music that it has not seen: nats per token and per note."""

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from daemon.model import Model
from daemon.music.vocabulary import NOTE_ON

from .corpus import Pieces
from .dataset import IGNORE, rows_of

LANES, WINDOW = 16, 256


@dataclass(frozen=True)
class Evaluation:
    """Totals over the tokens of some files; the first token of a file is given, not predicted."""

    nats: float
    tokens: int
    notes: int
    files: int
    broken: int
    unigram_nats_per_token: float

    def to_dict(self) -> dict:
        """What `evaluate --json` prints."""
        return {
            "nats_per_token": self.nats / self.tokens,
            "nats_per_note": self.nats / max(1, self.notes),
            "tokens": self.tokens,
            "notes": self.notes,
            "files": self.files,
            "broken": self.broken,
            "unigram_nats_per_token": self.unigram_nats_per_token,
        }


def evaluate(model: Model, pieces: Pieces) -> Evaluation:
    """Negative log-likelihood of pieces, the state carried from each one's first to last token.

    Pieces of similar length are lanes of one batch. An int8 model scales its inputs by the largest
    in a call, so its figures differ in the fourth digit from those of one lane by itself.
    """
    rows = sorted(pieces, key=len, reverse=True)  # lanes of a group end nearly together
    nats, total = 0.0, sum(len(row) - 1 for row in rows)
    with tqdm(total=total, desc="evaluating", unit="token", leave=False) as bar:
        for i in range(0, len(rows), LANES):
            ids = rows_of(rows[i : i + LANES])
            state = np.zeros((len(ids), model.state_size), np.float32)
            for start in range(0, ids.shape[1] - 1, WINDOW):
                alive = int((ids[:, start + 1] != IGNORE).sum())  # the longest come first
                window = ids[:alive, start : start + WINDOW + 1]
                inputs = np.ascontiguousarray(np.maximum(window[:, :-1], 0))
                logits, state = model.run(inputs, state[:alive])
                nats += _nats(logits, window[:, 1:])
                bar.update(int((window[:, 1:] != IGNORE).sum()))
    targets = np.concatenate([row[1:] for row in rows])
    notes = int(np.isin(targets, model.vocabulary.ids(NOTE_ON)).sum())
    return Evaluation(nats, total, notes, len(rows), len(pieces.broken), unigram(targets))


def unigram(tokens: np.ndarray) -> float:
    """The entropy of tokens taken one by one, in nats: what counting alone achieves."""
    counts = np.unique(tokens, return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _nats(logits: np.ndarray, targets: np.ndarray) -> float:
    """Sum of -log p(target) where there is one; logits (batch, time, V), targets (batch, time)."""
    there = targets != IGNORE
    rows = logits[there].astype(np.float64)
    rows -= rows.max(axis=1, keepdims=True)
    chosen = rows[np.arange(len(rows)), targets[there]]
    return float((np.log(np.exp(rows).sum(axis=1)) - chosen).sum())
