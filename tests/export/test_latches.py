"""What stands beside the LSTMs is what the tokens say, and what cannot come is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from segue_export.latches import (
    COUNT,
    LOUDNESS,
    PITCHES,
    SHIFTED,
    STRUCK,
    UNLIKELY,
    effects,
    latched,
    rules,
)
from segue_export.network import Network, widened
from segue_export.onnx_export.reader import read_model
from segued.generation.constraints import Constraints
from segued.model.session import Model
from segued.tokens.events import Event
from segued.tokens.tokenizer import encode
from segued.tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, TIME_SHIFT, VELOCITY

from ..support.tiny import TINY, network, work, write_model
from ..tokens.test_tokenizer import finished_performances

ANYTHING = st.lists(st.integers(0, len(PERFORMANCE) - 1), min_size=1, max_size=60)
EFFECTS = torch.from_numpy(effects())


def after_each(ids: list[int], before: torch.Tensor | None = None) -> np.ndarray:
    """(tokens, COUNT)."""
    before = torch.zeros(1, COUNT) if before is None else before
    return latched(EFFECTS, torch.tensor([ids]), before)[0].numpy()


def one_by_one(ids: list[int], stands: np.ndarray) -> np.ndarray:
    """The same in plain words."""
    rows, stands = [], stands.copy()
    for id in ids:
        kind, value = PERFORMANCE.token(id)
        stands[[SHIFTED, LOUDNESS]] = 0
        if kind == NOTE_ON:
            stands[[value, STRUCK]] = 1
        elif kind == NOTE_OFF:
            stands[value] = 0
        elif kind == TIME_SHIFT:
            stands[STRUCK], stands[SHIFTED] = 0, value < PERFORMANCE.max_shift()
        else:
            stands[PITCHES:STRUCK] = 0
            stands[[PITCHES + value, LOUDNESS]] = 1
        rows.append(stands.copy())
    return np.array(rows)


@given(ids=ANYTHING, before=st.integers(0, 99), cut=st.integers(0, 60))
def test_they_follow_any_tokens(ids: list[int], before: int, cut: int) -> None:
    """Whatever stood before, and however the tokens are cut into windows."""
    stood = np.random.default_rng(before).integers(0, 2, COUNT).astype(np.float32)
    found = after_each(ids, torch.from_numpy(stood)[None])
    np.testing.assert_array_equal(found, one_by_one(ids, stood))
    first, rest = ids[:cut], ids[cut:]
    if first and rest:
        carried = torch.from_numpy(found[cut - 1])[None]
        np.testing.assert_array_equal(after_each(rest, carried), found[cut:])


@given(events=finished_performances())
def test_what_the_encoder_writes_is_never_unlikely(events: list[Event]) -> None:
    ids = encode(events)
    if len(ids) > 1:
        weights, bias = rules()
        costs = after_each(ids) @ weights.T + bias
        assert (costs[np.arange(len(ids) - 1), ids[1:]] == 0).all()
        assert not after_each(ids)[-1, :PITCHES].any()  # all that sounded has ended


@given(events=finished_performances())
def test_what_is_unlikely_the_grammar_forbids(events: list[Event]) -> None:
    """What the daemon lets no reply do, the network knows, but for rules of replies alone."""
    ids = encode(events)
    weights, bias = rules()
    grammar = Constraints(PERFORMANCE)
    for id, stands in zip(ids, after_each(ids) if ids else (), strict=True):
        grammar.accept(id)
        unlikely = stands @ weights.T + bias < -UNLIKELY / 2
        assert np.isinf(grammar.bias[unlikely]).all()


@pytest.mark.parametrize("precision", ["fp32", "int8", "fp16"])
@pytest.mark.parametrize("window", [1, 7, 40])
def test_a_model_file_has_them_too(tmp_path: Path, precision: str, window: int) -> None:
    """Also of tokens that no encoder writes: set twice is set, and cleared at once."""
    model = Model.load(write_model(tmp_path / "m.onnx", precision))
    rng = np.random.default_rng(window)
    tokens = rng.choice([60, 60, 61, 188, 189, 300, 355, 360, 361], (2, 40))
    state = np.zeros((2, model.state_size), np.float32)
    for start in range(0, 40, window):
        _, state = model.run(tokens[:, start : start + window], state)
    wanted = [one_by_one(row.tolist(), np.zeros(COUNT, np.float32))[-1] for row in tokens]
    np.testing.assert_array_equal(state[:, -COUNT:], wanted)


def test_a_note_that_sounds_does_not_begin() -> None:
    """A network that has learned nothing yet knows what cannot come."""
    torch.manual_seed(1)
    made = Network(TINY).eval()
    with torch.no_grad():
        logits, _ = made(torch.tensor([[370, 60, 64, 260]]), made.initial_state(1))
    chances = torch.softmax(logits[0, -1], 0)
    on, off = PERFORMANCE.ids(NOTE_ON), PERFORMANCE.ids(NOTE_OFF)
    assert chances[[on[60], on[64]]].max() < 1e-4 < chances[[on[62], off[60], off[64]]].min()
    assert chances[off[62]] < 1e-4
    assert chances[list(PERFORMANCE.ids(TIME_SHIFT))].max() < 1e-4  # one of 5 steps went before
    assert chances[PERFORMANCE.id(VELOCITY, 14)] < 1e-4 < chances[PERFORMANCE.id(VELOCITY, 15)]


def test_a_model_without_them_plays_and_is_trained_further(tmp_path: Path) -> None:
    """Files from before there were any; with `--init` they get them."""
    bare = replace(TINY, latches=0)
    path = write_model(tmp_path / "old.onnx", sizes=bare)
    assert Model.load(path).state_size == bare.state_size == TINY.state_size - COUNT
    origin = read_model(path)
    assert origin.network == bare
    made = Network(TINY).eval()
    made.load_state_dict(widened(origin.weights, made.state_dict()))
    old = network(config=bare)
    tokens = torch.tensor([encode(work(3))])
    weights, bias = map(torch.from_numpy, rules())
    with torch.no_grad():
        wanted, _ = old(tokens, old.initial_state(1))
        found, after = made(tokens, made.initial_state(1))
    stands = latched(EFFECTS, tokens, torch.zeros(1, COUNT))
    torch.testing.assert_close(found, wanted + stands @ weights.T + bias, atol=1e-4, rtol=1e-4)
    assert torch.equal(after[:, -COUNT:], stands[:, -1])
