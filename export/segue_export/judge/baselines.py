"""Baselines: much simpler models, evaluated on the same files.

- `unigram` counts tokens, on the very files that are asked about.
- `markov` has learned the training pieces, in several keys; its order is the one that is best on a
  part of them that it was not shown.
- `markov_listening` knows no music but learns each piece while it is heard. Its orders are mixed by
  how well they have done so far in the piece.
- `markov_both` has learned the training pieces and learns the piece too, which is what the
  Continuator does: all orders of both, in a mixture that was fitted on the part kept out. It is the
  strongest of the three.
"""

from dataclasses import dataclass

import numpy as np
from segued.tokens.vocabulary import PERFORMANCE

from ..corpus.pieces import Pieces, join
from .markov import predict, predict_listening

KEPT_OUT = 0.05  # share of the training tokens that chooses the order
TRIED = range(0, len(PERFORMANCE), 8)  # the tokens after which it is tried: it takes its time
FITTING_ROUNDS = 50  # of expectation maximisation; the mixture's likelihood has settled by then


@dataclass(frozen=True)
class Baseline:
    """The loss of each file (files,) in nats, and a description of the model."""

    name: str
    about: str
    nats: np.ndarray


def unigram(tokens: np.ndarray) -> float:
    """The loss of a unigram model, in nats."""
    counts = np.unique(tokens, return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def counting(pieces: Pieces) -> Baseline:
    """A unigram model of the test pieces themselves: the best that any unigram can achieve."""
    counts = np.bincount(np.concatenate([piece[1:] for piece in pieces]))
    costs = -np.log(np.maximum(counts, 1) / counts.sum())
    nats = np.array([costs[piece[1:]].sum() for piece in pieces])
    return Baseline("unigram", "tokens counted on these files themselves", nats)


def markov(pieces: Pieces, training: Pieces | None, highest: int, transpose: int) -> list[Baseline]:
    """The Markov models; without training pieces only the one that learns while it listens."""
    heard = predict_listening(pieces)
    about = f"learns each file as it goes, orders 0 to {len(heard) - 1}"
    listening = Baseline("markov_listening", about, _mixed_orders(heard, pieces))
    if training is None:
        return [listening]
    shown, kept_out = _split(training)
    trial = predict(shown, kept_out, highest, transpose, TRIED, "choosing the order")
    tried = np.isfinite(trial[-1]) if highest else np.full(trial.shape[1], True)
    order = int(np.log(trial[:, tried]).mean(axis=1).argmax())
    learned = predict(training, pieces, order, transpose)
    listened = predict_listening(kept_out)[:, tried]
    weights = mixture(np.concatenate((trial[: order + 1, tried], listened)))
    both = weights @ np.concatenate((learned, heard))
    learned_what = f"{training.total} tokens in {2 * transpose + 1} keys, order {order}"
    return [
        Baseline("markov", f"learned {learned_what}", _by_file(-np.log(learned[order]), pieces)),
        listening,
        Baseline(
            "markov_both",
            f"learned {learned_what} and below, and learns each file as it goes",
            _by_file(-np.log(both), pieces),
        ),
    ]


def mixture(chances: np.ndarray) -> np.ndarray:
    """The weights (models,) of the likeliest mixture of `chances` (models, tokens)."""
    weights = np.full(len(chances), 1.0 / len(chances))
    for _ in range(FITTING_ROUNDS):
        shares = weights[:, np.newaxis] * chances
        weights = (shares / shares.sum(axis=0)).mean(axis=1)
    return weights


def _split(training: Pieces) -> tuple[Pieces, Pieces]:
    """Split pieces into training and validation; a single piece is cut in two."""
    if len(training) == 1:
        half = training.total // 2
        first, second = training.tokens[:half], training.tokens[half:]
        return join(training.names, [first]), join(training.names, [second])
    order = np.random.default_rng(1).permutation(len(training))
    lengths = np.array([len(training[i]) for i in order])
    count = int(np.searchsorted(np.cumsum(lengths), KEPT_OUT * lengths.sum())) + 1
    count = min(count, len(order) - 1)
    parts = [sorted(order[count:]), sorted(order[:count])]
    shown, kept_out = ([training[i] for i in part] for part in parts)
    return join([""] * len(shown), shown), join([""] * len(kept_out), kept_out)


def _by_file(nats: np.ndarray, pieces: Pieces) -> np.ndarray:
    ends = np.cumsum([len(piece) - 1 for piece in pieces])
    return np.diff(np.concatenate(([0.0], np.cumsum(nats)))[np.concatenate(([0], ends))])


def _mixed_orders(chances: np.ndarray, pieces: Pieces) -> np.ndarray:
    """Nats of each file by the Bayesian mixture of the orders, each as likely at its beginning.

    That is -log of the mean of what the orders give to the whole file: at most log(orders) nats
    more than the best of them.
    """
    whole = -np.stack([_by_file(-np.log(row), pieces) for row in chances])
    best = whole.max(axis=0)
    loss: np.ndarray = -(best + np.log(np.exp(whole - best).mean(axis=0)))
    return loss
