"""The processes that train together, one or many: collective operations, devices, stop signals.

`torchrun` starts them and sets the rank of each process in the environment. Without `torchrun`
there is one process, and nothing here costs time. Gradients are averaged by
DistributedDataParallel, over NCCL between GPUs and over gloo between CPUs. Other numbers are
exchanged over gloo.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from segued.errors import SegueError, UsageError
from torch import distributed, nn

BF16_CAPABILITIES = ("avx512_bf16", "amx_bf16")  # of CPUs that multiply bfloat16
TIMEOUT = timedelta(hours=2)  # until the slowest machine has read its corpus


@dataclass(frozen=True)
class ProcessGroup:
    """This process, one of `size`. The main process, of rank 0, writes files and prints."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def join(cls, device: str = "auto") -> "ProcessGroup":
        """Connect to the other processes and choose a device: `auto`, `cpu` or `cuda`.

        Raises UsageError when there is no such device.
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
            if exception[0] is None:  # the others still use the connections
                distributed.barrier()
            distributed.destroy_process_group()

    def exit(self, status: int) -> int:
        """Return the exit status. One of several processes ends at once, without returning.

        About one in a hundred runs aborted after its work was done ("terminate called without an
        active exception"). The likely cause is a thread of gloo that releases a tensor while the
        interpreter shuts down, so the interpreter is not shut down.
        """
        if self.size > 1:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        return status

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """A network whose gradients are averaged over all processes."""
        if self.size == 1:
            return network
        ids = [self.device.index] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(network, device_ids=ids)

    def to_device(self, array: np.ndarray) -> torch.Tensor:
        """A copy of an array on the device of this process."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cpu":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)

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
        """Copy a tensor on the CPU from the process of this rank to all processes."""
        distributed.broadcast(tensor, rank)
        return tensor

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, ordered by rank. Tensors must be on the CPU."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def call_once(self, ask: Callable[[], Any]) -> Any:
        """Call a function in the main process; its result or SegueError is that of all."""
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
    """Whether this is the main process. Can be called before the group is joined."""
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
    """The dtype of a precision on a device. Raises UsageError when the device does not support it.

    On a GPU cuDNN's LSTM computes in fp16 with either half type (see AutocastRNN.cpp in torch), so
    a gradient scaler is used with both.
    """
    if precision == "auto":
        if device.type == "cpu":
            fast = any(torch.cpu.get_capabilities().get(name) for name in BF16_CAPABILITIES)
            return torch.bfloat16 if fast else torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if precision == "fp16" and device.type == "cpu":
        raise UsageError("--precision fp16 is for GPUs: take fp32 or bf16 on a CPU")
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


class StopSignals:
    """In this context the first SIGINT or SIGTERM only sets `number`.

    So no training step is interrupted. A second signal has its usual effect.
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
