"""Muon for CPUs: torch's, with its Newton-Schulz iterations done where a matrix is small.

torch's orthogonalises in bfloat16, which few CPUs multiply fast, and multiplies the long side of a
gate matrix ten times. Here the iterations run on the Gram matrix of the short side, in the
gradient's own precision, and the long side is multiplied twice: the same polynomial of the same
gradient, three times as fast on a CPU (`tests/test_muon.py` holds the two together). Several
processes share the matrices out: each orthogonalises some and tells the others what it found.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .process_group import World, alone

RMS = 0.2  # of an update in the size of AdamW's (Liu et al. 2025)


class Muon(torch.optim.Muon):
    """torch's Muon with updates in the size of AdamW's, on CPU and GPU.

    The state is torch's too (`momentum_buffer`), so a run can go on with either.
    """

    def __init__(
        self, weights: list[Tensor], rate: float, weight_decay: float, momentum: float = 0.95,
        world: World | None = None,
    ) -> None:  # fmt: skip
        self._world = world or alone()
        super().__init__(weights, rate, weight_decay, momentum, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update of all matrices that have a gradient; a `closure` is torch's affair."""
        there = [group["params"][0].device.type for group in self.param_groups]
        if closure is not None or any(device != "cpu" for device in there):
            return super().step(closure)
        for group in self.param_groups:
            moved = [weight for weight in group["params"] if weight.grad is not None]
            ahead = [self._ahead(weight, weight.grad, group) for weight in moved]
            for weight, update in zip(moved, self._updates(ahead, group), strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-group["lr"] * RMS * max(weight.shape) ** 0.5)
        return None

    def _ahead(self, weight: Tensor, gradient: Tensor, group: dict) -> Tensor:
        """The momentum with this gradient in it."""
        state, momentum = self.state[weight], group["momentum"]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        gathered = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(gathered, momentum) if group["nesterov"] else gathered

    def _updates(self, ahead: list[Tensor], group: dict) -> list[Tensor]:
        """Each matrix orthogonalised, in one process; all processes have the results."""
        world, how = self._world, (group["ns_coefficients"], group["ns_steps"], group["eps"])
        owners = shared_out([_work(matrix, group["ns_steps"]) for matrix in ahead], world.size)
        updates = [
            orthogonal(matrix, *how) if owner == world.rank else torch.empty_like(matrix)
            for matrix, owner in zip(ahead, owners, strict=True)
        ]
        for rank in range(world.size if world.size > 1 else 0):
            theirs = [u for u, owner in zip(updates, owners, strict=True) if owner == rank]
            if theirs:
                together = torch.cat([update.flatten() for update in theirs])
                parts = world.tell(together, rank).split([update.numel() for update in theirs])
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
    result = tall if product is None else tall @ product
    return result if matrix.size(0) > matrix.size(1) else result.T
