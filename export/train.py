"""Training: truncated back-propagation through time with the state carried along each piece.

A run lives in one folder: `run.json` (what was asked), `last.pt` (everything needed to go on
exactly), `best.safetensors` (the weights of the best validation), `log.csv` and `curves.png`.
"""

import csv
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional
from tqdm import tqdm

from daemon.errors import DataError

from .corpus import Pieces
from .dataset import IGNORE, Augmentation, Lanes, Stream
from .network import Network, NetworkConfig


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
    """One run. `run()` trains to the end; every checkpoint can be gone on from exactly."""

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
        if (out / "last.pt").exists():
            self._resume()
        write_json(out / "run.json", self._description(network, limits))

    def run(self) -> None:
        """Train until `updates`, or until validation no longer improves, or Ctrl-C."""
        bar = tqdm(total=self.config.updates, initial=self.update, unit="update", smoothing=0.02)
        try:
            while self.update < self.config.updates:
                began = time.monotonic()
                loss = self._step()
                self.seconds += time.monotonic() - began
                bar.update()
                if self.update % 10 == 0:
                    rate = self.tokens / max(1e-9, self.seconds)
                    bar.set_postfix_str(f"{loss:.3f} nats, {rate:.0f} tokens/s, best {self.best:.3f}")
                last = self.update == self.config.updates
                if self.update % self.config.validate_every == 0 or last:
                    self._validate()
                if self.update % self.config.checkpoint_every == 0 or last:
                    self._checkpoint()
                if self.config.patience and self.stale >= self.config.patience:
                    break
        except KeyboardInterrupt:
            self._checkpoint()
            print(f"stopped at update {self.update}; the same command goes on from here")
        bar.close()

    def _step(self) -> float:
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
            part = self.out / "best.part"
            save_file(weights, part, metadata={"valid_nll": f"{nll:.4f}", "update": str(self.update)})
            part.replace(self.out / "best.safetensors")
        with open(self.out / "log.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerows(self.log)
        plot(self.log, self.out / "curves.png")

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
        except (RuntimeError, KeyError, ValueError, EOFError, OSError) as error:
            why = str(error).splitlines()[0]
            raise DataError(f"{self.out}/last.pt does not fit this run: {why}") from None
        self.state = saved["state"]
        self.lanes.restore(saved["lanes"])
        torch.set_rng_state(saved["torch_rng"])
        self.update, self.tokens, self.seconds, self.stale, self.best = saved["counters"]
        self.recent, self.log = saved["recent"], saved["log"]

    def _description(self, network: NetworkConfig, limits: Augmentation) -> dict:
        return {
            "network": network.to_dict(),
            "train": asdict(self.config),
            "augmentation": asdict(limits),
            "about": self.about,
        }


def negative_log_likelihood(network: Network, pieces: Pieces, limit: int, time: int = 512) -> float:
    """Nats per token over the first `limit` tokens of each piece, state carried through each."""
    network.eval()
    total, count = 0.0, 0
    rows = sorted((p[: limit + 1].astype(np.int64) for p in pieces), key=len)
    with torch.no_grad():
        for group in (rows[i : i + 32] for i in range(0, len(rows), 32)):
            width = max(len(r) for r in group)
            ids = np.full((len(group), width), IGNORE, np.int64)
            for i, row in enumerate(group):
                ids[i, : len(row)] = row
            state = network.initial_state(len(group))
            for start in range(0, width - 1, time):
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


def plot(log: list[dict], path: Path) -> None:
    """Loss curves over tokens seen, as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    millions = [row["tokens"] / 1e6 for row in log]
    axes.plot(millions, [row["train_nll"] for row in log], label="training")
    axes.plot(millions, [row["valid_nll"] for row in log], label="validation")
    axes.set(xlabel="million tokens", ylabel="nats per token", title=path.parent.name)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def write_json(path: Path, value: dict) -> None:
    """Write atomically."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=2) + "\n")
    part.replace(path)
