"""A model of the player's own: from a model file, and called better only when it is."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from segue_export.__main__ import _parser, main
from segue_export.fine_tune import FEWEST, MOST, length
from segue_export.onnx_export.exporter import TrainedRun
from segue_export.onnx_export.reader import read_model
from segue_export.sources import gather, halves
from segue_export.validation import ValidationResult, Verdict, certain
from segued.errors import DataError, UsageError
from segued.model.session import Model

from ..support.tiny import TINY, network, scale_work, work, write_midi, write_model

PATTERNS = [(60, 64, 67, 72), (62, 66, 69, 76), (59, 62, 67, 71), (57, 60, 65, 74)]


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue_export.report.plot", lambda *about: None)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for i, pattern in enumerate(PATTERNS):
        write_midi(tmp_path / "mine" / f"{i}.mid", [*scale_work(pattern, 30)])
    for i in range(3):
        write_midi(tmp_path / "mine" / f"{i}-work.mid", work(i, 30))
    return tmp_path / "mine"


def further(corpus: Path, model: Path, run: Path, *more: str) -> list[str]:
    return [
        "train", "--from", str(model), "--data", str(corpus), "--out", str(run), "--tempo", "1-1",
        "--cache", str(run.parent / "prepared"), "--batch", "4", "--time", "32",
        "--threads", "1", *more,
    ]  # fmt: skip


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_weights_come_back_as_they_went(tmp_path: Path, precision: str) -> None:
    origin = read_model(write_model(tmp_path / "m.onnx", precision, seed=3))
    expected = network(3).state_dict()
    assert origin.network == TINY and origin.weights.keys() == expected.keys()
    for name, weight in expected.items():
        stored = weight.half().float() if precision == "fp16" else weight
        assert torch.equal(origin.weights[name], stored), name
    assert origin.about["model"] == "m.onnx" and origin.about["licence"] == "MIT"


def test_models_that_cannot_be_trained_further(tmp_path: Path) -> None:
    int8 = write_model(tmp_path / "my-int8.onnx", "int8")
    with pytest.raises(DataError, match="for playing only: give the fp32 file") as error:
        read_model(int8)
    assert "\n" not in str(error.value)
    fp32 = write_model(tmp_path / "my-fp32.onnx")
    with pytest.raises(DataError, match=r"give .*my-fp32\.onnx, which holds the same"):
        read_model(int8)
    with pytest.raises(DataError, match="no such model file"):
        read_model(tmp_path / "none.onnx")
    model = onnx.load(fp32)
    told = {entry.key: entry for entry in model.metadata_props}
    sizes = TINY.to_dict() | {"layers": [16, 24]}
    told["network"].value = json.dumps(sizes)
    told.get("checksum") and model.metadata_props.remove(told["checksum"])
    fp32.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match=r"do not fit its metadata|contradict|broken"):
        read_model(fp32)


def test_a_graph_that_means_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue_export.onnx_export.reader.torch_gates", lambda array: array)
    with pytest.raises(DataError, match="play something else"):
        read_model(write_model(tmp_path / "m.onnx"))


@pytest.mark.slow
def test_a_model_learns_the_music_of_its_player(
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, run = write_model(tmp_path / "m.onnx"), tmp_path / "own"
    arguments = further(corpus, model, run, "--updates", "40", "--learning-rate", "2e-2")
    arguments += ["--valid-share", "0.5", "--seed", "2"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "before" in shown and "\nbetter than m.onnx; to play with it:" in shown
    assert f"segue-export onnx {run} own.onnx" in shown
    assert "segued run --set model.path=own.onnx" in shown
    about = TrainedRun.load(run).about
    assert about["valid_nll"] < about["valid_nll_before"] - 0.1
    assert about["from"]["model"] == "m.onnx"
    assert about["from"]["training"]["valid_nll"] == 3.25
    assert main(["onnx", str(run), str(tmp_path / "own.onnx")]) == 0
    assert "trained further from m.onnx: validation" in capsys.readouterr().out
    told = Model.load(tmp_path / "own.onnx").info["training"]
    assert told["valid_nll_before"] == about["valid_nll_before"]
    assert read_model(tmp_path / "own.onnx").network.layers == TINY.layers
    monkeypatch.setattr("segue_export.fine_tune.validate", None)  # it is judged once
    assert main(arguments) == 0  # it is done: it says so again
    assert "\nbetter than m.onnx" in capsys.readouterr().out
    assert main([*arguments, "--valid-tokens", "100"]) == 64
    assert "other validation pieces" in capsys.readouterr().err


def test_what_judges_was_neither_heard_nor_chosen_by(corpus: Path, tmp_path: Path) -> None:
    options = _parser("default").parse_args(
        ["train", "--from", "m", "--data", str(corpus), "--out", "x", "--valid-share", "0.5",
         "--cache", str(tmp_path / "prepared"), "--workers", "1"]
    )  # fmt: skip
    music = gather(options, lambda line: None)
    assert music.test is not None
    heard = {name for part in music.components for name in part.pieces.names}
    chose, judged = set(music.valid.names), set(music.test.names)
    assert chose and judged and len(heard) + len(chose) + len(judged) == 7
    assert not heard & chose and not heard & judged and not chose & judged
    with pytest.raises(DataError, match="one composition alone is kept out"):
        halves(music.valid.select([0]), 1)


@pytest.mark.slow
def test_what_is_not_better_is_not_called_so(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, run = write_model(tmp_path / "m.onnx"), tmp_path / "own"
    arguments = further(corpus, model, run, "--learning-rate", "1e-7", "--validate-every", "2")
    assert main([*arguments, "--patience", "2", "--updates", "12"]) == 0
    assert "NOT better than m.onnx, the gain is too little" in capsys.readouterr().out
    kept = TrainedRun.load(run).weights
    for name, weight in network().state_dict().items():
        assert np.array_equal(kept[name], weight.numpy())
    assert main(["onnx", str(run), str(tmp_path / "own.onnx")]) == 0
    assert "NOT better than m.onnx" in capsys.readouterr().out


def test_a_model_trained_further_keeps_its_own_sizes(corpus: Path, tmp_path: Path) -> None:
    model, run = write_model(tmp_path / "m.onnx"), tmp_path / "own"
    assert main([*further(corpus, model, run), "--layers", "9"]) == 64
    assert main([*further(corpus, model, run, "--updates", "1")]) == 0
    other = write_model(tmp_path / "other.onnx")
    assert main([*further(corpus, other, run, "--updates", "2")]) == 64
    described = json.loads((run / "run.json").read_text())
    assert described["network"]["layers"] == list(TINY.layers)
    assert described["network"]["dropout"] == 0.1 and described["train"]["batch"] == 4


def test_a_run_is_as_long_as_the_corpus_asks() -> None:
    assert length(100, 16, 128) == FEWEST and length(10**9, 16, 128) == MOST
    assert length(100_000, 16, 128) == 293


def heard(nats: list[float], tokens: int = 100) -> ValidationResult:
    return ValidationResult(np.array([nats]).T, np.full((len(nats), 1), tokens))


def test_a_gain_must_be_more_than_chance_among_the_pieces() -> None:
    before = heard([200.0, 210.0, 190.0, 205.0])
    sure = Verdict.of(before, heard([190.0, 201.0, 179.0, 196.0]))
    assert sure.better and sure.gain == pytest.approx(0.0975) and sure.pieces == 4
    assert sure.error == pytest.approx(np.std([10, 9, 11, 9], ddof=1) / 100 / 2)
    by_chance = Verdict.of(before, heard([150.0, 230.0, 195.0, 215.0]))
    assert by_chance.gain == pytest.approx(0.0375) and not by_chance.better
    assert not Verdict.of(before, before).better
    assert not Verdict.of(before, heard([199.9, 209.9, 189.9, 204.9])).better, "sure, but nothing"
    assert not Verdict.of(before, heard([210.0, 220.0, 200.0, 215.0])).better
    assert Verdict.of(heard([200.0]), heard([190.0])).better
    two = Verdict.of(heard([200.0, 200.0]), heard([190.0, 197.0]))
    assert two.gain > 1.645 * two.error and not two.better, "of two pieces that is no proof"
    assert certain(2) > certain(5) > certain(1000) > 1.64
    assert certain(11) == pytest.approx(1.812, abs=0.003), "Student's t of 10 degrees, 95 %"


def test_the_witnesses_are_pieces_not_passages() -> None:
    """Passages of one piece gain together: ten of them prove no more than one."""
    tokens = np.full((3, 10), 100)
    before, gained = (
        ValidationResult(np.full((3, 10), 200.0), tokens),
        np.array([[9.0], [1.0], [5.0]]),
    )
    verdict = Verdict.of(before, ValidationResult(before.loss_sum - gained, tokens))
    assert verdict.error == pytest.approx(np.std([9, 1, 5], ddof=1) / 100 / np.sqrt(3))
    assert "standard error" not in str(Verdict.of(heard([200.0]), heard([190.0])))


def test_the_error_is_that_of_a_ratio() -> None:
    rng = np.random.default_rng(1)
    tokens = rng.integers(50, 400, (500, 4))
    lost = rng.normal(0.02, 0.3, (500, 4)) * tokens
    before = ValidationResult(2.0 * tokens, tokens)
    some = [
        Verdict.of(
            ValidationResult(before.loss_sum[i : i + 5], tokens[i : i + 5]),
            ValidationResult((before.loss_sum - lost)[i : i + 5], tokens[i : i + 5]),
        )
        for i in range(0, 500, 5)
    ]
    spread = np.std([verdict.gain for verdict in some])
    assert np.mean([verdict.error for verdict in some]) == pytest.approx(spread, rel=0.2)


def test_from_and_init_are_two_beginnings(corpus: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "m.onnx")
    arguments = [*further(corpus, model, tmp_path / "own"), "--init", "x"]
    assert main(arguments) == UsageError.status
