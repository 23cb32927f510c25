"""A larger network that begins as a smaller one: the same function, with room to learn more.

After Chen et al., "Net2Net" (2016), but without copies of units, which would stay twins: the new
units of a layer keep the random weights that they were made with and hear the old ones, and nothing
old hears them yet. Their ways out are 0 and the first to learn; all else follows.

Where the larger one has latches and the smaller one has not, their rules are added to what it says,
and nothing inside hears them yet.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from .latches import COUNT, latches_of, rules

GATES = 4  # of an LSTM: its weights are as many blocks, one under the other


class TooSmallError(ValueError):
    """A weight that would have to shrink, or that one of the two networks does not have."""


def widened(small: Mapping[str, Tensor], large: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a new network, `large`, so that it does what `small` does.

    Both are state dicts of `Network`, with as many layers; each width of `large` is that of `small`
    or more. TooSmallError where it is not so.
    """
    if missing := sorted(small.keys() ^ large.keys()):
        raise TooSmallError(f"{missing[0]} is in one of the two networks only")
    small = _latched(small, large)
    return {name: _widened(name, small[name], large[name]) for name in large}


def _latched(small: Mapping[str, Tensor], large: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`small` with latches, if `large` has some and it has none: their columns come first."""
    small = dict(small)
    if latches_of(small) > latches_of(large):
        raise TooSmallError("it has latches, which the new network is not to have")
    if latches_of(small) == latches_of(large):
        return small
    weights, bias = map(torch.from_numpy, rules())
    small["output.weight"] = torch.cat([weights, small["output.weight"]], dim=1)
    small["output.bias"] = small["output.bias"] + bias
    heard = small["lstms.0.weight_ih_l0"]
    small["lstms.0.weight_ih_l0"] = torch.cat([heard.new_zeros(len(heard), COUNT), heard], dim=1)
    return small


def _widened(name: str, small: Tensor, large: Tensor) -> Tensor:
    """One matrix (out, in) or vector (out,), the blocks of gates each by itself."""
    gates = GATES if name.startswith("lstms.") else 1
    fits = small.dim() == large.dim() and all(
        a <= b for a, b in zip(small.shape, large.shape, strict=True)
    )
    if not fits:
        raise TooSmallError(f"{name} is {_size(small)}, too large for {_size(large)}")
    blocks = zip(small.chunk(gates), large.chunk(gates), strict=True)
    return torch.cat([_filled(a, b) for a, b in blocks])


def _filled(small: Tensor, large: Tensor) -> Tensor:
    """What is old in the corner, 0 from new units to old ones, and the rest as it was made."""
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
