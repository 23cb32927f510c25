"""How well a network in training predicts music kept out, and whether training further helped."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from .corpus.beats import INPUTS, beats_of_file, steps_after
from .corpus.pieces import Pieces
from .data import IGNORE, rows_of
from .network import Network
from .process_group import ProcessGroup, single_process

ROWS = 32  # pieces that are validated at a time
CERTAIN = 1.645  # of the normal distribution, the quantile of 95 %
GAIN = 0.005  # nats per token that training further must gain at least


def some_of(pieces: Pieces, piece: int, tokens: int) -> Pieces:
    """Pieces spread evenly over all, so that the first `piece` tokens of each are `tokens` at most.

    At least one; all of them if they are few enough.
    """
    lengths = np.minimum(pieces.lengths, piece)
    if lengths.sum() <= tokens:
        return pieces
    count = max(1, int(len(pieces) * tokens / lengths.sum()))
    return pieces.select(np.linspace(0, len(pieces) - 1, count).astype(int).tolist())


@dataclass(frozen=True)
class ValidationResult:
    """The summed loss (nats) and the predicted tokens of each passage, both (pieces, passages).

    A passage is a window of one call; where a piece has ended both are 0.
    """

    loss_sum: np.ndarray
    tokens: np.ndarray

    @property
    def nll(self) -> float:
        """Nats per token."""
        return float(self.loss_sum.sum() / max(1, self.tokens.sum()))

    @property
    def pieces(self) -> int:
        """Pieces with a token that was predicted."""
        return int(self.tokens.any(axis=1).sum())


def validate(
    network: Network, pieces: Pieces, limit: int, time: int = 512,
    processes: ProcessGroup | None = None, beat: bool = True,
) -> ValidationResult:  # fmt: skip
    """Predict the first `limit` tokens of each piece, the state carried through each.

    A network that hears the beat is told it where it is known, unless not `beat`. Each of several
    processes takes some of the pieces; all have the whole result.
    """
    processes = processes or single_process()
    lengths = np.minimum(pieces.lengths, limit + 1)
    order = np.argsort(lengths, kind="stable")
    shape = len(pieces), max(1, -(-(int(lengths.max(initial=1)) - 1) // time))
    loss_sum, tokens = np.zeros(shape), np.zeros(shape)
    groups = [order[i : i + ROWS] for i in range(0, len(order), ROWS)]
    network.eval()
    with torch.no_grad():
        for group in groups[processes.rank :: processes.size]:
            rows = rows_of([pieces[i][: limit + 1] for i in group])
            beats = None
            if network.config.beat and beat:
                beats = np.zeros((*rows.shape, INPUTS), np.float32)
                for row, i in enumerate(group):
                    path = pieces.path(i)
                    known = None if path is None else beats_of_file(path)
                    if known is not None:
                        steps = steps_after(pieces[i][: limit + 1])
                        beats[row, : len(steps)] = known.at(steps)
            for passage, (lost, count) in enumerate(_losses(network, rows, time, beats)):
                loss_sum[group, passage], tokens[group, passage] = lost, count
    total = np.array(processes.sum([*loss_sum.flat, *tokens.flat])).reshape(2, *shape)
    return ValidationResult(total[0], total[1].astype(np.int64))


def _losses(
    network: Network, rows: np.ndarray, time: int, beats: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each window -log p and tokens of each row (rows,); rows int64, padded with IGNORE;
    `beats` (rows, tokens, 3)."""
    state = network.initial_state(len(rows))
    ids = torch.from_numpy(rows).to(state.device)
    for start in range(0, rows.shape[1] - 1, time):
        window = ids[:, start : start + time + 1]
        beat = None
        if beats is not None:
            beat = torch.from_numpy(beats[:, start : start + window.shape[1] - 1]).to(state.device)
        logits, state = network(window[:, :-1].clamp(min=0), state, beat=beat)
        lost = functional.cross_entropy(
            logits.transpose(1, 2), window[:, 1:], ignore_index=IGNORE, reduction="none"
        )
        count = (window[:, 1:] != IGNORE).sum(dim=1)
        yield lost.sum(dim=1, dtype=torch.float64).cpu().numpy(), count.cpu().numpy()


@dataclass(frozen=True)
class Verdict:
    """Nats per token before and after on the same pieces, and the standard error of the gain.

    The witnesses are pieces. With one there is no error: it is NaN.
    """

    before: float
    after: float
    error: float
    pieces: int

    @classmethod
    def of(cls, before: ValidationResult, after: ValidationResult) -> "Verdict":
        """Compare what two validations found."""
        tokens, gained = before.tokens.sum(axis=1), (before.loss_sum - after.loss_sum).sum(axis=1)
        count, gain = before.pieces, before.nll - after.nll
        rest = gained - gain * tokens
        error = math.nan  # of a ratio of two sums
        if count > 1:
            mean = float(tokens.sum()) / count
            error = float(np.sqrt((rest**2).sum() / (count * (count - 1)))) / mean
        return cls(before.nll, after.nll, error, count)

    @property
    def gain(self) -> float:
        """Nats per token."""
        return self.before - self.after

    @property
    def better(self) -> bool:
        """Whether it may be called better: by enough, and by more than chance."""
        sure = math.isnan(self.error) or self.gain > certain(self.pieces) * self.error
        return self.gain >= GAIN and sure

    def __str__(self) -> str:
        error = "" if math.isnan(self.error) else f" (standard error {self.error:.3f})"
        return (
            f"{self.before:.4f} nats a token before, {self.after:.4f} after, on {self.pieces} "
            f"pieces that were neither heard nor chosen by: a gain of {self.gain:.4f}{error}"
        )


def certain(pieces: int) -> float:
    """Standard errors that a gain must exceed, 95 % one-sided: Student's t of so many pieces, by
    the first terms of its expansion (Abramowitz and Stegun 26.7.5)."""
    z, free = CERTAIN, max(1, pieces - 1)
    return z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
