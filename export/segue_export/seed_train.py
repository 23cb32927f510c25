"""Training by the recipe of the classic Keras LSTM tutorial: epochs of shuffled windows, RMSprop.

A run's folder holds what every run's does: `run.json`, `last.pt`, `best.safetensors`, `log.csv`
and, as the tutorial plots it, the history of the loss by epochs, `curves.png`.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from segued.errors import DataError, UsageError
from segued.tokens.chord_vocabulary import ChordVocabulary
from torch.nn import functional
from tqdm import tqdm

from .checkpoint import (
    ASKED,
    LAST,
    broken,
    cpu,
    random_state,
    read_last,
    save_best,
    save_last,
    set_random_state,
)
from .dataset import IGNORE
from .distributed import alone, computed_in
from .network import Network, NetworkConfig
from .report import plot_over, write_json, write_log
from .seed_corpus import SeedAugmentation, Windows
from .seed_validation import carried_nats, window_nats
from .stopping import StopSignals

INPUTS = ("embedding", "number")
FIXED = ("batch", "window", "stride", "targets", "input")


@dataclass(frozen=True)
class SeedConfig:
    """How to train: the recipe's numbers. RMSprop with Keras' constants: rho 0.9, epsilon 1e-7.

    `input` "number" is the tutorial's own input, the symbol's id divided by n_vocab, as one number;
    "embedding" gives each symbol a vector of its own. With `targets` "last" the network learns to
    predict from whole windows only and is validated, and played, so: on `valid_windows` of them.
    With "all" its state is carried, over `valid_symbols` of each piece.
    """

    epochs: int = 50
    batch: int = 64
    window: int = 100
    stride: int = 1
    targets: str = "last"
    input: str = "embedding"
    learning_rate: float = 1e-3
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


class SeedTrainer:
    """One run. `run()` trains to the last epoch; from every checkpoint it goes on exactly.

    UsageError when `out` holds a run of other sizes, another vocabulary or other windows.
    """

    def __init__(
        self, out: Path, network: NetworkConfig, config: SeedConfig, notes: ChordVocabulary,
        limits: SeedAugmentation, pieces: list[np.ndarray], valid: list[np.ndarray], about: dict,
    ) -> None:  # fmt: skip
        self.out, self.config, self.valid = out, config, valid
        self.device = alone(config.device).device
        self.dtype = computed_in(config.precision, self.device)
        torch.manual_seed(config.seed)
        self.network = Network(network).to(self.device)
        if config.input == "number":
            as_numbers(self.network)
        learning = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.RMSprop(learning, config.learning_rate, alpha=0.9, eps=1e-7)
        halved = self.dtype != torch.float32 and self.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=halved)
        self.windows = Windows(
            pieces, notes, config.window, config.stride, config.batch, config.targets, limits,
            config.seed,
        )  # fmt: skip
        self.epoch, self.index, self.seconds, self.best = 0, 0, 0.0, float("inf")
        self.sums = [0.0, 0]  # nats and targets of this epoch
        self.log: list[dict] = []
        out.mkdir(parents=True, exist_ok=True)
        described = {
            "preset": "seed",
            "network": network.to_dict(),
            "train": asdict(config) | {"carried": config.carried},
            "augmentation": asdict(limits),
            "symbols": list(notes.symbols),
            "about": about,
        }
        if (out / LAST).exists():
            check_fit(out, described)
            self._resume(read_last(out))
        write_json(out / ASKED, described)

    def run(self) -> int:
        """Train until the last epoch or a signal to stop; the exit status, after a checkpoint."""
        config, batches = self.config, self.windows.batches
        bar = tqdm(
            total=config.epochs * batches, initial=self.epoch * batches + self.index, unit="batch",
            smoothing=0.02, mininterval=0.1 if sys.stderr.isatty() else 30.0,
        )  # fmt: skip
        with bar, StopSignals() as stop:
            while self.epoch < config.epochs and not stop.number:
                loss = self._step()
                bar.update()
                if self.index % 10 == 0:
                    bar.set_postfix_str(
                        f"epoch {self.epoch + 1}, {loss:.3f} nats, best {self.best:.3f}",
                        refresh=False,
                    )
                if self.index == batches:
                    self._end_epoch()
                elif self.index % config.checkpoint_every == 0:
                    self._checkpoint()
            self._checkpoint()
        if stop.number:
            print(f"stopped in epoch {self.epoch + 1}; the same command goes on from here")
            return 128 + stop.number
        return 0

    def _step(self) -> float:
        began = time.monotonic()
        arrays = self.windows.get(self.epoch, self.index)
        inputs, targets = (torch.from_numpy(array).to(self.device) for array in arrays)
        self.network.train()
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            logits, _ = self.network(
                inputs, self.network.initial_state(len(inputs)), last=targets.shape[1] == 1
            )
        # the cross-entropy on indices is the categorical cross-entropy on one-hot targets
        loss = functional.cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORE
        )
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        value, count = float(loss.detach()), int((targets != IGNORE).sum())
        if not np.isfinite(value):
            raise DataError(f"the loss is {value} in epoch {self.epoch + 1}: lower --learning-rate")
        self.index += 1
        self.sums = [self.sums[0] + value * count, self.sums[1] + count]
        self.seconds += time.monotonic() - began
        return value

    def _end_epoch(self) -> None:
        window = self.config.window
        if self.config.carried:
            nll = carried_nats(self.network, self.valid, window, self.config.valid_symbols)
        else:
            nll = window_nats(self.network, self.valid, window, self.config.valid_windows)
        self.epoch, self.index = self.epoch + 1, 0
        row = {
            "epoch": self.epoch, "targets": self.sums[1], "seconds": round(self.seconds, 1),
            "train_nll": self.sums[0] / max(1, self.sums[1]), "valid_nll": nll,
        }  # fmt: skip
        self.sums = [0.0, 0]
        self.log.append(row)
        tqdm.write(
            f"epoch {self.epoch}: {row['seconds']:.0f} s, train {row['train_nll']:.4f}, validation "
            f"{nll:.4f} nats a symbol"
        )
        if nll < self.best:
            self.best = nll
            story = {"valid_nll": nll, "update": self.epoch * self.windows.batches}
            save_best(self.out, self.network.state_dict(), story)
        write_log(self.out / "log.csv", self.log)
        plot_history(self.out / "curves.png", self.log)
        self._checkpoint()

    def _checkpoint(self) -> None:
        save_last(
            self.out,
            {
                "network": cpu(self.network.state_dict()),
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
                "rng": random_state(),
                "counters": [self.epoch, self.index, self.seconds, self.best, *self.sums],
                "log": self.log,
            },
        )

    def _resume(self, saved: dict) -> None:
        try:
            self.network.load_state_dict(saved["network"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.scaler.load_state_dict(saved["scaler"])
            set_random_state(saved["rng"])
            self.epoch, self.index, self.seconds, self.best, *self.sums = saved["counters"]
            self.index = min(self.index, self.windows.batches - 1)  # there may be less music now
            self.log = saved["log"]
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise broken(self.out, error) from None


def as_numbers(network: Network) -> None:
    """The tutorial's input: the embedding (V, 1) is id / V and does not learn."""
    size = network.config.vocabulary
    with torch.no_grad():
        network.embedding.weight.copy_(torch.arange(size).unsqueeze(1) / size)
    network.embedding.weight.requires_grad_(False)


