"""Training: truncated back-propagation through time with the state carried along each piece.

A run lives in one folder: `run.json` (what was asked), `last.pt` (everything needed to go on
exactly), `best.safetensors` (the weights of the best validation), `log.csv` and `curves.png`.
"""

import json
import pickle
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.nn import functional
from tqdm import tqdm

from daemon.errors import DataError, UsageError

from .corpus import Pieces
from .dataset import IGNORE, Augmentation, Lanes, Stream, rows_of
from .network import Network, NetworkConfig
from .report import plot, write_json, write_log


@dataclass(frozen=True)
class TrainConfig:
    """How to train. `updates` is the whole length; the last `decay` of it lowers the rate to 0."""

    updates: int = 20_000
    batch: int = 24
    time: int = 128
    learning_rate: float = 2e-3
    warmup: int = 200
    decay: float = 0.3
    weight_decay: float = 0.01
    clip: float = 1.0
    validate_every: int = 500
    checkpoint_every: int = 250
    patience: int = 0  # validations without a better one before stopping; 0: never
    valid_tokens: int = 3000  # of each validation piece
    seed: int = 1
    bf16: bool = False

    def rate(self, update: int) -> float:
        """Learning rate of an update: linear warm-up, constant, linear decay to zero."""
        rising = (update + 1) / max(1, self.warmup)
        falling = (self.updates - update) / max(1.0, self.updates * self.decay)
        return self.learning_rate * max(0.0, min(1.0, rising, falling))


