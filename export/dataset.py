"""A batch of endless token streams, one a lane: pieces played from beginning to end, augmented.

The network's state is carried along each piece, as the daemon carries it along a performance, so a
lane never mixes pieces inside a window: the last window of a piece is padded with IGNORE.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from daemon.music.events import NoteOff, NoteOn
from daemon.music.tokenizer import decode, encode

from .corpus import Pieces

IGNORE = -100
"""The target where there is none (cross-entropy's own convention)."""


@dataclass(frozen=True)
class Augmentation:
    """Limits of what is drawn anew each time a piece is played."""

    transpose: int = 5  # semitones up or down
    tempo: tuple[float, float] = (0.85, 1.18)  # factor on durations
    velocity: int = 10  # MIDI velocities up or down


NO_AUGMENTATION = Augmentation(0, (1.0, 1.0), 0)


@dataclass
class Stream:
    """The pieces of one source with their share of the mixture."""

    pieces: Pieces
    weight: float
    jitter: float = 0.0  # seconds
    velocity_scale: tuple[float, float] = (1.0, 0.0)  # velocity * a + b


def rows_of(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """Pieces as rows of one array, int64 (pieces, longest), the shorter padded with IGNORE."""
    rows = np.full((len(pieces), max(len(p) for p in pieces)), IGNORE, np.int64)
    for row, piece in zip(rows, pieces, strict=True):
        row[: len(piece)] = piece
    return rows


def velocity_scale(
    pieces: Pieces, mean: float = 64.0, deviation: float = 18.0
) -> tuple[float, float]:
    """(a, b) so that velocity * a + b has a mean and deviation; a stays within 0.5 to 2."""
    velocities = np.array(
        [e.velocity for ids in list(pieces)[:200] for e in decode(ids) if isinstance(e, NoteOn)]
    )
    factor = float(np.clip(deviation / max(1e-6, velocities.std()), 0.5, 2.0))
    return factor, mean - factor * float(velocities.mean())


def augment(
    ids: np.ndarray, rng: np.random.Generator, limits: Augmentation, stream: Stream
) -> np.ndarray:
    """One playing of a piece: transposed, in another tempo, louder or softer, humanized.

    Ids in, ids out (through decoder and encoder, so the result is canonical). Every other playing
    keeps the tempo, so that timing that was quantized once is seen as it is too.
    """
    pitch = int(rng.integers(-limits.transpose, limits.transpose + 1))
    low, high = np.log(limits.tempo)
    tempo = float(np.exp(rng.uniform(low, high))) if rng.random() < 0.5 else 1.0
    velocity = float(rng.uniform(-limits.velocity, limits.velocity))
    factor, offset = stream.velocity_scale
    delays = dict.fromkeys(range(128), 0.0)
    events: list[NoteOn | NoteOff] = []
    for event in decode(ids.tolist()):
        moved = event.pitch + pitch
        if not 0 <= moved <= 127:
            continue
        if isinstance(event, NoteOn):
            if stream.jitter:
                delays[moved] = float(rng.normal(0.0, stream.jitter))
            louder = round(event.velocity * factor + offset + velocity)
            time = max(0.0, event.time * tempo + delays[moved])
            events.append(NoteOn(time, moved, min(127, max(1, louder))))
        else:
            events.append(NoteOff(max(0.0, event.time * tempo + delays[moved]), moved))
    if stream.jitter:
        events.sort(key=lambda e: (e.time, isinstance(e, NoteOn)))
    return np.array(encode(events), np.int64)


class Lanes:
    """`batch` lanes of windows. Deterministic: its whole state is in `state()`."""

    def __init__(
        self, streams: list[Stream], batch: int, time: int, limits: Augmentation, seed: int
    ) -> None:
        self.streams, self.batch, self.time, self.limits = streams, batch, time, limits
        self._rng = np.random.default_rng(seed)
        self._served = [0] * len(streams)
        self._orders: list[list[int]] = [[] for _ in streams]
        self._ids = [np.zeros(0, np.int64) for _ in range(batch)]
        self._positions = [0] * batch
        self._fresh = [True] * batch
        for lane in range(batch):  # lanes begin anywhere, so that they do not restart together
            self._next_piece(lane)
            self._positions[lane] = int(self._rng.integers(0, max(1, len(self._ids[lane]) - time)))

    def next(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokens and targets int64 (batch, time), and `fresh` bool (batch,): a piece begins."""
        tokens = np.zeros((self.batch, self.time), np.int64)
        targets = np.full((self.batch, self.time), IGNORE, np.int64)
        for lane in range(self.batch):
            if self._positions[lane] >= len(self._ids[lane]) - 1:
                self._next_piece(lane)
            start = self._positions[lane]
            window = self._ids[lane][start : start + self.time + 1]
            tokens[lane, : len(window) - 1] = window[:-1]
            targets[lane, : len(window) - 1] = window[1:]
            self._positions[lane] = start + self.time
        fresh, self._fresh = np.array(self._fresh), [False] * self.batch
        return tokens, targets, fresh

    def state(self) -> dict:
        """Everything needed to go on exactly from here, as plain values."""
        return {
            "rng": self._rng.bit_generator.state,
            "served": self._served,
            "orders": self._orders,
            "ids": [ids.tolist() for ids in self._ids],
            "positions": self._positions,
            "fresh": self._fresh,
        }

    def restore(self, state: dict) -> None:
        """Go on from a `state()` of as many streams; pieces that are no more are passed over."""
        self._rng.bit_generator.state = state["rng"]
        self._served = list(state["served"])
        self._orders = [
            [piece for piece in order if piece < len(stream.pieces)]
            for order, stream in zip(state["orders"], self.streams, strict=True)
        ]
        self._ids = [np.array(ids, np.int64) for ids in state["ids"]]
        self._positions = list(state["positions"])
        self._fresh = list(state["fresh"])

    def _next_piece(self, lane: int) -> None:
        while True:
            behind = [n / s.weight for n, s in zip(self._served, self.streams, strict=True)]
            source = int(np.argmin(behind))
            stream = self.streams[source]
            if not self._orders[source]:
                self._orders[source] = self._rng.permutation(len(stream.pieces)).tolist()
            piece = stream.pieces[self._orders[source].pop()]
            ids = augment(piece, self._rng, self.limits, stream)
            self._served[source] += max(1, len(ids))
            if len(ids) > 1:
                break
        self._ids[lane], self._positions[lane], self._fresh[lane] = ids, 0, True
