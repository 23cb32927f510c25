"""Optimisers by name, Muon among them, and the moving average of the weights.

Muon is torch's, with its Newton-Schulz iterations done where a matrix is small. torch's
orthogonalises in bfloat16, which few CPUs multiply fast, and multiplies the long side of a gate
matrix ten times. Here the iterations run on the Gram matrix of the short side, in the gradient's
own precision, and the long side is multiplied twice: the same polynomial of the same gradient,
three times as fast on a CPU (a test holds the two together). Several processes share the matrices
out: each orthogonalises some and broadcasts what it found.
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
    """One or several of torch's optimisers over all weights of a network, stepped as one.

    A gradient scaler, which fp16 needs so that small gradients do not vanish, stands between; it
    passes everything through unless it is enabled.
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
        """One update from a loss, at a learning rate; gradients are clipped and then forgotten."""
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
        """As torch's optimisers."""
        return {
            "parts": [part.state_dict() for part in self.parts],
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As torch's optimisers, but the weight decay stays this one's."""
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

    Its updates are orthogonalised, and scaled to the size of AdamW's (Liu et al. 2025). It bears
    several times AdamW's rate, so AdamW has a share of it.
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
    """With the constants of Keras, as the classic tutorial has it."""
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
    """A copy of a network whose weights follow its weights slowly: `update_parameters` moves it.

    The decay begins low, so that a short run is not weighed down by where it began.
    """

    def follow(slow: Any, fast: Any, _: object) -> None:
        count = int(copy.n_averaged)  # on the CPU, where nothing has to be waited for
        torch._foreach_lerp_(slow, fast, 1 - min(decay, (1 + count) / (10 + count)))

    copy = AveragedModel(network, multi_avg_fn=follow)
    for module in copy.modules():
        if isinstance(module, nn.LSTM):
            module.flatten_parameters()  # cuDNN wants one block, and copying tore it apart
    return copy


class Muon(torch.optim.Muon):
    """torch's Muon with updates in the size of AdamW's, on CPU and GPU.

    The state is torch's too (`momentum_buffer`), so a run can go on with either.
    """

    def __init__(
        self, weights: Sequence[Tensor], rate: float, weight_decay: float, momentum: float = 0.95,
        processes: ProcessGroup | None = None,
    ) -> None:  # fmt: skip
        self._processes = processes or single_process()
        super().__init__([*weights], rate, weight_decay, momentum, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update of all matrices that have a gradient; a `closure` is torch's affair."""
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
        """The momentum with this gradient in it."""
        state, momentum = self.state[weight], group["momentum"]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        gathered = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(gathered, momentum) if group["nesterov"] else gathered

    def _updates(self, ahead: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        """Each matrix orthogonalised, in one process; all processes have the results."""
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
    """Which process does each piece of work: the largest first, to whoever has the least."""
    have, owners = [0.0] * processes, [0] * len(work)
    for i in sorted(range(len(work)), key=lambda i: -work[i]):
        owners[i] = have.index(min(have))
        have[owners[i]] += work[i]
    return owners


def _work(matrix: Tensor, steps: int) -> float:
    """Multiplications of `orthogonal`."""
    short, long = sorted(matrix.shape)
    return short * short * (2.0 * long + 4.0 * steps * short)


def orthogonal(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """The matrix with its singular values brought near 1, (m, n), by Newton-Schulz iterations.

    Each maps X to X (a + b R + c R^2), R = X^T X. R of the next X is the factor times R times the
    factor, and X need only be multiplied with the product of all factors, once.
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