def check_fit(out: Path, wanted: dict) -> None:
    """UsageError if the run in `out` was begun with what cannot be changed on the way."""
    try:
        begun = json.loads((out / ASKED).read_text())
        if begun.get("preset") != "seed":
            raise UsageError(f"{out} is a run without --preset seed: give another --out")
        for option in ("layers", "embedding", "dense"):
            _compare(out, option, begun["network"], wanted["network"])
        for option in FIXED:
            _compare(out, option, begun["train"], wanted["train"])
        same = begun["symbols"] == wanted["symbols"]
    except FileNotFoundError:
        return  # the checkpoint itself will tell
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{out}/{ASKED} is broken ({error}): give another --out") from None
    if not same:
        raise UsageError(
            f"{out} was begun with another vocabulary (other music, --symbols or --transpose): "
            "give another --out"
        )


def _compare(out: Path, option: str, begun: dict, wanted: dict) -> None:
    if begun[option] != wanted[option]:
        before, now = (str(d[option]).strip("[]").replace(" ", "") for d in (begun, wanted))
        raise UsageError(
            f"{out} was begun with --{option} {before} and cannot go on with {now}: "
            "give another --out"
        )


def plot_history(path: Path, log: list[dict]) -> None:
    """Loss by epochs, in training and validation, as a picture."""
    plot_over(path, log, [row["epoch"] for row in log], "epoch", "symbol")
