"""Muon for CPUs: torch's, with its Newton-Schulz iterations done where a matrix is small.

torch's orthogonalises in bfloat16, which few CPUs multiply fast, and multiplies the long side of a
gate matrix ten times. Here the iterations run on the Gram matrix of the short side, in the
gradient's own precision, and the long side is multiplied twice: the same polynomial of the same
gradient, three times as fast on a CPU (`tests/test_muon.py` holds the two together).
"""

from collections.abc import Callable

import torch
from torch import Tensor

RMS = 0.2  # of an update in the size of AdamW's (Liu et al. 2025)


class Muon(torch.optim.Muon):
    """torch's Muon with updates in the size of AdamW's, on CPU and GPU.

    The state is torch's too (`momentum_buffer`), so a run can go on with either.
    """

    def __init__(
        self, weights: list[Tensor], rate: float, weight_decay: float, momentum: float = 0.95
    ) -> None:
        super().__init__(weights, rate, weight_decay, momentum, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update of all matrices that have a gradient; a `closure` is torch's affair."""
        there = [group["params"][0].device.type for group in self.param_groups]
        if closure is not None or any(device != "cpu" for device in there):
            return super().step(closure)
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group)
        return None

    def _move(self, weight: Tensor, gradient: Tensor, group: dict) -> None:
        state, momentum = self.state[weight], group["momentum"]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        gathered = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        ahead = gradient.lerp(gathered, momentum) if group["nesterov"] else gathered
        update = orthogonal(ahead, group["ns_coefficients"], group["ns_steps"], group["eps"])
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(update, alpha=-group["lr"] * RMS * max(weight.shape) ** 0.5)


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
    product = torch.eye(len(gram), dtype=gram.dtype)
    for _ in range(steps):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = product @ factor
        gram = factor @ gram @ factor
    result = tall @ product
    return result if matrix.size(0) > matrix.size(1) else result.T
