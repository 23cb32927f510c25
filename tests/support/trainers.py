"""Processes that train, as torchrun starts them, but forked from one that has torch already.

Python's fork server imports torch once; each trainer is a fork of it. An interpreter of its own
costs each process four seconds of computing: torch, and the torch._dynamo that optimizers load.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from torch.distributed import TCPStore  # type: ignore[attr-defined]

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["torch._dynamo", "segue_export.__main__", "segue_export.train"])
STORES: list[TCPStore] = []  # of all who have met
PATIENCE = 300.0  # seconds


class Trainer:
    """One of the processes of a `segue-export` command; what it says goes into files."""

    def __init__(self, arguments: Sequence[str], told: Mapping[str, str], folder: Path) -> None:
        self._out, self._err = folder / "stdout", folder / "stderr"
        for path in (self._out, self._err):
            path.touch()
        self._process: ForkServerProcess = FORKS.Process(
            target=_train, args=([*arguments], {**told}, str(self._out), str(self._err))
        )
        self._process.start()

    def send_signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def said(self) -> str:
        """What it has said so far."""
        return self._out.read_text()

    def await_line(self, begin: str) -> None:
        """Until it has said a line that begins so; an AssertionError where it ends without."""
        deadline = time.monotonic() + PATIENCE
        while not f"\n{self.said()}".count(f"\n{begin}"):
            assert self._process.is_alive(), (self.said(), self._err.read_text())
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def end(self) -> tuple[int, str, str]:
        """Wait for it: (status, stdout, stderr)."""
        self._process.join(PATIENCE)
        status = self._process.exitcode
        if status is None:
            self._process.kill()
            self._process.join()
            raise AssertionError(f"no end after {PATIENCE:g} s: {self._err.read_text()}")
        return status, self.said(), self._err.read_text()


def start(arguments: Sequence[str], folder: Path, size: int = 2) -> list[Trainer]:
    """What torchrun does: `size` processes that know who they are, and where they meet.

    That is here, at a port that stays ours from the first: one that was free, and let go of for
    the first process to take, is at times another's by then. Each speaks into a folder of its own
    in a new one below `folder`.
    """
    STORES.append(TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False))
    told = {
        "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": STORES[-1].port,
        "TORCHELASTIC_USE_AGENT_STORE": True, "TORCHELASTIC_RESTART_COUNT": len(STORES),
        "OMP_NUM_THREADS": 1,
    }  # fmt: skip
    trainers = []
    for rank in range(size):
        own = folder / f"said-{len(STORES)}" / str(rank)
        own.mkdir(parents=True)
        ranked = told | {"RANK": rank, "LOCAL_RANK": rank}
        trainers.append(Trainer(arguments, {k: str(v) for k, v in ranked.items()}, own))
    return trainers


def together(arguments: Sequence[str], folder: Path, size: int = 2) -> list[tuple[int, str, str]]:
    """Run to the end: (status, stdout, stderr) of each process."""
    return [trainer.end() for trainer in start(arguments, folder, size)]


def _train(arguments: list[str], told: dict[str, str], out: str, err: str) -> None:
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    os.environ.update(told)
    from segue_export.__main__ import main

    sys.exit(main(arguments))
