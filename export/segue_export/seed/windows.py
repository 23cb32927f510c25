"""A corpus as the classic LSTM tutorial sees it: chords as integers, in windows, augmented.

Pieces come as performance ids, through the daemon's own encoder, and are gathered into chords by
the code that the daemon plays with.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from segued.tokens.chord_vocabulary import SILENCE, Chord, ChordVocabulary, chords_of

from ..data import IGNORE, Batch
from ..options import at_least_0, fraction, natural, option, positive
from ..report import progress

TARGETS, INPUTS = ("last", "all"), ("embedding", "number")


@dataclass(frozen=True)
class ChordPieces:
    """Pieces as chords. `chords` are the distinct ones, each piece int32 (chords,) into them."""

    chords: list[Chord]
    pieces: list[np.ndarray]

    def counts(self) -> Counter[Chord]:
        """How often each chord occurs."""
        total = np.zeros(len(self.chords), np.int64)
        for piece in self.pieces:
            total += np.bincount(piece, minlength=len(self.chords))
        return Counter(dict(zip(self.chords, total.tolist(), strict=True)))

    def nearest(self, notes: ChordVocabulary) -> np.ndarray:
        """For each of `chords` its id in a vocabulary, or that of the nearest known one, int32."""
        return np.array([notes.nearest(chord) for chord in self.chords], np.int32)

    def symbols(self, notes: ChordVocabulary) -> list[np.ndarray]:
        """The pieces in ids of a vocabulary, int32; an unknown chord as the nearest known one."""
        table = self.nearest(notes)
        return [table[piece] for piece in self.pieces]

    def sizes(self) -> np.ndarray:
        """How many notes each of `chords` has."""
        return np.array([len(chord) for chord in self.chords], np.int64)


def gather(pieces: Iterable[np.ndarray], total: int | None = None) -> ChordPieces:
    """Pieces of performance ids as pieces of chords."""
    known: dict[Chord, int] = {}
    gathered = []
    bar = progress(pieces, desc="gathering chords", total=total, unit="piece", leave=False, delay=1)
    for ids in bar:
        chords = chords_of(ids.tolist())
        gathered.append(np.array([known.setdefault(c, len(known)) for c in chords], np.int32))
    return ChordPieces(list(known), gathered)


@dataclass(frozen=True)
class SeedAugmentation:
    """What is drawn anew each time a window is seen.

    `transpose`: semitones up or down (a chord that this makes unknown becomes the nearest known).
    `shift`: symbols by which a window begins earlier or later than its place. `noise`: the share of
    input symbols that are replaced by others, drawn as often as they occur (unigram noise: Xie et
    al., "Data noising as smoothing in neural network language models", 2017); targets are not.
    """

    transpose: int = option(5, "semitones up or down", natural, "N")
    shift: int = option(50, "symbols that a window begins earlier or later", natural, "N")
    noise: float = option(0.02, "share of input symbols replaced by others", fraction, "X")


@dataclass(frozen=True)
class SeedConfig:
    """How to train: the recipe's numbers. RMSprop with Keras' constants: rho 0.9, epsilon 1e-7.

    `input` "number" is the tutorial's own input, the symbol's id divided by n_vocab, as one number;
    "embedding" gives each symbol a vector of its own. With `targets` "last" the network learns to
    predict from whole windows only and is validated, and played, so: on `valid_windows` of them.
    With "all" its state is carried, over `valid_symbols` of each piece.
    """

    epochs: int = option(50, "length of the whole run", positive, "N")
    batch: int = option(64, "windows in a batch", positive, "N")
    window: int = option(100, "symbols in a window", positive, "N")
    stride: int = option(
        1, "symbols from one window to the next (default: 1, or with --targets all the window)",
        positive, "N", shown=None,
    )  # fmt: skip
    targets: str = option(
        "last", "predict the one symbol after each window, as the tutorial does, or all in it, "
        "which learns from a window's length of targets in the same time", choices=TARGETS,
    )  # fmt: skip
    input: str = option(
        "embedding",
        "a vector for each symbol, or as in the tutorial its number divided by n_vocab",
        choices=INPUTS,
    )  # fmt: skip
    learning_rate: float = option(1e-3, "of RMSprop", at_least_0, "X")
    checkpoint_every: int = 500
    valid_symbols: int = 2000
    valid_windows: int = 1000
    seed: int = 1
    device: str = "auto"
    precision: str = "auto"

    @property
    def carried(self) -> bool:
        """Whether the network may be played with its state carried from symbol to symbol."""
        return self.targets == "all"


class Windows:
    """Batches of windows. Batch `i` of epoch `e` depends on these numbers and the seed only.

    A window is `window` symbols and the one after it. Short pieces, and the beginnings of all, are
    padded with silence on the left. With `targets` "last" the one after the window is to be
    predicted, as in the tutorial; with "all" each symbol is, from those before it in its window,
    which is `window` times as many for the same work.
    """

    def __init__(
        self,
        pieces: Sequence[np.ndarray],
        notes: ChordVocabulary,
        window: int = 100,
        stride: int = 1,
        batch: int = 64,
        targets: str = "last",
        augmentation: SeedAugmentation = SeedAugmentation(),
        seed: int = 1,
    ) -> None:
        self.window, self.batch, self.targets = window, batch, targets
        self.augmentation, self.seed = augmentation, seed
        pieces = [piece for piece in pieces if len(piece) > 1]
        silence = np.full(window, SILENCE, np.int32)
        self._symbols = np.concatenate([part for piece in pieces for part in (silence, piece)])
        # of each piece: where its last symbol is, its second, and the end of its first window
        self._lasts = np.cumsum([window + len(piece) for piece in pieces]) - 1
        self._seconds = self._lasts - np.array([len(piece) for piece in pieces]) + 2
        ahead = 0 if targets == "last" else window - 1
        self._firsts = np.minimum(self._seconds + ahead, self._lasts)
        self._stride = stride
        self._counts = np.cumsum(-(-(self._lasts - self._firsts) // stride) + 1)
        self._begins = np.append(0, self._counts[:-1])
        self._transposed = transpositions(notes, augmentation.transpose)
        counts = np.bincount(self._symbols, minlength=len(notes))
        counts[SILENCE] = 0
        self._shares = np.cumsum(counts) / counts.sum()
        self._order: tuple[int, np.ndarray] = (-1, np.zeros(0, np.int64))

    def __len__(self) -> int:
        """Windows in an epoch."""
        return int(self._counts[-1])

    @property
    def batches(self) -> int:
        """Batches in an epoch; the last may be smaller."""
        return -(-len(self) // self.batch)

    def get(self, epoch: int, index: int) -> Batch:
        """A batch; its targets are (batch, 1) or, of "all", (batch, window)."""
        if self._order[0] != epoch:
            order = np.random.default_rng((self.seed, epoch)).permutation(len(self))
            self._order = epoch, order
        rng = np.random.default_rng((self.seed, epoch, index))
        chosen = self._order[1][index * self.batch : (index + 1) * self.batch]
        limits = self.augmentation
        pieces = self._counts.searchsorted(chosen, side="right")
        number = chosen - self._begins[pieces]
        ends = np.minimum(self._firsts[pieces] + number * self._stride, self._lasts[pieces])
        ends += rng.integers(-limits.shift, limits.shift + 1, len(chosen))
        ends = np.clip(ends, self._seconds[pieces], self._lasts[pieces])
        symbols = self._symbols[ends[:, np.newaxis] + np.arange(-self.window, 1)]
        keys = rng.integers(0, len(self._transposed), len(chosen))
        symbols = self._transposed[keys[:, np.newaxis], symbols]
        inputs, targets = symbols[:, :-1].copy(), symbols[:, 1:].copy()
        wrong = (rng.random(inputs.shape) < limits.noise) & (inputs != SILENCE)
        inputs[wrong] = self._shares.searchsorted(rng.random(int(wrong.sum())), side="right")
        targets[targets == SILENCE] = IGNORE
        return Batch(inputs, targets if self.targets == "all" else targets[:, -1:], None)


def transpositions(notes: ChordVocabulary, limit: int) -> np.ndarray:
    """Every symbol in every key, int64 (2 * limit + 1, V): what it is there, or nearest to."""
    table = np.zeros((2 * limit + 1, len(notes)), np.int64)
    for row, shift in zip(table, range(-limit, limit + 1), strict=True):
        for id, chord in enumerate(notes.chords[1:], 1):
            moved = tuple(pitch + shift for pitch in chord if 0 <= pitch + shift < 128)
            row[id] = notes.nearest(moved) if moved else id
    return table
