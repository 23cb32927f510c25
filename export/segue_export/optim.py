"""Optimisers by name, including Muon, and the moving average of the weights.

Muon is torch's, with other Newton-Schulz iterations on CPUs. torch's orthogonalises in bfloat16,
which few CPUs multiply fast, and multiplies by the long side of a gate matrix ten times. Here the
iterations run on the Gram matrix of the short side, in the gradient's precision, and multiply by
the long side twice. The polynomial is the same, which a test checks; it is three times as fast on
a CPU. Several processes divide the matrices: each orthogonalises some and broadcasts the results.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .config import TrainConfig
from .process_group import ProcessGroup, single_process

ADAMW_SHARE = 0.3  # of the learning rate, beside Muon
MATCHED_RMS = 0.2  # of Muon's updates, in the size of AdamW's (Liu et al. 2025)


class Optimizer:
    """One or several of torch's optimisers that update the weights of a network together.

    `scale` enables a gradient scaler, which fp16 needs so that small gradients do not vanish.
    """

    def __init__(
        self, network: nn.Module, config: TrainConfig, scale: bool = False,
        processes: ProcessGroup | None = None,
    ) -> None:  # fmt: skip
        self.parts = PARTS[config.optimizer](network, config, processes or single_process())
        self.scaler = torch.amp.GradScaler("cuda", enabled=scale)
        self._weights = _trainable(network)
        self._clip, self._weight_decay = config.clip, config.weight_decay

    def step(self, loss: torch.Tensor, rate: float) -> None:
        """Update the weights from a loss, at a learning rate, with clipped gradients."""
        self.scaler.scale(loss).backward()
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate * group.get("share", 1.0)
            self.scaler.unscale_(part)
        if self._clip < math.inf:
            torch.nn.utils.clip_grad_norm_(self._weights, self._clip)
        for part in self.parts:
            self.scaler.step(part)
            part.zero_grad()
        self.scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """The state of optimisers and scaler, as in torch."""
        return {
            "parts": [part.state_dict() for part in self.parts],
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a `state_dict`, except for the weight decay."""
        for part, saved in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(saved)
            for group in part.param_groups:
                group["weight_decay"] = self._weight_decay
        if self.scaler.is_enabled() and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])


def _trainable(network: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in network.parameters() if weight.requires_grad]


def _adamw(
    weights: list[nn.Parameter], config: TrainConfig, share: float = 1.0
) -> torch.optim.Optimizer:
    groups = [{"params": weights, "share": share}]
    return torch.optim.AdamW(
        groups, config.learning_rate, (0.9, 0.98), weight_decay=config.weight_decay, fused=True
    )


def _all_adamw(
    network: nn.Module, config: TrainConfig, processes: ProcessGroup
) -> list[torch.optim.Optimizer]:
    return [_adamw(_trainable(network), config)]


def _muon(
    network: nn.Module, config: TrainConfig, processes: ProcessGroup
) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices inside, AdamW for embedding, biases and output.

    Updates are orthogonalised and scaled to the RMS of AdamW's (Liu et al. 2025). Muon tolerates
    several times AdamW's learning rate, so AdamW uses `ADAMW_SHARE` of it.
    """
    inside: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, weight in network.named_parameters():
        outside = name.startswith(("embedding", "output", "beat"))
        if weight.requires_grad:
            (inside if weight.ndim == 2 and not outside else rest).append(weight)
    beside = _adamw(rest, config, ADAMW_SHARE)
    if not inside:
        return [beside]
    return [Muon(inside, config.learning_rate, config.weight_decay, processes=processes), beside]


def _rmsprop(
    network: nn.Module, config: TrainConfig, processes: ProcessGroup
) -> list[torch.optim.Optimizer]:
    """RMSprop with the constants of Keras, as in the classic tutorial."""
    return [
        torch.optim.RMSprop(
            _trainable(network), config.learning_rate, alpha=0.9, eps=1e-7,
            weight_decay=config.weight_decay,
        )
    ]  # fmt: skip


PARTS: dict[str, Callable[[nn.Module, TrainConfig, ProcessGroup], list[torch.optim.Optimizer]]] = {
    "adamw": _all_adamw, "muon": _muon, "rmsprop": _rmsprop,
}  # fmt: skip


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of a network's weights, updated by `update_parameters`.

    The decay begins low, so that in a short run the initial weights do not dominate.
    """

    def follow(slow: Any, fast: Any, _: object) -> None:
        count = int(copy.n_averaged)  # on the CPU, so this does not wait for a GPU
        torch._foreach_lerp_(slow, fast, 1 - min(decay, (1 + count) / (10 + count)))

    copy = AveragedModel(network, multi_avg_fn=follow)
    for module in copy.modules():
        if isinstance(module, nn.LSTM):
            module.flatten_parameters()  # cuDNN needs one block, which copying has split
    return copy


