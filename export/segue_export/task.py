"""How well a network in training predicts music that was kept out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from .corpus.folders import Pieces
from .data import IGNORE, rows_of
from .network import Network
from .process_group import World, alone

ROWS = 32  # pieces that are heard at a time


def some_of(pieces: Pieces, piece: int, tokens: int) -> Pieces:
    """Pieces spread evenly over all, so that the first `piece` tokens of each are `tokens` at most.

    At least one; all of them if they are few enough.
    """
    heard = np.minimum(pieces.lengths, piece)
    if heard.sum() <= tokens:
        return pieces
    count = max(1, int(len(pieces) * tokens / heard.sum()))
    return pieces.select(np.linspace(0, len(pieces) - 1, count).astype(int).tolist())


@dataclass(frozen=True)
class Heard:
    """What a validation found: nats and predicted tokens of each passage, both (pieces, passages).

    A passage is a window of one call; where a piece has ended both are 0.
    """

    nats: np.ndarray
    tokens: np.ndarray

    @property
    def nll(self) -> float:
        """Nats per token."""
        return float(self.nats.sum() / max(1, self.tokens.sum()))

    @property
    def pieces(self) -> int:
        """Pieces that were heard."""
        return int(self.tokens.any(axis=1).sum())


def validate(
    network: Network, pieces: Pieces, limit: int, time: int = 512, world: World | None = None
) -> Heard:
    """Listen to the first `limit` tokens of each piece, the state carried through each.

    The processes of a world listen to some of the pieces each and know of all in the end.
    """
    world = world or alone()
    lengths = np.minimum(pieces.lengths, limit + 1)
    order = np.argsort(lengths, kind="stable")
    shape = len(pieces), max(1, -(-(int(lengths.max(initial=1)) - 1) // time))
    nats, tokens = np.zeros(shape), np.zeros(shape)
    groups = [order[i : i + ROWS] for i in range(0, len(order), ROWS)]
    network.eval()
    with torch.no_grad():
        for group in groups[world.rank :: world.size]:
            rows = rows_of([pieces[i][: limit + 1] for i in group])
            for passage, (lost, count) in enumerate(_heard(network, rows, time)):
                nats[group, passage], tokens[group, passage] = lost, count
    together = np.array(world.sum([*nats.flat, *tokens.flat])).reshape(2, *shape)
    return Heard(together[0], together[1].astype(np.int64))


def _heard(
    network: Network, rows: np.ndarray, time: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each window -log p and tokens of each row (rows,); rows int64, padded with IGNORE."""
    state = network.initial_state(len(rows))
    ids = torch.from_numpy(rows).to(state.device)
    for start in range(0, rows.shape[1] - 1, time):
        window = ids[:, start : start + time + 1]
        logits, state = network(window[:, :-1].clamp(min=0), state)
        lost = functional.cross_entropy(
            logits.transpose(1, 2), window[:, 1:], ignore_index=IGNORE, reduction="none"
        )
        count = (window[:, 1:] != IGNORE).sum(dim=1)
        yield lost.sum(dim=1, dtype=torch.float64).cpu().numpy(), count.cpu().numpy()


def negative_log_likelihood(network: Network, pieces: Pieces, limit: int, time: int = 512) -> float:
    """Nats per token over the first `limit` tokens of each piece, state carried through each."""
    return validate(network, pieces, limit, time).nll
