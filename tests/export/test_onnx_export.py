"""A model file does what torch does, or it is not written."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from segue_export.latches import COUNT
from segue_export.onnx_export import exporter as room
from segue_export.onnx_export.exporter import TrainedRun, compare, export, performances, sample
from segue_export.onnx_export.graph import INT8_LIMIT, build, onnx_gates, quantize
from segued.errors import DataError
from segued.model.model_file import checksum
from segued.model.session import Model

from ..support.tiny import TINY, network, work, write_midi, write_model, write_run

PRECISIONS = ["fp32", "fp16", "int8"]
STEPS = 5000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_parity_over_a_long_carried_state(run: Path, tmp_path: Path, precision: str) -> None:
    parity = export(run, tmp_path / "m.onnx", precision, steps=STEPS)
    assert parity.steps == STEPS and parity.tokens == room.PARITY_ROWS * STEPS
    assert parity.logits < {"fp32": 1e-4, "fp16": 0.1, "int8": 10.0}[precision]
    assert parity.ratio == pytest.approx(
        1, abs={"fp32": 1e-6, "fp16": 1e-3, "int8": 0.01}[precision]
    )
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("time", [1, 7])
def test_every_lane_at_every_time_is_torchs(tmp_path: Path, batch: int, time: int) -> None:
    model, reference = Model.load(write_model(tmp_path / "m.onnx")), network()
    rng = np.random.default_rng(batch)
    tokens = rng.integers(0, 388, (batch, time))
    state = rng.normal(0, 0.5, (batch, model.state_size)).astype(np.float32)
    state[:, -COUNT:] = rng.integers(0, 2, (batch, COUNT))
    logits, after = model.run(tokens, state)
    with torch.no_grad():
        expected, expected_after = reference(torch.from_numpy(tokens), torch.from_numpy(state))
    np.testing.assert_allclose(logits, expected.numpy(), atol=2e-5)
    np.testing.assert_allclose(after, expected_after.numpy(), atol=2e-5)


def test_metadata_tell_the_story_but_no_paths(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "m.onnx", "int8", licence="CC0", steps=20)
    entries = {p.key: p.value for p in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert json.loads(entries["training"]) == {
        "data": ["some/train,jitter=8"], "tokens": 1234, "updates": 600, "tokens_seen": 5000,
        "valid_nll": 3.25,
    }  # fmt: skip
    assert entries["precision"] == "int8" and entries["licence"] == "CC0"
    assert entries["state_size"] == str(TINY.state_size)
    assert entries["checksum"] == checksum((tmp_path / "m.onnx").read_bytes(), entries["checksum"])


def test_the_same_run_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(run, tmp_path / name, "int8", steps=5)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("limits", [(1e-9, 1.0), (1e9, 1e-12)])
def test_a_file_that_differs_too_much_is_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: tuple[float, float]
) -> None:
    monkeypatch.setitem(room.LIMITS, "int8", limits)
    out = tmp_path / "m.onnx"
    out.write_bytes(b"an older model")
    with pytest.raises(DataError, match="no file written"):
        export(run, out, "int8", steps=50)
    assert out.read_bytes() == b"an older model"
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def test_parity_sees_a_wrong_weight(tmp_path: Path) -> None:
    model = Model.load(write_model(tmp_path / "m.onnx", seed=1))
    parity = compare(network(seed=2), model, sample(model, 2, 40))
    with pytest.raises(DataError):
        parity.check("fp32")


def test_the_comparison_prefers_real_music(tmp_path: Path) -> None:
    files = [write_midi(tmp_path / f"{i}.mid", work(i)) for i in range(3)]
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    real = TrainedRun.load(write_run(tmp_path / "run", valid=[tmp_path / "broken.mid", *files]))
    tokens = performances(real, None, 100)
    assert tokens is not None and tokens.shape == (room.PARITY_ROWS, 100)
    np.testing.assert_array_equal(tokens, performances(real, tmp_path, 100))
    assert performances(real, None, 10_000) is None
    with pytest.raises(DataError, match="the comparison needs"):
        performances(real, tmp_path, 10_000)


def test_runs_that_cannot_be_exported(tmp_path: Path) -> None:
    def told(folder: Path) -> str:
        with pytest.raises(DataError) as error:
            export(folder, tmp_path / "m.onnx", steps=5)
        assert str(folder) in str(error.value) and "\n" not in str(error.value)
        return str(error.value)

    assert "no run.json here" in told(tmp_path / "nowhere")
    folder = write_run(tmp_path / "run")
    (folder / "best.safetensors").write_bytes(b"cut")
    assert "broken" in told(folder)
    (folder / "best.safetensors").unlink()
    assert "no best.safetensors here" in told(folder)
    (write_run(folder) / "run.json").write_text("{}")
    assert "broken" in told(folder)
    described = {"network": TINY.to_dict() | {"layers": [9]}, "about": {}}
    (folder / "run.json").write_text(json.dumps(described))
    assert "does not fit" in told(folder)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_no_numbers_are_not_exported(tmp_path: Path, value: float) -> None:
    folder = write_run(tmp_path / "run")
    weights = network().state_dict()
    weights["lstms.1.weight_hh_l0"][3, 2] = value
    save_file(weights, folder / "best.safetensors")
    with pytest.raises(DataError, match=r"lstms\.1\.weight_hh_l0 holds NaN or infinite values"):
        export(folder, tmp_path / "m.onnx", steps=5)


def test_torchs_gates_in_onnxs_order() -> None:
    assert onnx_gates(np.array([10, 11, 20, 21, 30, 31, 40, 41])).tolist() == [
        10, 11, 40, 41, 20, 21, 30, 31,
    ]  # fmt: skip


def test_quantized_weights_are_near() -> None:
    weight = np.random.default_rng(0).normal(size=(30, 40)).astype(np.float32)
    weight[:, 3] = 0
    int8, scale = quantize(weight)
    assert int8.dtype == np.int8 and np.abs(int8).max() == INT8_LIMIT
    assert scale.dtype == np.float32 and scale.shape == (40,)
    assert (np.abs(int8 * scale - weight) <= scale / 2 + 1e-6).all()


def test_sizes_of_the_files(tmp_path: Path) -> None:
    bare = network(config=replace(TINY, latches=0))
    weights = {k: v.numpy() for k, v in bare.state_dict().items()}
    sizes = {p: len(build(weights, TINY.layers, p).SerializeToString()) for p in PRECISIONS}
    exact = weights["output.weight"].nbytes + weights["embedding.weight"].nbytes
    assert sizes["fp16"] < 0.6 * sizes["fp32"]
    assert sizes["int8"] - exact < 0.6 * (sizes["fp32"] - exact)