class Muon(torch.optim.Muon):
    """torch's Muon with updates scaled to the RMS of AdamW's, on CPU and GPU.

    Its state is that of torch's Muon (`momentum_buffer`), so a run can be resumed with either.
    """

    def __init__(
        self, weights: Sequence[Tensor], rate: float, weight_decay: float, momentum: float = 0.95,
        processes: ProcessGroup | None = None,
    ) -> None:  # fmt: skip
        self._processes = processes or single_process()
        super().__init__([*weights], rate, weight_decay, momentum, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update all matrices that have a gradient. A `closure` is passed on to torch."""
        devices = [group["params"][0].device.type for group in self.param_groups]
        if closure is not None or any(device != "cpu" for device in devices):
            return super().step(closure)  # type: ignore[no-untyped-call]
        for group in self.param_groups:
            moved = [weight for weight in group["params"] if weight.grad is not None]
            ahead = [self._ahead(weight, weight.grad, group) for weight in moved]
            for weight, update in zip(moved, self._updates(ahead, group), strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-group["lr"] * MATCHED_RMS * max(weight.shape) ** 0.5)
        return None

    def _ahead(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
        """The momentum after this gradient, with Nesterov's correction if the group has it."""
        state, momentum = self.state[weight], group["momentum"]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        gathered = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(gathered, momentum) if group["nesterov"] else gathered

    def _updates(self, ahead: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        """The orthogonalised matrices. Each is computed by one process and broadcast to all."""
        processes = self._processes
        how = group["ns_coefficients"], group["ns_steps"], group["eps"]
        owners = shared_out([_work(matrix, group["ns_steps"]) for matrix in ahead], processes.size)
        updates = [
            orthogonal(matrix, *how) if owner == processes.rank else torch.empty_like(matrix)
            for matrix, owner in zip(ahead, owners, strict=True)
        ]
        for rank in range(processes.size if processes.size > 1 else 0):
            theirs = [u for u, owner in zip(updates, owners, strict=True) if owner == rank]
            if theirs:
                together = torch.cat([update.flatten() for update in theirs])
                parts = processes.broadcast(together, rank).split(
                    [update.numel() for update in theirs]
                )
                for update, part in zip(theirs, parts, strict=True):
                    update.copy_(part.view_as(update))
        return updates


def shared_out(work: Sequence[float], processes: int) -> list[int]:
    """The process for each piece of work: largest first, to the process with the least so far."""
    have, owners = [0.0] * processes, [0] * len(work)
    for i in sorted(range(len(work)), key=lambda i: -work[i]):
        owners[i] = have.index(min(have))
        have[owners[i]] += work[i]
    return owners


def _work(matrix: Tensor, steps: int) -> float:
    """The number of multiplications in `orthogonal`."""
    short, long = sorted(matrix.shape)
    return short * short * (2.0 * long + 4.0 * steps * short)


def orthogonal(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """The matrix (m, n) with singular values near 1, by Newton-Schulz iterations.

    Each iteration maps X to X F with F = a + b R + c R^2 and R = X^T X. The next R is F R F, so X
    itself is multiplied only once, by the product of all F.
    """
    a, b, c = coefficients
    tall = matrix if matrix.size(0) > matrix.size(1) else matrix.T
    tall = tall / tall.norm().clamp(min=eps)
    gram = tall.T @ tall
    product = None
    for step in range(steps):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor if product is None else product @ factor
        if step < steps - 1:
            gram = factor @ gram @ factor
    result: Tensor = tall if product is None else tall @ product
    return result if matrix.size(0) > matrix.size(1) else result.T
