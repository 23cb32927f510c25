"""Optimisers by name, and the moving average of the weights."""

from collections.abc import Callable

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from .config import TrainConfig
from .muon import Muon
from .process_group import World, alone

ADAMW_SHARE = 0.3  # of the learning rate, beside Muon


class Optimizer:
    """One or several of torch's optimisers over all weights of a network, stepped as one.

    A gradient scaler, which fp16 needs so that small gradients do not vanish, stands between; it
    passes everything through unless it is enabled.
    """

    def __init__(
        self, network: nn.Module, config: TrainConfig, scale: bool = False,
        world: World | None = None,
    ) -> None:  # fmt: skip
        self.parts = PARTS[config.optimizer](network, config, world or alone())
        self.scaler = torch.amp.GradScaler("cuda", enabled=scale)
        self._weights = list(network.parameters())
        self._clip, self._weight_decay = config.clip, config.weight_decay

    def step(self, loss: torch.Tensor, rate: float) -> None:
        """One update from a loss, at a learning rate; gradients are clipped and then forgotten."""
        self.scaler.scale(loss).backward()
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate * group.get("share", 1.0)
            self.scaler.unscale_(part)
        torch.nn.utils.clip_grad_norm_(self._weights, self._clip)
        for part in self.parts:
            self.scaler.step(part)
            part.zero_grad()
        self.scaler.update()

    def state_dict(self) -> dict:
        """As torch's optimisers."""
        return {
            "parts": [part.state_dict() for part in self.parts],
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        """As torch's optimisers, but the weight decay stays this one's."""
        for part, saved in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(saved)
            for group in part.param_groups:
                group["weight_decay"] = self._weight_decay
        if self.scaler.is_enabled() and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])


def _adamw(
    weights: list[nn.Parameter], config: TrainConfig, share: float = 1.0
) -> torch.optim.Optimizer:
    groups = [{"params": weights, "share": share}]
    return torch.optim.AdamW(
        groups, config.learning_rate, (0.9, 0.98), weight_decay=config.weight_decay, fused=True
    )


def _all_adamw(
    network: nn.Module, config: TrainConfig, world: World
) -> list[torch.optim.Optimizer]:
    return [_adamw(list(network.parameters()), config)]


def _muon(network: nn.Module, config: TrainConfig, world: World) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices inside, AdamW for embedding, biases and output.

    Its updates are orthogonalised, and scaled to the size of AdamW's (Liu et al. 2025). It bears
    several times AdamW's rate, so AdamW has a share of it.
    """
    inside, rest = [], []
    for name, weight in network.named_parameters():
        outside = name.startswith(("embedding", "output"))
        (inside if weight.ndim == 2 and not outside else rest).append(weight)
    muon = Muon(inside, config.learning_rate, config.weight_decay, world=world)
    return [muon, _adamw(rest, config, ADAMW_SHARE)]


def _rmsprop(network: nn.Module, config: TrainConfig, world: World) -> list[torch.optim.Optimizer]:
    """With the constants of Keras, as the classic tutorial has it."""
    return [
        torch.optim.RMSprop(
            network.parameters(), config.learning_rate, alpha=0.9, eps=1e-7,
            weight_decay=config.weight_decay,
        )
    ]  # fmt: skip


PARTS: dict[str, Callable[[nn.Module, TrainConfig, World], list[torch.optim.Optimizer]]] = {
    "adamw": _all_adamw, "muon": _muon, "rmsprop": _rmsprop,
}  # fmt: skip


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of a network whose weights follow its weights slowly: `update_parameters` moves it.

    The decay begins low, so that a short run is not weighed down by where it began.
    """

    def follow(slow: list[torch.Tensor], fast: list[torch.Tensor], _: object) -> None:
        count = int(copy.n_averaged)  # on the CPU, where nothing has to be waited for
        torch._foreach_lerp_(slow, fast, 1 - min(decay, (1 + count) / (10 + count)))

    copy = AveragedModel(network, multi_avg_fn=follow)
    for module in copy.modules():
        if isinstance(module, nn.LSTM):
            module.flatten_parameters()  # cuDNN wants one block, and copying tore it apart
    return copy
