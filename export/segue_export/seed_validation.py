"""How well a network of the seed preset predicts the symbols of pieces that were kept out."""

import numpy as np
import torch
from segued.tokens.chord_vocabulary import SILENCE
from torch.nn import functional

from .dataset import IGNORE
from .network import Network

LANES, SPAN = 32, 256  # pieces, or windows, at a time; symbols of a call


def window_nats(network: Network, pieces: list[np.ndarray], window: int, limit: int) -> float:
    """Nats per symbol, each predicted from the window before it, run from nothing.

    Of `limit` symbols at most, spread evenly over the pieces; never the very first of one.
    """
    network.eval()
    silence = np.full(window - 1, SILENCE, np.int64)
    padded = np.concatenate([part for piece in pieces for part in (silence, piece)])
    starts = np.cumsum([0, *(window - 1 + len(piece) for piece in pieces)])[:-1]
    places = [np.arange(s, s + len(p) - 1) for s, p in zip(starts, pieces, strict=True)]
    firsts = np.concatenate(places)
    firsts = firsts[np.linspace(0, len(firsts) - 1, min(limit, len(firsts))).astype(np.int64)]
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(firsts), LANES):
            some = padded[firsts[start : start + LANES, np.newaxis] + np.arange(window + 1)]
            state = network.initial_state(len(some))
            symbols = torch.from_numpy(some).to(state.device)
            logits, _ = network(symbols[:, :-1], state, last=True)
            nats = functional.cross_entropy(logits[:, 0], symbols[:, -1], reduction="sum")
            total += float(nats)
    return total / max(1, len(firsts))


def carried_nats(network: Network, pieces: list[np.ndarray], window: int, limit: int) -> float:
    """Nats per symbol, of the first `limit` of each piece but its very first.

    The state is carried through each piece, after a window of silence.
    """
    network.eval()
    total, count = 0.0, 0
    rows = sorted((piece[:limit] for piece in pieces), key=len)
    with torch.no_grad():
        for group in (rows[i : i + LANES] for i in range(0, len(rows), LANES)):
            length = max(map(len, group))
            inputs = np.full((len(group), window + length), SILENCE, np.int64)
            targets = np.full((len(group), window + length), IGNORE, np.int64)
            for i, piece in enumerate(group):
                inputs[i, window : window + len(piece)] = piece
                targets[i, window : window + len(piece) - 1] = piece[1:]
            state = network.initial_state(len(group))
            for start in range(0, window + length, SPAN):
                span = slice(start, start + SPAN)
                symbols = torch.from_numpy(inputs[:, span]).to(state.device)
                logits, state = network(symbols, state)
                there = torch.from_numpy(targets[:, span].copy()).flatten().to(state.device)
                total += float(
                    functional.cross_entropy(
                        logits.flatten(0, 1), there, ignore_index=IGNORE, reduction="sum"
                    )
                )
                count += int((there != IGNORE).sum())
    return total / max(1, count)
