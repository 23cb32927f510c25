"""Evaluation: the same figures as adding them up token by token, whatever the batching."""

import json
import math

import numpy as np
import pytest
from segue_export.corpus.pieces import Pieces, join
from segue_export.judge import evaluate as room
from segue_export.judge.baselines import Baseline
from segue_export.judge.bootstrap import interval_of_ratio
from segue_export.judge.evaluate import evaluate, unigram
from segued.model.session import Model

from ..support.tiny import pieces_of, work, write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model.load(write_model(tmp_path_factory.mktemp("model") / "m.onnx"))


def by_hand(model: Model, pieces: Pieces) -> float:
    """Sum of -log p over each piece's tokens but its first, one step at a time."""
    nats = 0.0
    for piece in pieces:
        state = model.initial_state()
        for id, following in zip(piece[:-1].tolist(), piece[1:].tolist(), strict=True):
            logits, state = model.step([id], state)
            chances = np.exp(logits.astype(np.float64))
            nats -= math.log(chances[following] / chances.sum())
    return nats


@pytest.mark.parametrize("lanes", [1, 3, 16])
@pytest.mark.parametrize("window", [7, 256])
def test_nats_are_what_they_are_by_hand(
    model: Model, monkeypatch: pytest.MonkeyPatch, lanes: int, window: int
) -> None:
    monkeypatch.setattr(room, "ROWS", lanes)
    monkeypatch.setattr(room, "WINDOW", window)
    pieces = pieces_of([work(i, length) for i, length in enumerate([1, 30, 7, 22])])
    result = evaluate(model, pieces)
    assert result.nats == pytest.approx(by_hand(model, pieces), rel=1e-6)
    assert result.files == 4 and result.broken == 0
    assert result.tokens == len(pieces.tokens) - 4
    assert result.notes == int((pieces.tokens < 128).sum())


def test_what_is_printed(model: Model) -> None:
    pieces = pieces_of([work(1, 10), work(2, 12)])
    pieces.broken.append("c.mid: cut short")
    result = evaluate(model, pieces)
    values = result.to_dict()
    assert values["nats_per_token"] == result.nats / result.tokens
    assert values["nats_per_note"] == result.nats / result.notes
    assert values["nats_per_token_low"] <= values["nats_per_token"] <= values["nats_per_token_high"]
    assert values["tokens"] == result.tokens and values["notes"] == result.notes
    assert values["files"] == 2 and values["broken"] == 1
    assert values["unigram_nats_per_token"] == pytest.approx(
        unigram(np.concatenate([piece[1:] for piece in pieces]))
    )
    assert 0 < values["unigram_nats_per_token"] < math.log(388)
    json.dumps(values)


def test_nats_by_kind_and_file_add_up(model: Model) -> None:
    pieces = pieces_of([work(i, length) for i, length in enumerate([9, 30, 17])])
    result = evaluate(model, pieces)
    assert result.kind_nats.sum() == pytest.approx(result.nats)
    assert result.kind_tokens.sum() == result.tokens
    for i, piece in enumerate(pieces):
        alone = evaluate(model, join(["x"], [piece]))
        assert result.file_nats[i] == pytest.approx(alone.nats, rel=1e-5)
        assert result.file_tokens[i] == alone.tokens


def test_against_a_baseline(model: Model) -> None:
    pieces = pieces_of([work(i, length) for i, length in enumerate([9, 30, 17])])
    plain = evaluate(model, pieces)
    worse = Baseline(
        "worse", "half a nat worse, everywhere", plain.file_nats + plain.file_tokens / 2
    )
    row = evaluate(model, pieces, [worse]).to_dict()["baselines"]["worse"]
    assert row["gain"] == pytest.approx(0.5)
    assert row["gain_low"] == pytest.approx(0.5) and row["gain_high"] == pytest.approx(0.5)
    assert row["low"] < row["nats_per_token"] < row["high"]


def test_intervals_shrink_with_the_number_of_files() -> None:
    rng = np.random.default_rng(1)
    few, many = (rng.normal(3.0, 1.0, files) for files in (10, 1000))
    for values in (few, many):
        low, high = interval_of_ratio(values, np.ones(len(values)))
        width = 2 * 1.96 * values.std() / math.sqrt(len(values))
        assert low < values.mean() < high
        assert high - low == pytest.approx(width, rel=0.1)
    assert all(map(math.isnan, interval_of_ratio(np.array([1.0]), np.array([0.0]))))


def test_pieces_of_one_token_have_nothing_to_predict(model: Model) -> None:
    one = join(["a", "b"], [np.array([60], np.uint16), np.array([60, 188], np.uint16)])
    assert evaluate(model, one).tokens == 1


def test_unigram_entropy() -> None:
    assert unigram(np.array([7, 7, 7])) == 0
    assert unigram(np.array([1, 2, 3, 4] * 5)) == pytest.approx(math.log(4))
