"""The training loop: truncated back-propagation through time.

A `Task` defines what is learned: Segue's own model (`task`) or the classic tutorial's (`seed`). A
run has one folder, with checkpoints, `log.csv` and `curves.png`. Several processes (see
`process_group`) train one model: each computes some rows of every batch.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import torch
from segued.errors import DataError, UsageError
from torch import Tensor
from torch.nn import functional

from . import checkpoint
from .checkpoint import ASKED, LAST, broken, save_best, save_last
from .config import TrainConfig
from .data import IGNORE, Batch
from .network import Network, TooSmallError, widened
from .optim import Optimizer, averaged
from .process_group import ProcessGroup, StopSignals, computed_in, single_process
from .report import training_bar, write_json, write_validation
from .task import Task
from .validation import Verdict

WAIT = 1.0  # seconds between checks whether training may go on
SHOW_EVERY = 10  # updates between two displays of the loss, each of which waits for the GPU


class Trainer:
    """One run. `run()` trains to the end; it can be resumed exactly from every checkpoint.

    If `out` has a checkpoint the run continues from it, otherwise from that of `trunk`, if given.
    Raises UsageError if the checkpoint does not fit the network, the batch, the optimiser, the seed
    or the number of sources. `about` is saved in `run.json` for the export of the run.
    """

    def __init__(
        self, out: Path, task: Task, config: TrainConfig, about: dict[str, Any],
        processes: ProcessGroup | None = None, trunk: Path | None = None,
    ) -> None:  # fmt: skip
        self.processes = processes = processes or single_process()
        self.out, self.task, self.config, self.about = out, task, config, about
        self.verdict: Verdict | None = None
        self.waits: Callable[[float], bool] = lambda share: False
        """Called with the completed share of the run before each update. True: wait first."""
        self.device, self.dtype = processes.device, computed_in(config.precision, processes.device)
        if config.batch % processes.size:
            message = f"--batch {config.batch} cannot be shared by {processes.size} processes"
            raise UsageError(message)
        torch.manual_seed(config.seed)
        self.network = task.new_network().to(self.device)
        if config.only is not None:
            self.network.train_only(config.only)
        if processes.rank:  # each has its own dropout
            torch.manual_seed(config.seed + 1_000_003 * processes.rank)
        scale = self.dtype != torch.float32 and self.device.type == "cuda"
        self.optimizer = Optimizer(self.network, config, scale, processes)
        self.average = averaged(self.network, config.ema) if config.ema else None
        self.state = self.network.initial_state(config.batch // processes.size)
        self.update, self.tokens, self.seconds, self.stale = 0, 0, 0.0, 0
        self.best = float("inf")
        self.log: list[dict[str, Any]] = []
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self._count = 0  # predicted tokens, of this process, since the last row of the log
        self._begin(trunk)
        self._parallel = processes.wrap(self.network)

    def _begin(self, trunk: Path | None) -> None:
        """Load the checkpoint of the run or of its trunk, if there is one."""
        described = {"train": asdict(self.config), **self.task.described, "about": self.about}
        out, processes = self.out, self.processes
        saved = processes.call_once(lambda: checkpoint.load_last(out, described, trunk))
        if saved is not None:
            self._resume(saved)
            if processes.call_once(lambda: not (out / LAST).exists()):  # it is the trunk's
                self.update, self.stale, self.best, self.log = 0, 0, float("inf"), []
        if processes.is_main:
            out.mkdir(parents=True, exist_ok=True)
            write_json(out / ASKED, described)

    @property
    def eval_model(self) -> Network:
        """The network that is validated and saved: the averaged one, if there is one."""
        network = self.average.module if self.average else self.network
        assert isinstance(network, Network)
        return network

    def begin_with(self, weights: Mapping[str, Tensor], source: Path) -> None:
        """Load weights of at most these sizes, `widened`. Raises DataError if they do not fit."""
        try:
            self.network.load_state_dict(widened(weights, self.network.state_dict()))
        except (TooSmallError, RuntimeError) as error:
            why = str(error).splitlines()[-1].strip()
            raise DataError(f"{source}: cannot be used as initial weights: {why}") from None

    def begin_from(self, weights: Mapping[str, Tensor]) -> None:
        """Load the weights of a model, and save them as the best so far."""
        weights = widened(weights, self.network.state_dict())
        self.network.load_state_dict(weights)
        if self.average:
            self.average.module.load_state_dict(weights)
        self._validate()  # the first one, so it is saved as the best

    def settle(
        self, verdict: Verdict, weights: Mapping[str, Tensor], story: Mapping[str, object]
    ) -> None:
        """Save these weights and the verdict on them."""
        self.verdict = verdict
        if self.processes.is_main:
            save_best(self.out, weights, story)
        if not verdict.better:
            self.best = float("inf")  # the next validation is the best so far
        self._checkpoint()

    def run(self) -> int:
        """Train until `updates`, or until validation no longer improves, or a signal to stop.

        Returns the exit status: 0, or 128 and the number of the signal, after a checkpoint.
        """
        config, number = self.config, 0
        bar = training_bar(config, self.update, self.share, self.processes.is_main)
        with bar, StopSignals() as stop:
            while not (self.finished or number):
                if self.waits(self.share):
                    time.sleep(WAIT)
                    number = stop.number
                    continue
                self._step()
                most = self.processes.max([stop.number, self.seconds])
                number, self.seconds = int(most[0]), most[1]
                bar.update(self.share - bar.n if config.minutes else 1)
                last = self.finished
                if self.update % SHOW_EVERY == 0 or last or number:
                    bar.set_postfix_str(self._progress(), refresh=False)
                if self.update % config.validate_every == 0 or last:
                    self._validate()
                if self.update % config.checkpoint_every == 0 and not number:
                    self._checkpoint()
            self._checkpoint()
        if number and self.processes.is_main:
            print(f"stopped at update {self.update}; run the same command again to continue")
        return 128 + number if number else 0

    @property
    def share(self) -> float:
        """The completed share of the run, 0 to 1."""
        return self.config.share(self.update, self.seconds)

    @property
    def finished(self) -> bool:
        """Whether the run is complete, or the last `patience` validations did not improve."""
        exhausted = self.config.patience and self.stale >= self.config.patience
        return bool(exhausted) or self.share >= 1

    def _step(self) -> None:
        began = time.monotonic()
        batch = self.task.next()
        count = int((batch.targets != IGNORE).sum())
        global_tokens = int(self.processes.sum([count])[0])
        state = self._state(batch)
        self.network.train()
        mixed = self.dtype != torch.float32
        with torch.autocast(self.device.type, self.dtype, enabled=mixed):
            beat = None if batch.beat is None else self.processes.to_device(batch.beat)
            logits, state = self._parallel(
                self.processes.to_device(batch.tokens),
                state,
                last=batch.targets.shape[1] == 1,
                beat=beat,
            )
        if batch.reset is not None:
            self.state = state.detach()
        loss_sum = functional.cross_entropy(
            logits.float().flatten(0, 1), self.processes.to_device(batch.targets).flatten(),
            ignore_index=IGNORE, reduction="sum",
        )  # fmt: skip
        rate = self.config.rate(self.update, self.seconds)
        self.optimizer.step(loss_sum * (self.processes.size / global_tokens), rate)
        if self.average:
            self.average.update_parameters(self.network)
        self._loss_sum += loss_sum.detach()
        self._count += count
        self.verdict = None
        self.update += 1
        self.tokens += global_tokens
        self.seconds += time.monotonic() - began

    def _state(self, batch: Batch) -> Tensor:
        """The state before a batch: that after the previous one, but zero where a piece begins."""
        if batch.reset is None:
            return self.network.initial_state(len(batch.tokens))
        return self.state.masked_fill(self.processes.to_device(batch.reset)[:, None], 0.0)

    def _recent(self) -> tuple[float, int]:
        """Loss and tokens of all processes since the last row of the log. Raises DataError."""
        loss_sum, count = self.processes.sum([float(self._loss_sum), self._count])
        if not math.isfinite(loss_sum):
            message = f"the loss is {loss_sum} at update {self.update}: lower --learning-rate"
            raise DataError(message)
        return loss_sum, int(count)

    def _progress(self) -> str:
        loss_sum, count = self._recent()
        rate = self.tokens / max(1e-9, self.seconds)
        message = f"{loss_sum / max(1, count):.3f} nats, {rate:.0f} {self.task.unit}s/s"
        if not self.log:
            return message
        return f"{message}, validation {self.log[-1]['valid_nll']:.3f}, best {self.best:.3f}"

    def _validate(self) -> None:
        began = time.monotonic()
        nll = self.task.validate(self.eval_model)
        loss_sum, count = self._recent()
        if self.config.minutes:  # the minutes of a run include validation
            self.seconds = self.processes.max([self.seconds + time.monotonic() - began])[0]
        row = {
            "update": self.update, "tokens": self.tokens, "seconds": round(self.seconds, 1),
            "rate": self.config.rate(self.update, self.seconds),
            "train_nll": loss_sum / count if count else float("nan"), "valid_nll": nll,
        }  # fmt: skip
        self.log.append(self.task.row(row, count))
        self._loss_sum.zero_()
        self._count = 0
        lower = nll < self.best
        self.stale = 0 if lower else self.stale + 1
        self.best = min(self.best, nll)
        if not self.processes.is_main:
            return
        if lower:
            story = {"valid_nll": self.best, "update": self.update, "tokens_seen": self.tokens}
            save_best(self.out, self.eval_model.state_dict(), story)
        write_validation(self.out, self.log, self.task.unit, self.tokens)

    def _checkpoint(self) -> None:
        """Gather the state of all processes; the main one writes it. See `_resume`."""
        loss_sum, count = self._recent()
        samples = self.task.state()
        mine = {"state": self.state.cpu(), "rng": checkpoint.random_state()}
        ranks = self.processes.gather(mine)
        if not self.processes.is_main:
            return
        states = torch.stack([rank["state"] for rank in ranks], dim=1).flatten(0, 1)
        average = checkpoint.cpu(self.average.state_dict()) if self.average else None
        save_last(
            self.out,
            {
                "network": checkpoint.cpu(self.network.state_dict()),
                "average": average,
                "optimizer": self.optimizer.state_dict(),
                "state": states,
                "lanes": samples,
                "rng": [rank["rng"] for rank in ranks],
                "counters": [self.update, self.tokens, self.seconds, self.stale, self.best],
                "recent": [loss_sum, count],
                "valid": self.task.digest,
                "verdict": self.verdict and list(astuple(self.verdict)),
                "log": self.log,
            },
        )

    def _resume(self, saved: dict[str, Any]) -> None:
        try:
            self.network.load_state_dict(saved["network"])
            if self.average and saved["average"]:
                self.average.load_state_dict(saved["average"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.task.restore(saved["lanes"])
            states = saved["state"][self.processes.rank :: self.processes.size]
            self.state = states.to(self.device)
            self.update, self.tokens, self.seconds, self.stale, self.best = saved["counters"]
            self.log = saved["log"]
            self.verdict = Verdict(*saved["verdict"]) if saved.get("verdict") else None
            if saved.get("valid", self.task.digest) != self.task.digest:
                self._validation_changed()
            if self.processes.is_main:
                loss_sum, self._count = saved["recent"]
                self._loss_sum += loss_sum
            self._restore_random_state(saved["rng"])
        except (RuntimeError, KeyError, ValueError, TypeError, IndexError) as error:
            raise broken(self.out, error) from None

    def _validation_changed(self) -> None:
        if self.task.keeps_validation:
            raise UsageError(
                f"{self.out} was started with other validation pieces: give another --out"
            )
        self.best, self.stale = float("inf"), 0
        if self.processes.is_main:
            print("the validation pieces have changed: the best loss so far is discarded")

    def _restore_random_state(self, states: list[list[Tensor]]) -> None:
        if len(states) == self.processes.size:
            checkpoint.set_random_state(states[self.processes.rank])
            return
        torch.manual_seed(self.config.seed + 1_000_003 * (self.update + self.processes.rank))
        if self.processes.is_main:
            print(f"started by {len(states)} processes, continues with {self.processes.size}")
