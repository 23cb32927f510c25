"""A network that was widened does what the small one did, and learns with all that is new."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from segue_export.config import NetworkConfig
from segue_export.network import Network, TooSmallError, widened
from segue_export.onnx_export.reader import read_model
from segue_export.train_command import SHIPPED
from torch.nn import functional

from ..support.tiny import TINY

MORE = st.integers(0, 9)


@given(more=st.tuples(MORE, MORE), embedding=MORE, dense=MORE, seed=st.integers(0, 99))
def test_it_is_the_same_function(
    more: tuple[int, int], embedding: int, dense: int, seed: int
) -> None:
    torch.manual_seed(seed)
    small = Network(replace(TINY, layers=(5, 7), dropout=0.0)).eval()
    sizes = replace(small.config, layers=(5 + more[0], 7 + more[1]))
    sizes = replace(sizes, embedding=sizes.embedding + embedding, dense=sizes.dense + dense)
    large = Network(sizes).eval()
    large.load_state_dict(widened(small.state_dict(), large.state_dict()))
    tokens = torch.randint(0, TINY.vocabulary, (2, 30))
    with torch.no_grad():
        wanted, _ = small(tokens, small.initial_state(2))
        found, _ = large(tokens, large.initial_state(2))
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_all_that_is_new_learns() -> None:
    torch.manual_seed(1)
    small = Network(replace(TINY, layers=(5, 7), dropout=0.0, latches=0))
    large = Network(replace(small.config, layers=(9, 12), dense=small.config.dense + 3))
    begun = widened(small.state_dict(), large.state_dict())
    large.load_state_dict(begun)
    optimizer = torch.optim.SGD(large.parameters(), 1.0)
    tokens = torch.randint(0, TINY.vocabulary, (4, 31))
    for _ in range(6):  # from the last layer's new ways out down to the first layer's ways in
        logits, _ = large(tokens[:, :-1], large.initial_state(4))
        optimizer.zero_grad()
        functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
        optimizer.step()
    for name, weight in large.named_parameters():
        heard = weight != begun[name]
        if name == "embedding.weight":
            heard = heard[tokens[:, :-1].unique()]
        assert heard.float().mean() > 0.4, name  # what relu has shut stays


def test_the_shipped_model_is_widened() -> None:
    """What its card says of how to go on from it."""
    small = read_model(SHIPPED)
    large = Network(replace(small.network, layers=(264, 520, 272)))
    large.load_state_dict(widened(small.weights, large.state_dict()))
    tokens = torch.randint(0, small.network.vocabulary, (1, 50))
    reference = Network(small.network).eval()
    reference.load_state_dict(small.weights)
    with torch.no_grad():
        wanted, _ = reference(tokens, reference.initial_state(1))
        found, _ = large.eval()(tokens, large.initial_state(1))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        (replace(TINY, layers=tuple(n - 1 for n in TINY.layers)), "too large for"),
        (replace(TINY, layers=(*TINY.layers, 8)), "in one of the two networks only"),
        (replace(TINY, vocabulary=9, latches=0), "embedding.weight is"),
        (replace(TINY, latches=0), "the weights have latches"),
    ],
)
def test_what_does_not_fit_is_told(sizes: NetworkConfig, why: str) -> None:
    small = replace(TINY, latches=0) if sizes.vocabulary < TINY.vocabulary else TINY
    with pytest.raises(TooSmallError, match=why):
        widened(Network(small).state_dict(), Network(sizes).state_dict())
