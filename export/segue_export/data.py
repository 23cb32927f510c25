"""Batches to learn from: endless token streams, in which augmented pieces follow each other.

The network's state is carried along each piece, as the daemon carries it along a performance, so a
stream never mixes pieces inside a window: the last window of a piece is padded with IGNORE.

Streams take samples in turn. Which piece a sample is, and how it is augmented, follows from the
seed and the number of the sample alone, so several processes that each read some of the streams
need no communication, and read what one process would.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from segued.errors import DataError

from .augment import Augmentation, Component, augment_with
from .corpus.beats import INPUTS, beats_of_file, steps_after

IGNORE = -100
"""The target of positions without one (the convention of torch's cross-entropy)."""

FRUITLESS = 10_000  # pieces in a row with fewer than two tokens, after which it gives up

BARRED = 0.5  # share of the playings with a beat in which bars are known, too

Sample = tuple[int, int, int]
"""The number of a sample, its component of the mixture, and its piece there."""


class Batch(NamedTuple):
    """Tokens and targets int64 (rows, time); `reset` bool (rows,): a piece begins, so the state is
    zero. Without `reset` all rows begin so and no state is carried on. `beat` float32 (rows, time,
    3) is that after each token; None: nobody hears it."""

    tokens: np.ndarray
    targets: np.ndarray
    reset: np.ndarray | None
    beat: np.ndarray | None = None


def rows_of(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """Pieces as rows of one array, int64 (pieces, longest), the shorter padded with IGNORE."""
    rows = np.full((len(pieces), max(len(p) for p in pieces)), IGNORE, np.int64)
    for row, piece in zip(rows, pieces, strict=True):
        row[: len(piece)] = piece
    return rows


class Sampler:
    """Draws pieces: components by their weights, each piece of one before any comes again."""

    def __init__(self, components: Sequence[Component], seed: int) -> None:
        self.number = 0
        self._components = components
        self._rng = np.random.default_rng(seed)
        self._served = [0] * len(components)  # tokens
        self._orders: list[list[int]] = [[] for _ in components]

    def next(self) -> Sample:
        """The next piece."""
        behind = [n / c.weight for n, c in zip(self._served, self._components, strict=True)]
        source = int(np.argmin(behind))
        pieces = self._components[source].pieces
        if not self._orders[source]:
            self._orders[source] = self._rng.permutation(len(pieces)).tolist()
        piece = self._orders[source].pop()
        self._served[source] += max(1, int(pieces.lengths[piece]))
        self.number += 1
        return self.number - 1, source, piece

    def state(self) -> dict[str, Any]:
        """Everything needed to resume exactly, as plain values."""
        return {
            "number": self.number,
            "rng": self._rng.bit_generator.state,
            "served": self._served,
            "orders": self._orders,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a `state()` of as many components. Skips pieces that no longer exist."""
        self._orders = [
            [piece for piece in order if piece < len(component.pieces)]
            for order, component in zip(state["orders"], self._components, strict=True)
        ]
        self.number = state["number"]
        self._rng.bit_generator.state = state["rng"]
        self._served = list(state["served"])


class Stream:
    """One stream: the queued samples, the current one, its ids, and the position in them."""

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque()
        self.sample: Sample | None = None
        self.ids = np.zeros(0, np.int64)
        self.beats: np.ndarray | None = None  # after each of the ids, where they are heard
        self.position = 0
        self.reset = True  # a piece begins


class Streams:
    """The streams `rank`, `rank` + `world`, ... of `batch`. Deterministic: see `state()`."""

    def __init__(
        self, components: Sequence[Component], batch: int, time: int, limits: Augmentation,
        seed: int, rank: int = 0, world: int = 1, beats: float | None = None,
    ) -> None:  # fmt: skip
        """`beats`: the share of playings whose beat is heard; None: nobody asks."""
        self.components, self.batch, self.time, self.limits = components, batch, time, limits
        self.seed, self.beats = seed, beats
        self._sampler = Sampler(components, seed)
        self.streams = {i: Stream() for i in range(rank, batch, world)}
        for i, stream in self.streams.items():  # anywhere, so that they do not restart together
            self._next_piece(stream)
            chance = np.random.default_rng([seed, i, 1])
            stream.position = int(chance.integers(0, max(1, len(stream.ids) - time)))

    def next(self) -> Batch:
        """The next window of each stream."""
        tokens = np.zeros((len(self.streams), self.time), np.int64)
        targets = np.full((len(self.streams), self.time), IGNORE, np.int64)
        reset = np.zeros(len(self.streams), bool)
        shape = len(self.streams), self.time, INPUTS
        beat = None if self.beats is None else np.zeros(shape, np.float32)
        for row, stream in enumerate(self.streams.values()):
            if stream.position >= len(stream.ids) - 1:
                self._next_piece(stream)
            window = stream.ids[stream.position : stream.position + self.time + 1]
            tokens[row, : len(window) - 1] = window[:-1]
            targets[row, : len(window) - 1] = window[1:]
            if beat is not None and stream.beats is not None:
                heard = stream.beats[stream.position : stream.position + self.time]
                beat[row, : len(window) - 1] = heard[: len(window) - 1]
            stream.position += self.time
            reset[row], stream.reset = stream.reset, False
        return Batch(tokens, targets, reset, beat)

    @property
    def rounds(self) -> int:
        """The number of samples that every stream of the batch has received."""
        return self._sampler.number // self.batch

    def sample_until(self, rounds: int) -> None:
        """Draw ahead, so that several processes can save their states at the same round."""
        while self.rounds < rounds:
            for i in range(self.batch):
                sample = self._sampler.next()
                if i in self.streams:
                    self.streams[i].samples.append(sample)

    def state(self) -> dict[str, Any]:
        """Everything needed to resume exactly, as plain values.

        The `lanes` of several processes at the same round together are the state of one.
        """
        return {
            "seed": self.seed,
            "dealer": self._sampler.state(),
            "lanes": {
                i: [list(s.samples), s.sample, len(s.ids), s.position, s.reset]
                for i, s in self.streams.items()
            },
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a `state()` with as many components and streams.

        If the corpus has changed since, a stream whose piece is another now begins a new one.
        """
        self._sampler.restore(state["dealer"])
        self.seed = state["seed"]
        for i, stream in self.streams.items():
            samples, sample, length, stream.position, stream.reset = state["lanes"][i]
            stream.samples = deque(tuple(sample) for sample in samples)
            stream.sample = tuple(sample)
            self._play(stream, tuple(sample))
            if len(stream.ids) != length:
                stream.ids = stream.ids[:0]

    def _next_piece(self, stream: Stream) -> None:
        for _ in range(FRUITLESS):
            if not stream.samples:
                self.sample_until(self.rounds + 1)
            stream.sample = stream.samples.popleft()
            self._play(stream, stream.sample)
            stream.position, stream.reset = 0, True
            if len(stream.ids) > 1:
                return
        raise DataError(f"nothing to play: {FRUITLESS} pieces in a row have no notes left")

    def _play(self, stream: Stream, sample: Sample) -> None:
        """Give a stream the ids of a sample, int64, and their beats; none if it is no more."""
        number, source, piece = sample
        component = self.components[source]
        stream.ids, stream.beats = np.zeros(0, np.int64), None
        if piece < len(component.pieces):
            chance = np.random.default_rng([self.seed, number])
            exact = component.pieces.exact(piece)
            path = None if self.beats is None else component.pieces.path(piece)
            beats = None if path is None else beats_of_file(path)
            times = np.zeros(0) if beats is None else beats.times
            stream.ids, times = augment_with(exact, chance, self.limits, component, times)
            if beats is not None and self.beats is not None and chance.random() < self.beats:
                barred = bool(chance.random() < BARRED)
                moved = replace(beats, times=times)
                stream.beats = moved.at(steps_after(stream.ids), barred)
