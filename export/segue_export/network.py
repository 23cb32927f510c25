"""The network, with its state as a value, and the initial weights of a larger network.

Layers: embedding, LSTMs (256, 512, 256) with dropout after each, a dense layer of 256 with dropout,
a dense layer to the vocabulary. Latches (see `latches`) are concatenated to the inputs of the first
LSTM and of the last layer, except in the classic tutorial's network.

`forward(tokens, state) -> (logits, state)`: the state of a batch row is one vector, h1 c1 h2 c2 ...
and then the latches, as in the model file.
"""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from .beat import BeatLayer, added
from .config import NetworkConfig
from .latches import COUNT, effects, latched, latches_of, rules

GATES = 4  # of an LSTM, whose weights are that many blocks of rows


class Network(nn.Module):
    """A function of tokens and state."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        widths = [config.latches + config.embedding, *config.layers]
        self.lstms = nn.ModuleList(nn.LSTM(a, b, batch_first=True) for a, b in pairwise(widths))
        self.dense = nn.Linear(config.layers[-1], config.dense)
        self.output = nn.Linear(config.latches + config.dense, config.vocabulary)
        self.dropout = nn.Dropout(config.dropout)
        self.beat = BeatLayer(config.dense) if config.beat else None
        self.effects: Tensor | None
        does = torch.from_numpy(effects()) if config.latches else None
        self.register_buffer("effects", does, persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Orthogonal recurrent weights; the bias of forget gates is 1 (Jozefowicz et al. 2015)."""
        nn.init.normal_(self.embedding.weight, std=0.5)
        for lstm in self.lstms:
            assert isinstance(lstm, nn.LSTM)
            nn.init.orthogonal_(lstm.get_parameter("weight_hh_l0"))
            nn.init.xavier_uniform_(lstm.get_parameter("weight_ih_l0"))
            nn.init.zeros_(lstm.get_parameter("bias_hh_l0"))
            bias = nn.init.zeros_(lstm.get_parameter("bias_ih_l0"))
            bias.data[lstm.hidden_size : 2 * lstm.hidden_size] = 1.0
        if self.config.latches:
            weights, biases = map(torch.from_numpy, rules())
            self.output.weight.data[:, :COUNT] = weights
            self.output.bias.data += biases

    def initial_state(self, batch: int) -> Tensor:
        """The initial state (batch, S): zeros."""
        weight = self.output.weight
        return torch.zeros(batch, self.config.state_size, device=weight.device)

    def forward(
        self, tokens: Tensor, state: Tensor, last: bool = False, beat: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compute logits (batch, time, V) and the new state (batch, S).

        `tokens`: (batch, time) int64. `state`: (batch, S). `last`: only the logits after the last
        token, (batch, 1, V). `beat`: (batch, time, 3) as in the model file; None: unknown.
        """
        x = self.embedding(tokens)
        sizes = [size for layer in self.config.layers for size in (layer, layer)]
        *parts, before = state.split([*sizes, self.config.latches], dim=1)
        after: list[Tensor] = []
        if self.effects is not None:
            latches = latched(self.effects, tokens, before)
            x = torch.cat([latches, x], dim=2)
        for i, lstm in enumerate(self.lstms):
            h, c = parts[2 * i].unsqueeze(0), parts[2 * i + 1].unsqueeze(0)
            x, (h, c) = lstm(x, (h.to(x.dtype).contiguous(), c.to(x.dtype).contiguous()))
            after += [h[0].float(), c[0].float()]
            x = self.dropout(x)
        x = x[:, -1:] if last else x
        x = dense = self.dropout(functional.relu(self.dense(x)))
        if self.effects is not None:
            after.append(latches[:, -1])
            latches = latches[:, -1:] if last else latches
            x = torch.cat([latches.to(x.dtype), x], dim=2)
        logits = self.output(x)
        if self.beat is not None and beat is not None:
            beat = beat[:, -1:] if last else beat
            logits = added(logits, self.beat(dense.float(), beat))
        return logits, torch.cat(after, dim=1)

    def train_only(self, part: str) -> None:
        """Freeze all layers except `part`, one of PARTS_OF_THE_NETWORK."""
        for name, weight in self.named_parameters():
            weight.requires_grad_(name.startswith(f"{part}."))


class TooSmallError(ValueError):
    """A weight of the smaller network does not fit into the larger one."""


def widened(small: Mapping[str, Tensor], large: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the network `large` with which it computes the same function as `small`.

    After Chen et al., "Net2Net" (2016), but without copied units, whose gradients would stay equal.
    New units keep their random input weights; their weights to old units are 0.

    Both are state dicts of `Network` with the same number of layers; no layer of `large` is
    narrower. Where only `large` has latches, their rules are added to the output of `small`, and
    their weights into the LSTM are 0. Where only `large` has a beat layer, that keeps its initial
    weights, which have no effect. Raises TooSmallError if a weight does not fit.
    """
    heard = {name: large[name] for name in large.keys() - small.keys() if name.startswith("beat.")}
    small = {**small, **heard}
    if missing := sorted(small.keys() ^ large.keys()):
        raise TooSmallError(f"{missing[0]} is in one of the two networks only")
    small = _latched(small, large)
    return {name: _widened(name, small[name], large[name]) for name in large}


def _latched(small: Mapping[str, Tensor], large: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`small` with the columns of latches, which come first, if only `large` has latches."""
    small = dict(small)
    if latches_of(small) > latches_of(large):
        raise TooSmallError("the weights have latches, but the new network has none")
    if latches_of(small) == latches_of(large):
        return small
    weights, bias = map(torch.from_numpy, rules())
    small["output.weight"] = torch.cat([weights, small["output.weight"]], dim=1)
    small["output.bias"] = small["output.bias"] + bias
    heard = small["lstms.0.weight_ih_l0"]
    small["lstms.0.weight_ih_l0"] = torch.cat([heard.new_zeros(len(heard), COUNT), heard], dim=1)
    return small


def _widened(name: str, small: Tensor, large: Tensor) -> Tensor:
    """One matrix (out, in) or vector (out,), widened within each block of gates."""
    gates = GATES if name.startswith("lstms.") else 1
    fits = small.dim() == large.dim() and all(
        a <= b for a, b in zip(small.shape, large.shape, strict=True)
    )
    if not fits:
        raise TooSmallError(f"{name} is {_size(small)}, too large for {_size(large)}")
    blocks = zip(small.chunk(gates), large.chunk(gates), strict=True)
    return torch.cat([_filled(a, b) for a, b in blocks])


def _filled(small: Tensor, large: Tensor) -> Tensor:
    """`large` with `small` in its upper left corner and 0 from new units to old ones."""
    result = large.clone()
    old = slice(len(small))
    if small.dim() == 1:
        result[old] = small
    else:
        result[old] = 0
        result[old, : small.shape[1]] = small
    return result


def _size(weight: Tensor) -> str:
    return " x ".join(map(str, weight.shape))