class Trainer:
    """One run. `run()` trains to the end; every checkpoint can be gone on from exactly.

    If `out` has a checkpoint the run goes on from it: DataError when it does not fit the network,
    the batch or the number of streams. `about` is kept in `run.json` for whoever exports the run.
    """

    def __init__(
        self, out: Path, network: NetworkConfig, config: TrainConfig, limits: Augmentation,
        streams: list[Stream], valid: Pieces, about: dict,
    ) -> None:  # fmt: skip
        torch.manual_seed(config.seed)
        self.out, self.config, self.valid, self.about = out, config, valid, about
        self.network = Network(network)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), config.learning_rate, (0.9, 0.98),
            weight_decay=config.weight_decay, fused=True,
        )  # fmt: skip
        self.lanes = Lanes(streams, config.batch, config.time, limits, config.seed)
        self.state = self.network.initial_state(config.batch)
        self.update, self.tokens, self.seconds, self.stale = 0, 0, 0.0, 0
        self.best = float("inf")
        self.recent: list[float] = []
        self.log: list[dict] = []
        out.mkdir(parents=True, exist_ok=True)
        described = {
            "network": network.to_dict(),
            "train": asdict(config),
            "augmentation": asdict(limits),
            "about": about,
        }
        if (out / "last.pt").exists():
            check_fit(out, described)
            self._resume()
        write_json(out / "run.json", described)

    def begin_with(self, path: Path) -> None:
        """Take the weights of another run of the same sizes; DataError when they do not fit."""
        try:
            self.network.load_state_dict(load_file(path))
        except FileNotFoundError:
            raise DataError(f"{path}: no such file (a run's best.safetensors is wanted)") from None
        except (SafetensorError, RuntimeError) as error:
            why = str(error).splitlines()[-1].strip()
            raise DataError(f"{path}: cannot be begun with: {why}") from None

    def run(self) -> int:
        """Train until `updates`, or until validation no longer improves, or a signal to stop.

        Returns the exit status: 0, or 128 and the number of the signal, after a checkpoint.
        """
        bar = tqdm(
            total=self.config.updates, initial=self.update, unit="update", smoothing=0.02,
            mininterval=0.1 if sys.stderr.isatty() else 30.0,
        )  # fmt: skip
        with bar, StopSignals() as stop:
            while self.update < self.config.updates and not stop.number:
                loss = self._step()
                bar.update()
                if self.update % 10 == 0:
                    rate = self.tokens / max(1e-9, self.seconds)
                    bar.set_postfix_str(
                        f"{loss:.3f} nats, {rate:.0f} tokens/s, best {self.best:.3f}", refresh=False
                    )
                last = self.update == self.config.updates
                if self.update % self.config.validate_every == 0 or last:
                    self._validate()
                if self.update % self.config.checkpoint_every == 0:
                    self._checkpoint()
                if self.config.patience and self.stale >= self.config.patience:
                    break
            self._checkpoint()
        if stop.number:
            print(f"stopped at update {self.update}; the same command goes on from here")
            return 128 + stop.number
        return 0

    def _step(self) -> float:
        began = time.monotonic()
        tokens, targets, fresh = self.lanes.next()
        self.state[torch.from_numpy(fresh)] = 0.0
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate(self.update)
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bf16):
            logits, state = self.network(torch.from_numpy(tokens), self.state)
        self.state = state.detach()
        loss = functional.cross_entropy(
            logits.float().flatten(0, 1), torch.from_numpy(targets).flatten(), ignore_index=IGNORE
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        value = float(loss.detach())
        if not np.isfinite(value):
            raise DataError(f"the loss is {value} at update {self.update}: lower --learning-rate")
        self.update += 1
        self.tokens += int((targets != IGNORE).sum())
        self.recent.append(value)
        self.seconds += time.monotonic() - began
        return value

    def _validate(self) -> None:
        nll = negative_log_likelihood(self.network, self.valid, self.config.valid_tokens)
        row = {
            "update": self.update, "tokens": self.tokens, "seconds": round(self.seconds, 1),
            "rate": self.config.rate(self.update), "train_nll": float(np.mean(self.recent)),
            "valid_nll": nll,
        }  # fmt: skip
        self.log.append(row)
        self.recent = []
        tqdm.write(
            f"update {row['update']}: {row['tokens'] / 1e6:.1f} M tokens, train "
            f"{row['train_nll']:.4f}, validation {nll:.4f} nats a token"
        )
        self.stale = 0 if nll < self.best else self.stale + 1
        if nll < self.best:
            self.best = nll
            weights = {k: v.contiguous() for k, v in self.network.state_dict().items()}
            story = {"valid_nll": nll, "update": self.update, "tokens_seen": self.tokens}
            part = self.out / "best.part"
            save_file(weights, part, metadata={k: str(v) for k, v in story.items()})
            part.replace(self.out / "best.safetensors")
        write_log(self.out / "log.csv", self.log)
        plot(self.out / "curves.png", self.log)

    def _checkpoint(self) -> None:
        part = self.out / "last.part"
        torch.save(
            {
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "state": self.state,
                "lanes": self.lanes.state(),
                "torch_rng": torch.get_rng_state(),
                "counters": [self.update, self.tokens, self.seconds, self.stale, self.best],
                "recent": self.recent,
                "log": self.log,
            },
            part,
        )
        part.replace(self.out / "last.pt")

    def _resume(self) -> None:
        try:
            saved = torch.load(self.out / "last.pt", weights_only=True)
            self.network.load_state_dict(saved["network"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.lanes.restore(saved["lanes"])
            torch.set_rng_state(saved["torch_rng"])
            self.state = saved["state"]
            self.update, self.tokens, self.seconds, self.stale, self.best = saved["counters"]
            self.recent, self.log = saved["recent"], saved["log"]
        except (
            RuntimeError, KeyError, ValueError, TypeError, EOFError, pickle.UnpicklingError
        ) as error:  # fmt: skip
            why = (str(error).splitlines() or [type(error).__name__])[-1].strip()
            raise DataError(
                f"{self.out}/last.pt cannot be gone on from ({why}): remove it to begin anew"
            ) from None


class StopSignals:
    """While this context lasts, the first SIGINT or SIGTERM only sets `number`.

    So a training step is never torn apart. A second signal does what it always did.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopSignals":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *exception: object) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _stop(self, number: int, frame: object) -> None:
        self.number = number
        self.__exit__()


FIXED = {
    "layers": "network", "embedding": "network", "dense": "network", "vocabulary": "network",
    "batch": "train",
}  # fmt: skip
"""Options that a run keeps for life, and where `run.json` has them."""


def check_fit(out: Path, wanted: dict) -> None:
    """UsageError if the run in `out` was begun with options that cannot be changed on the way."""
    try:
        begun = json.loads((out / "run.json").read_text())
        for option, section in FIXED.items():
            if begun[section][option] != wanted[section][option]:
                raise UsageError(
                    f"{out} was begun with --{option} {_shown(begun[section][option])} and cannot "
                    f"go on with {_shown(wanted[section][option])}: give another --out"
                )
        sources = len(begun["about"]["data"]), len(wanted["about"]["data"])
    except FileNotFoundError:
        return  # the checkpoint itself will tell
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{out}/run.json is broken ({error}): give another --out") from None
    if sources[0] != sources[1]:
        raise UsageError(
            f"{out} was begun with {sources[0]} --data folders and cannot go on with {sources[1]}: "
            "give another --out (and --init its best.safetensors)"
        )


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def negative_log_likelihood(network: Network, pieces: Pieces, limit: int, time: int = 512) -> float:
    """Nats per token over the first `limit` tokens of each piece, state carried through each."""
    network.eval()
    total, count = 0.0, 0
    rows = sorted((p[: limit + 1] for p in pieces), key=len)
    with torch.no_grad():
        for group in (rows[i : i + 32] for i in range(0, len(rows), 32)):
            ids = rows_of(group)
            state = network.initial_state(len(group))
            for start in range(0, ids.shape[1] - 1, time):
                window = torch.from_numpy(ids[:, start : start + time + 1])
                logits, state = network(window[:, :-1].clamp(min=0), state)
                targets = window[:, 1:].flatten()
                total += float(
                    functional.cross_entropy(
                        logits.flatten(0, 1), targets, ignore_index=IGNORE, reduction="sum"
                    )
                )
                count += int((targets != IGNORE).sum())
    return total / max(1, count)
