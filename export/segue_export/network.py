"""The network: the seed's recipe with its state as a value.

Embedding, LSTM layers (256, 512, 256) with dropout after each, a dense layer of 256 with dropout,
a dense layer to the vocabulary; beside them, unless it is the seed's own, the latches (`latches`).
`forward(tokens, state) -> (logits, state)`: all layers' h and c are one vector per batch row, in
the order h1 c1 h2 c2 ... and then the latches, as in the model file.
"""

from dataclasses import asdict, dataclass
from itertools import pairwise

import torch
from segued.tokens.vocabulary import PERFORMANCE
from torch import Tensor, nn
from torch.nn import functional

from .latches import COUNT, effects, latched, rules


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes, and dropout as a probability. `vocabulary` is the number of token ids, `latches` how
    many there are: `latches.COUNT`, or 0 for none."""

    vocabulary: int = len(PERFORMANCE)
    embedding: int = 128
    layers: tuple[int, ...] = (256, 512, 256)
    dense: int = 256
    dropout: float = 0.3
    latches: int = 0

    @property
    def state_size(self) -> int:
        """Floats in the state of one batch row."""
        return 2 * sum(self.layers) + self.latches

    def to_dict(self) -> dict:
        """Plain values for JSON and checkpoints."""
        return asdict(self) | {"layers": list(self.layers)}

    @classmethod
    def from_dict(cls, values: dict) -> "NetworkConfig":
        """The inverse of `to_dict`."""
        return cls(**(values | {"layers": tuple(values["layers"])}))


class Network(nn.Module):
    """The LSTM as a function of tokens and state."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        widths = [config.latches + config.embedding, *config.layers]
        self.lstms = nn.ModuleList(nn.LSTM(a, b, batch_first=True) for a, b in pairwise(widths))
        self.dense = nn.Linear(config.layers[-1], config.dense)
        self.output = nn.Linear(config.latches + config.dense, config.vocabulary)
        self.dropout = nn.Dropout(config.dropout)
        does = torch.from_numpy(effects()) if config.latches else None
        self.register_buffer("effects", does, persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Orthogonal recurrent weights; forget gates begin open (Jozefowicz et al. 2015)."""
        nn.init.normal_(self.embedding.weight, std=0.5)
        for lstm in self.lstms:
            nn.init.orthogonal_(lstm.weight_hh_l0)
            nn.init.xavier_uniform_(lstm.weight_ih_l0)
            nn.init.zeros_(lstm.bias_hh_l0)
            nn.init.zeros_(lstm.bias_ih_l0)
            lstm.bias_ih_l0.data[lstm.hidden_size : 2 * lstm.hidden_size] = 1.0
        if self.config.latches:
            weights, bias = map(torch.from_numpy, rules())
            self.output.weight.data[:, :COUNT] = weights
            self.output.bias.data += bias

    def initial_state(self, batch: int) -> Tensor:
        """Zeros, (batch, S)."""
        weight = self.output.weight
        return torch.zeros(batch, self.config.state_size, device=weight.device)

    def forward(self, tokens: Tensor, state: Tensor, last: bool = False) -> tuple[Tensor, Tensor]:
        """Tokens (batch, time) int64, state (batch, S) to logits (batch, time, V), state.

        `last`: only the logits after the last token, (batch, 1, V).
        """
        x = self.embedding(tokens)
        sizes = [size for layer in self.config.layers for size in (layer, layer)]
        *parts, before = state.split([*sizes, self.config.latches], dim=1)
        after: list[Tensor] = []
        if self.config.latches:
            latches = latched(self.effects, tokens, before)
            x = torch.cat([latches, x], dim=2)
        for i, lstm in enumerate(self.lstms):
            h, c = parts[2 * i].unsqueeze(0), parts[2 * i + 1].unsqueeze(0)
            x, (h, c) = lstm(x, (h.to(x.dtype).contiguous(), c.to(x.dtype).contiguous()))
            after += [h[0].float(), c[0].float()]
            x = self.dropout(x)
        x = x[:, -1:] if last else x
        x = self.dropout(functional.relu(self.dense(x)))
        if self.config.latches:
            after.append(latches[:, -1])
            latches = latches[:, -1:] if last else latches
            x = torch.cat([latches.to(x.dtype), x], dim=2)
        return self.output(x), torch.cat(after, dim=1)
