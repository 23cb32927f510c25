"""A batch of endless token streams, one a lane: pieces played from beginning to end, augmented.

The network's state is carried along each piece, as the daemon carries it along a performance, so a
lane never mixes pieces inside a window: the last window of a piece is padded with IGNORE.

Pieces are dealt to the lanes in turn. What is dealt, and how a deal is augmented, follows from the
seed and the number of the deal alone, so several processes that each play some of the lanes need
not talk to each other, and play what one process would.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from segued.errors import DataError

from .augment import NO_AUGMENTATION, Augmentation, Stream, augment, velocity_scale

__all__ = [
    "IGNORE", "NO_AUGMENTATION", "Augmentation", "Lanes", "Stream", "augment", "rows_of",
    "velocity_scale",
]  # fmt: skip

IGNORE = -100
"""The target where there is none (cross-entropy's own convention)."""

FRUITLESS = 10_000  # pieces in a row without two tokens: there are no others

Deal = tuple[int, int, int]
"""Its number, which source, which piece of it."""


def rows_of(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """Pieces as rows of one array, int64 (pieces, longest), the shorter padded with IGNORE."""
    rows = np.full((len(pieces), max(len(p) for p in pieces)), IGNORE, np.int64)
    for row, piece in zip(rows, pieces, strict=True):
        row[: len(piece)] = piece
    return rows


class Dealer:
    """Deals pieces: sources by their weights, each piece of a source before one comes again."""

    def __init__(self, streams: Sequence[Stream], seed: int) -> None:
        self.number = 0
        self._streams = streams
        self._rng = np.random.default_rng(seed)
        self._served = [0] * len(streams)  # tokens
        self._orders: list[list[int]] = [[] for _ in streams]

    def next(self) -> Deal:
        """The next piece."""
        behind = [n / s.weight for n, s in zip(self._served, self._streams, strict=True)]
        source = int(np.argmin(behind))
        pieces = self._streams[source].pieces
        if not self._orders[source]:
            self._orders[source] = self._rng.permutation(len(pieces)).tolist()
        piece = self._orders[source].pop()
        self._served[source] += max(1, int(pieces.lengths[piece]))
        self.number += 1
        return self.number - 1, source, piece

    def state(self) -> dict:
        """Everything needed to go on exactly from here, as plain values."""
        return {
            "number": self.number,
            "rng": self._rng.bit_generator.state,
            "served": self._served,
            "orders": self._orders,
        }

    def restore(self, state: dict) -> None:
        """Go on from a `state()` of as many streams; pieces that are no more are passed over."""
        self._orders = [
            [piece for piece in order if piece < len(stream.pieces)]
            for order, stream in zip(state["orders"], self._streams, strict=True)
        ]
        self.number = state["number"]
        self._rng.bit_generator.state = state["rng"]
        self._served = list(state["served"])


class Lane:
    """One stream of tokens: the deals that wait, the ids of the one that is played, where it is."""

    def __init__(self) -> None:
        self.deals: deque[Deal] = deque()
        self.now: Deal | None = None
        self.ids = np.zeros(0, np.int64)
        self.position = 0
        self.fresh = True  # a piece begins


class Lanes:
    """The lanes `rank`, `rank` + `world`, ... of `batch`. Deterministic: see `state()`."""

    def __init__(
        self, streams: Sequence[Stream], batch: int, time: int, limits: Augmentation, seed: int,
        rank: int = 0, world: int = 1,
    ) -> None:  # fmt: skip
        self.streams, self.batch, self.time, self.limits = streams, batch, time, limits
        self.seed = seed
        self._dealer = Dealer(streams, seed)
        self.lanes = {i: Lane() for i in range(rank, batch, world)}
        for i, lane in self.lanes.items():  # anywhere, so that they do not restart together
            self._next_piece(lane)
            chance = np.random.default_rng([seed, i, 1])
            lane.position = int(chance.integers(0, max(1, len(lane.ids) - time)))

    def next(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokens and targets int64 (lanes, time), and `fresh` bool (lanes,): a piece begins."""
        tokens = np.zeros((len(self.lanes), self.time), np.int64)
        targets = np.full((len(self.lanes), self.time), IGNORE, np.int64)
        fresh = np.zeros(len(self.lanes), bool)
        for row, lane in enumerate(self.lanes.values()):
            if lane.position >= len(lane.ids) - 1:
                self._next_piece(lane)
            window = lane.ids[lane.position : lane.position + self.time + 1]
            tokens[row, : len(window) - 1] = window[:-1]
            targets[row, : len(window) - 1] = window[1:]
            lane.position += self.time
            fresh[row], lane.fresh = lane.fresh, False
        return tokens, targets, fresh

    @property
    def rounds(self) -> int:
        """How often every lane of the batch was dealt a piece."""
        return self._dealer.number // self.batch

    def deal_until(self, rounds: int) -> None:
        """Deal ahead, so that several processes can save their states at the same round."""
        while self.rounds < rounds:
            for i in range(self.batch):
                deal = self._dealer.next()
                if i in self.lanes:
                    self.lanes[i].deals.append(deal)

    def state(self) -> dict:
        """Everything needed to go on exactly from here, as plain values.

        The `lanes` of several processes at the same round together are the state of one.
        """
        return {
            "seed": self.seed,
            "dealer": self._dealer.state(),
            "lanes": {
                i: [list(lane.deals), lane.now, len(lane.ids), lane.position, lane.fresh]
                for i, lane in self.lanes.items()
            },
        }

    def restore(self, state: dict) -> None:
        """Go on from a `state()` of as many streams and lanes.

        If the corpus has changed since, a lane whose piece is another now begins a new one.
        """
        self._dealer.restore(state["dealer"])
        self.seed = state["seed"]
        for i, lane in self.lanes.items():
            deals, now, length, position, fresh = state["lanes"][i]
            lane.deals = deque(tuple(deal) for deal in deals)
            lane.now, lane.position, lane.fresh = tuple(now), position, fresh
            lane.ids = self._played(lane.now)
            if len(lane.ids) != length:
                lane.ids = lane.ids[:0]

    def _next_piece(self, lane: Lane) -> None:
        for _ in range(FRUITLESS):
            if not lane.deals:
                self.deal_until(self.rounds + 1)
            lane.now = lane.deals.popleft()
            lane.ids, lane.position, lane.fresh = self._played(lane.now), 0, True
            if len(lane.ids) > 1:
                return
        raise DataError(f"nothing to play: {FRUITLESS} pieces in a row have no notes left")

    def _played(self, deal: Deal) -> np.ndarray:
        """The ids of a deal, int64; none if the piece is no more."""
        number, source, piece = deal
        stream = self.streams[source]
        if piece >= len(stream.pieces):
            return np.zeros(0, np.int64)
        chance = np.random.default_rng([self.seed, number])
        return augment(stream.pieces.exact(piece), chance, self.limits, stream)
