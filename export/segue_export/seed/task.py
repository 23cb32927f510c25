"""The classic Keras LSTM tutorial's recipe as a task of the one trainer: epochs of windows.

A run's folder holds what every run's does; its log has a row for each epoch, as the tutorial plots
the history of the loss.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from segued.tokens.chord_vocabulary import SILENCE, ChordVocabulary
from torch.nn import functional

from ..config import NetworkConfig, TrainConfig
from ..data import IGNORE, Batch
from ..network import Network
from .windows import SeedAugmentation, SeedConfig, Windows

ROWS, SPAN = 32, 256  # pieces, or windows, that are validated at a time; symbols of a call


class SeedTask:
    """A `Task`: pieces of symbols to learn from in windows, `valid` to validate on."""

    unit, digest, keeps_validation = "symbol", "", False

    def __init__(
        self, network: NetworkConfig, config: SeedConfig, limits: SeedAugmentation,
        notes: ChordVocabulary, pieces: Sequence[np.ndarray], valid: list[np.ndarray],
    ) -> None:  # fmt: skip
        self.config, self.valid = config, valid
        self.windows = Windows(
            pieces, notes, config.window, config.stride, config.batch, config.targets, limits,
            config.seed,
        )  # fmt: skip
        self.position = 0  # batches that were learned from
        self.described: dict[str, Any] = {
            "preset": "seed",
            "network": network.to_dict(),
            "train": asdict(config) | {"carried": config.carried},
            "augmentation": asdict(limits),
            "symbols": list(notes.symbols),
        }
        self._network = network

    @property
    def train_config(self) -> TrainConfig:
        """The recipe for the trainer: RMSprop at one rate, validation after each epoch."""
        config, batches = self.config, self.windows.batches
        return TrainConfig(
            updates=config.epochs * batches, batch=config.batch, time=config.window,
            optimizer="rmsprop", learning_rate=config.learning_rate, warmup=0, decay=0.0,
            weight_decay=0.0, clip=math.inf, validate_every=batches,
            checkpoint_every=config.checkpoint_every, seed=config.seed, precision=config.precision,
        )  # fmt: skip

    def new_network(self) -> Network:
        """Initialised at random; its input is as `config.input` says."""
        network = Network(self._network)
        if self.config.input == "number":
            as_numbers(network)
        return network

    def next(self) -> Batch:
        """The next batch of windows."""
        self.position += 1
        return self.windows.get(*divmod(self.position - 1, self.windows.batches))

    def state(self) -> dict[str, Any]:
        """How far it is: all else follows from the seed."""
        return {"position": self.position}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`."""
        self.position = state["position"]

    def validate(self, network: Network) -> float:
        """Nats per symbol, in the way in which the network is played."""
        config = self.config
        if config.carried:
            return carried_nats(network, self.valid, config.window, config.valid_symbols)
        return window_nats(network, self.valid, config.window, config.valid_windows)

    def row(self, row: dict[str, Any], count: int) -> dict[str, Any]:
        """A row of the log for an epoch."""
        epoch = {"epoch": row["update"] // self.windows.batches, "targets": count}
        return epoch | {name: row[name] for name in ("seconds", "train_nll", "valid_nll")}


def as_numbers(network: Network) -> None:
    """The tutorial's input: the embedding (V, 1) is id / V and does not learn."""
    size = network.config.vocabulary
    with torch.no_grad():
        network.embedding.weight.copy_(torch.arange(size).unsqueeze(1) / size)
    network.embedding.weight.requires_grad_(False)


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
        for start in range(0, len(firsts), ROWS):
            some = padded[firsts[start : start + ROWS, np.newaxis] + np.arange(window + 1)]
            state = network.initial_state(len(some))
            symbols = torch.from_numpy(some).to(state.device)
            logits, _ = network(symbols[:, :-1], state, last=True)
            loss_sum = functional.cross_entropy(logits[:, 0], symbols[:, -1], reduction="sum")
            total += float(loss_sum)
    return total / max(1, len(firsts))


def carried_nats(network: Network, pieces: list[np.ndarray], window: int, limit: int) -> float:
    """Nats per symbol, of the first `limit` of each piece but its very first.

    The state is carried through each piece, after a window of silence.
    """
    network.eval()
    total, count = 0.0, 0
    rows = sorted((piece[:limit] for piece in pieces), key=len)
    with torch.no_grad():
        for group in (rows[i : i + ROWS] for i in range(0, len(rows), ROWS)):
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
                wanted = torch.from_numpy(targets[:, span].copy()).flatten().to(state.device)
                total += float(
                    functional.cross_entropy(
                        logits.flatten(0, 1), wanted, ignore_index=IGNORE, reduction="sum"
                    )
                )
                count += int((wanted != IGNORE).sum())
    return total / max(1, count)
