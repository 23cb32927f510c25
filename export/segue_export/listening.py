"""A Markov model that learns nothing but the piece itself, while it is heard.

The Continuator as it sits down at the piano: each token is predicted from what came after the same
context earlier in the piece. Orders are smoothed by Witten and Bell's method, "the zero-frequency
problem" (1991): after a context heard n times with t different tokens, the next shorter context
has the share t / (n + t).
"""

import numpy as np
from segued.tokens.vocabulary import PERFORMANCE

from .corpus import Pieces
from .markov import BEGIN, BITS, HIGHEST, predicted, run_of, stream


def predict_listening(asked: Pieces, highest: int = HIGHEST) -> np.ndarray:
    """What each order 0..`highest` gives to every token but the first of each piece.

    Float64 (highest + 1, tokens). Each piece begins with nothing learned; order 0 starts from all
    tokens being equally likely.
    """
    tokens = stream(asked, highest)
    piece = np.repeat(np.arange(len(asked)), [len(p) + highest + 1 for p in asked])
    real = np.flatnonzero(tokens != BEGIN)
    low = np.full(len(real), 1.0 / len(PERFORMANCE))
    rows = []
    for order in range(highest + 1):
        runs = run_of(tokens, real, order)
        same = _earlier(runs, piece[real], np.ones(len(real)))
        context = runs >> BITS
        times = _earlier(context, piece[real], np.ones(len(real)))
        different = _earlier(context, piece[real], (same == 0).astype(float))
        low = np.where(times > 0, (same + different * low) / np.maximum(1, times + different), low)
        rows.append(low)
    return np.stack(rows)[:, predicted(tokens)[real]]


def _earlier(keys: np.ndarray, piece: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """For each place the sum of the weights of earlier places of equal key in its piece."""
    names = np.unique(keys, return_inverse=True)[1] * (piece.max() + 1) + piece
    order = np.argsort(names, kind="stable")
    names, weights = names[order], weights[order]
    first = np.flatnonzero(np.diff(names, prepend=-1))
    running = np.cumsum(weights) - weights
    running -= np.repeat(running[first], np.diff(np.append(first, len(names))))
    result = np.empty(len(keys))
    result[order] = running
    return result
