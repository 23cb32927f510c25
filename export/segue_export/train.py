"""Training: truncated back-propagation through time with the state carried along each piece.

A run lives in one folder: what `checkpoint` keeps there, `log.csv` and `curves.png`. Several
processes (see `distributed`) train as one: each plays some of the lanes, all step together.
"""

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, astuple
from pathlib import Path

import torch
from segued.errors import DataError, UsageError
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from .checkpoint import (  # fmt: skip
    ASKED,
    LAST,
    broken,
    cpu,
    load_last,
    load_weights,
    random_state,
    save_best,
    save_last,
    set_random_state,
)
from .corpus import Pieces
from .dataset import IGNORE, Augmentation, Lanes, Stream
from .distributed import World, alone, computed_in
from .network import Network, NetworkConfig
from .optimizers import Optimizer, averaged
from .report import plot, write_json, write_log
from .settings import TrainConfig
from .stopping import StopSignals
from .validation import negative_log_likelihood, some_of, validate
from .verdict import Verdict

__all__ = ["StopSignals", "TrainConfig", "Trainer", "negative_log_likelihood"]

LOOK = 10  # updates between two looks at the loss, for which a GPU has to be waited for


class Trainer:
    """One run. `run()` trains to the end; every checkpoint can be gone on from exactly.

    If `out` has a checkpoint the run goes on from it, otherwise it begins with that of its `trunk`,
    if it has one: UsageError when it does not fit the network, the batch, the optimiser, the seed
    or the number of streams. `about` is kept in `run.json` for whoever exports the run. `judges`
    are kept for `fine_tune.judge`.
    """

    def __init__(
        self, out: Path, network: NetworkConfig, config: TrainConfig, limits: Augmentation,
        streams: list[Stream], valid: Pieces, about: dict, world: World | None = None,
        trunk: Path | None = None, judges: Pieces | None = None,
    ) -> None:  # fmt: skip
        self.world = world = world or alone()
        self.out, self.config, self.about = out, config, about
        self.judges, self.verdict = judges, None
        self.valid = some_of(valid, config.valid_piece, config.valid_tokens)
        self.dtype = computed_in(config.precision, world.device)
        if config.batch % world.size:
            raise UsageError(f"--batch {config.batch} cannot be shared by {world.size} processes")
        torch.manual_seed(config.seed)
        self.network = Network(network).to(world.device)
        if world.rank:
            torch.manual_seed(config.seed + 1_000_003 * world.rank)  # each has its own dropout
        scale = self.dtype != torch.float32 and world.device.type == "cuda"
        self.optimizer = Optimizer(self.network, config, scale, world)
        self.average = averaged(self.network, config.ema) if config.ema else None
        self.lanes = Lanes(
            streams, config.batch, config.time, limits, config.seed, world.rank, world.size
        )
        self.state = self.network.initial_state(config.batch // world.size)
        self.update, self.tokens, self.seconds, self.stale = 0, 0, 0.0, 0
        self.best = float("inf")
        self.log: list[dict] = []
        self._nats = torch.zeros((), dtype=torch.float64, device=world.device)
        self._count = 0  # predicted tokens, of this process, since the last row of the log
        described = {
            "network": network.to_dict(),
            "train": asdict(config),
            "augmentation": asdict(limits),
            "about": about,
        }
        saved = world.share(lambda: load_last(out, described, trunk))
        if saved is not None:
            self._resume(saved)
            if world.share(lambda: not (out / LAST).exists()):  # it is the trunk's
                self.update, self.stale, self.best, self.log = 0, 0, float("inf"), []
        if world.first:
            out.mkdir(parents=True, exist_ok=True)
            write_json(out / ASKED, described)
        self._together = world.wrap(self.network)

    @property
    def judged(self) -> Network:
        """The network that is validated and kept: the averaged one, where there is one."""
        return self.average.module if self.average else self.network

    def begin_with(self, path: Path) -> None:
        """Take the weights of another run, of these sizes or smaller; DataError if it cannot be."""
        load_weights(self.network, path)

    def begin_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take a model's weights, and keep them as the best until something better is found."""
        self.network.load_state_dict(dict(weights))
        if self.average:
            self.average.module.load_state_dict(dict(weights))
        self._validate()  # none before: whatever it is, it is the best so far

    def settle(self, verdict: Verdict, weights: Mapping[str, Tensor], story: dict) -> None:
        """Keep these weights and the verdict that was found of them."""
        self.verdict = verdict
        if self.world.first:
            save_best(self.out, weights, story)
        if not verdict.better:
            self.best = float("inf")  # whatever comes is better than what was not kept
        self._checkpoint()

    def run(self) -> int:
        """Train until `updates`, or until validation no longer improves, or a signal to stop.

        Returns the exit status: 0, or 128 and the number of the signal, after a checkpoint.
        """
        config = self.config
        bar = tqdm(
            total=config.updates or None, initial=self.update, unit="update", smoothing=0.02,
            mininterval=0.1 if sys.stderr.isatty() else 30.0, disable=not self.world.first,
        )  # fmt: skip
        with bar, StopSignals() as stop:
            while not self.exhausted and (self.update < config.updates or not config.updates):
                self._step()
                bar.update()
                number = int(self.world.most([stop.number])[0])
                last = self.update == config.updates
                if self.update % LOOK == 0 or last or number:
                    bar.set_postfix_str(self._progress(), refresh=False)
                if self.update % config.validate_every == 0 or last:
                    self._validate()
                if number:
                    break
                if self.update % config.checkpoint_every == 0:
                    self._checkpoint()
            else:
                number = 0
            self._checkpoint()
        if number and self.world.first:
            print(f"stopped at update {self.update}; the same command goes on from here")
        return 128 + number if number else 0

    @property
    def exhausted(self) -> bool:
        """Whether the last validations were none better than the best before them."""
        return bool(self.config.patience) and self.stale >= self.config.patience

    def _step(self) -> None:
        began = time.monotonic()
        tokens, targets, fresh = (torch.from_numpy(array) for array in self.lanes.next())
        count = int((targets != IGNORE).sum())
        everywhere = int(self.world.sum([count])[0])
        self.state = self.state.masked_fill(self._there(fresh)[:, None], 0.0)
        self.network.train()
        mixed = self.dtype != torch.float32
        with torch.autocast(self.world.device.type, self.dtype, enabled=mixed):
            logits, state = self._together(self._there(tokens), self.state)
        self.state = state.detach()
        nats = functional.cross_entropy(
            logits.float().flatten(0, 1), self._there(targets).flatten(), ignore_index=IGNORE,
            reduction="sum",
        )  # fmt: skip
        rate = self.config.rate(self.update)
        self.optimizer.step(nats * (self.world.size / everywhere), rate)
        if self.average:
            self.average.update_parameters(self.network)
        self._nats += nats.detach()
        self._count += count
        self.verdict = None
        self.update += 1
        self.tokens += everywhere
        self.seconds += time.monotonic() - began

    def _there(self, tensor: Tensor) -> Tensor:
        """The same on the device, which need not be waited for."""
        if self.world.device.type == "cpu":
            return tensor
        return tensor.pin_memory().to(self.world.device, non_blocking=True)

    def _recent(self) -> tuple[float, int]:
        """Nats and tokens of all processes since the last row of the log; the loss is a number."""
        nats, count = self.world.sum([float(self._nats), self._count])
        if not math.isfinite(nats):
            raise DataError(f"the loss is {nats} at update {self.update}: lower --learning-rate")
        return nats, int(count)

    def _progress(self) -> str:
        nats, count = self._recent()
        rate = self.tokens / max(1e-9, self.seconds)
        told = f"{nats / max(1, count):.3f} nats, {rate:.0f} tokens/s"
        if not self.log:
            return told
        return f"{told}, validation {self.log[-1]['valid_nll']:.3f}, best {self.best:.3f}"

    def _validate(self) -> None:
        heard = validate(self.judged, self.valid, self.config.valid_piece, world=self.world)
        nats, count = self._recent()
        row = {
            "update": self.update, "tokens": self.tokens, "seconds": round(self.seconds, 1),
            "rate": self.config.rate(self.update),
            "train_nll": nats / count if count else float("nan"), "valid_nll": heard.nll,
        }  # fmt: skip
        self.log.append(row)
        self._nats.zero_()
        self._count = 0
        lower = heard.nll < self.best
        self.stale = 0 if lower else self.stale + 1
        self.best = min(self.best, heard.nll)
        if self.world.first:
            self._write(lower)

    def _write(self, better: bool) -> None:
        row = self.log[-1]
        heard = f"train {row['train_nll']:.4f}, " if row["tokens"] else ""
        tqdm.write(
            f"update {row['update']}: {row['tokens'] / 1e6:.1f} M tokens, {heard}"
            f"validation {row['valid_nll']:.4f} nats a token"
        )
        if better:
            story = {"valid_nll": self.best, "update": self.update, "tokens_seen": self.tokens}
            save_best(self.out, self.judged.state_dict(), story)
        write_log(self.out / "log.csv", self.log)
        plot(self.out / "curves.png", self.log)

    def _checkpoint(self) -> None:
        """All processes tell the first what it lacks, and it writes; see `_resume`."""
        nats, count = self._recent()
        rounds = int(self.world.most([self.lanes.rounds])[0])
        self.lanes.deal_until(rounds)
        mine = {"lanes": self.lanes.state(), "state": self.state.cpu(), "rng": random_state()}
        ranks = self.world.gather(mine)
        if not self.world.first:
            return
        lanes = ranks[0]["lanes"]
        for rank in ranks[1:]:
            lanes["lanes"] |= rank["lanes"]["lanes"]
        states = torch.stack([rank["state"] for rank in ranks], dim=1).flatten(0, 1)
        save_last(
            self.out,
            {
                "network": cpu(self.network.state_dict()),
                "average": cpu(self.average.state_dict()) if self.average else None,
                "optimizer": self.optimizer.state_dict(),
                "state": states,
                "lanes": lanes,
                "rng": [rank["rng"] for rank in ranks],
                "counters": [self.update, self.tokens, self.seconds, self.stale, self.best],
                "recent": [nats, count],
                "valid": self.valid.digest,
                "verdict": self.verdict and list(astuple(self.verdict)),
                "log": self.log,
            },
        )

    def _validated_on_others(self) -> None:
        if self.judges:
            raise UsageError(f"{self.out} was begun with other pieces kept out: give another --out")
        self.best, self.stale = float("inf"), 0
        if self.world.first:
            print("validation hears other pieces than before: what was the best is forgotten")

    def _resume(self, saved: dict) -> None:
        world = self.world
        try:
            self.network.load_state_dict(saved["network"])
            if self.average and saved["average"]:
                self.average.load_state_dict(saved["average"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.lanes.restore(saved["lanes"])
            self.state = saved["state"][world.rank :: world.size].to(world.device)
            self.update, self.tokens, self.seconds, self.stale, self.best = saved["counters"]
            self.log = saved["log"]
            self.verdict = saved.get("verdict") and Verdict(*saved["verdict"])
            if saved.get("valid", self.valid.digest) != self.valid.digest:
                self._validated_on_others()
            if world.first:
                nats, self._count = saved["recent"]
                self._nats += nats
            if len(saved["rng"]) == world.size:
                set_random_state(saved["rng"][world.rank])
            else:
                torch.manual_seed(self.config.seed + 1_000_003 * (self.update + world.rank))
                if world.first:
                    print(f"begun by {len(saved['rng'])} processes, goes on with {world.size}")
        except (RuntimeError, KeyError, ValueError, TypeError, IndexError) as error:
            raise broken(self.out, error) from None
