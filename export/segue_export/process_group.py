"""The processes that train together, one or many: collective operations, devices, stop signals.

`torchrun` starts them and says in the environment who is who; without it there is one, and nothing
here costs anything. Gradients go through DistributedDataParallel, on NCCL between GPUs and on gloo
between CPUs; the few numbers that must be agreed upon go through gloo.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from segued.errors import SegueError, UsageError
from torch import distributed, nn

HALF = ("avx512_bf16", "amx_bf16")  # what a CPU that multiplies bfloat16 is said to have
TIMEOUT = timedelta(hours=2)  # for the slowest machine to read its corpus


@dataclass(frozen=True)
class ProcessGroup:
    """This process among `size` of them. The one of rank 0 writes and speaks."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def join(cls, device: str = "auto") -> "ProcessGroup":
        """Meet the others, if there are any, and take a device: `auto`, `cpu` or `cuda`.

        UsageError when there is no such device here.
        """
        size, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        place = torch.device(_device(device, int(os.environ.get("LOCAL_RANK", 0))))
        if place.type == "cuda":
            torch.cuda.set_device(place)
        if size > 1:
            backend = "cpu:gloo,cuda:nccl" if place.type == "cuda" else "gloo"
            distributed.init_process_group(backend, timeout=TIMEOUT)
        return cls(rank, size, place)

    def __enter__(self) -> "ProcessGroup":
        return self

    def __exit__(self, *exception: object) -> None:
        if self.size > 1 and distributed.is_initialized():
            if exception[0] is None:  # who goes first tears the others' connections apart
                distributed.barrier()
            distributed.destroy_process_group()

    def exit(self, status: int) -> int:
        """The exit status of this process, which ends here and now if it is one of several.

        Once in some hundred runs one aborted with all its work done ("terminate called without an
        active exception"): it is thought that a thread of gloo's, still letting go of a tensor,
        asked an interpreter for it that was being torn down. So none is torn down.
        """
        if self.size > 1:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        return status

    @property
    def is_main(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network as one whose gradients are the mean over all processes."""
        if self.size == 1:
            return network
        ids = [self.device.index] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(network, device_ids=ids)

    def sum(self, values: Sequence[float]) -> list[float]:
        """Each number summed over all processes."""
        return self._reduce(values, distributed.ReduceOp.SUM)

    def max(self, values: Sequence[float]) -> list[float]:
        """The largest of each number over all processes."""
        return self._reduce(values, distributed.ReduceOp.MAX)

    def _reduce(self, values: Sequence[float], how: Any) -> list[float]:
        if self.size == 1:
            return list(values)
        together = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(together, how)
        return together.tolist()

    def broadcast(self, tensor: torch.Tensor, rank: int) -> torch.Tensor:
        """What the process of this rank has in a tensor on the CPU, written into everyone's."""
        distributed.broadcast(tensor, rank)
        return tensor

    def gather(self, value: Any) -> list[Any]:
        """What each process says, in the order of ranks; tensors must be on the CPU."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def call_once(self, ask: Callable[[], Any]) -> Any:
        """What the main process finds, for all of them; the SegueError that it raises, too."""
        if self.size == 1:
            return ask()
        found: list[Any] = [None, None]
        if self.is_main:
            try:
                found[0] = ask()
            except SegueError as error:
                found[1] = error
        distributed.broadcast_object_list(found)
        if found[1] is not None:
            raise found[1]
        return found[0]


def single_process(device: str = "cpu") -> ProcessGroup:
    """The group of one process."""
    return ProcessGroup(0, 1, torch.device(_device(device, 0)))


def is_main_process() -> bool:
    """Whether this process is the one that speaks, before the group is joined."""
    return int(os.environ.get("RANK", 0)) == 0


def _device(name: str, local_rank: int) -> str:
    available = torch.cuda.is_available()
    if name == "cpu" or (name == "auto" and not available):
        return "cpu"
    if not available:
        raise UsageError("--device cuda: torch finds no CUDA here (auto uses what is available)")
    if local_rank >= torch.cuda.device_count():
        raise UsageError(
            f"process {local_rank} of this machine has no GPU, there are "
            f"{torch.cuda.device_count()}: start fewer with torchrun --nproc-per-node"
        )
    return f"cuda:{local_rank}"


def computed_in(precision: str, device: torch.device) -> torch.dtype:
    """The type that a precision means on a device; UsageError when it cannot compute in it.

    On a GPU cuDNN's LSTM computes in fp16 whatever half type autocast is told (see its
    AutocastRNN.cpp), so a gradient scaler is used with either.
    """
    if precision == "auto":
        if device.type == "cpu":
            fast = any(torch.cpu.get_capabilities().get(name) for name in HALF)
            return torch.bfloat16 if fast else torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if precision == "fp16" and device.type == "cpu":
        raise UsageError("--precision fp16 is for GPUs: take fp32 or bf16 on a CPU")
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


class StopSignals:
    """While this context lasts, the first SIGINT or SIGTERM only sets `number`.

    So a training step is never torn apart. A second signal does what it always did.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *exception: object) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def _stop(self, number: int, frame: object) -> None:
        self.number = number
        self.__exit__()
