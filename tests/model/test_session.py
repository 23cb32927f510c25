"""The model room: a step is a pure function, and a file that is not ours is refused in one line."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from segue_export.onnx_export.exporter import sealed
from segued.errors import ConfigError, DataError
from segued.model.session import FORMAT, Model
from segued.tokens.vocabulary import PERFORMANCE

from ..support.tiny import TINY, write_model

IDS = [360, 60, 280, 188, 300, 64, 256, 192]


@pytest.fixture(scope="module", params=["fp32", "int8", "fp16"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("model") / f"{request.param}.onnx"
    return Model.load(write_model(path, request.param))


def test_a_model_knows_what_it_is(model: Model) -> None:
    assert model.vocabulary is PERFORMANCE
    assert model.state_size == TINY.state_size == len(model.initial_state())
    assert model.initial_state().dtype == np.float32 and not model.initial_state().any()
    assert model.info["format"] == FORMAT
    assert model.info["fingerprint"] == PERFORMANCE.fingerprint
    assert model.info["precision"] in ("fp32", "int8", "fp16")
    assert model.info["network"]["layers"] == [16, 24, 8]
    assert model.info["training"] == {"data": [], "valid_nll": 3.25}
    assert model.info["licence"] == "MIT"


def test_a_step_gives_logits_and_a_state(model: Model) -> None:
    logits, state = model.step([60], model.initial_state())
    assert logits.shape == (len(PERFORMANCE),) and logits.dtype == np.float32
    assert state.shape == (model.state_size,) and state.dtype == np.float32
    assert np.ptp(logits) > 0.1 and state.any()


def test_states_are_values(model: Model) -> None:
    start = model.initial_state()
    logits, first = model.step([60], start)
    kept = logits.copy(), first.copy()
    model.step([61], first)
    again, same = model.step([60], start)
    assert not start.any()
    np.testing.assert_array_equal(logits, kept[0])
    np.testing.assert_array_equal(first, kept[1])
    np.testing.assert_array_equal(again, logits)
    np.testing.assert_array_equal(same, first)
    assert not np.shares_memory(same, first) and not np.shares_memory(again, logits)


def test_how_ids_are_cut_into_steps_changes_no_bit(model: Model) -> None:
    logits, state = model.step(IDS, model.initial_state())
    for cuts in ([1] * 8, [3, 5], [7, 1]):
        ids, after = iter(IDS), model.initial_state()
        for cut in cuts:
            last, after = model.step([next(ids) for _ in range(cut)], after)
        np.testing.assert_array_equal(last, logits)
        np.testing.assert_array_equal(after, state)


def test_run_is_many_steps_of_many_lanes(model: Model) -> None:
    tokens = np.array([IDS, IDS[::-1], [100] * 8])
    close = 1e-5 if model.info["precision"] == "fp32" else 0.05
    logits, states = model.run(tokens, np.zeros((3, model.state_size), np.float32))
    assert logits.shape == (3, 8, len(PERFORMANCE)) and states.shape == (3, model.state_size)
    for lane in range(3):
        state = model.initial_state()
        for i, id in enumerate(tokens[lane].tolist()):
            expected, state = model.step([id], state)
            np.testing.assert_allclose(
                logits[lane, i], expected, atol=close * float(np.ptp(expected))
            )
        np.testing.assert_allclose(states[lane], state, atol=close * 4)


def test_a_step_needs_an_id(model: Model) -> None:
    with pytest.raises(ValueError, match="at least one"):
        model.step([], model.initial_state())


def refused(path: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """The one line of the error; nothing else may be printed."""
    with pytest.raises(DataError) as error:
        Model.load(path)
    line = str(error.value)
    assert str(path) in line and "\n" not in line and error.value.status == 65
    assert capfd.readouterr() == ("", "")
    return line


def test_a_missing_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "no such model file" in refused(tmp_path / "none.onnx", capfd)
    assert "cannot be read" in refused(tmp_path, capfd)


@pytest.mark.parametrize("kept", [0, 1, 100, 5_000, 0.5, 0.99, -1])
def test_a_truncated_file(tmp_path: Path, capfd: pytest.CaptureFixture[str], kept: float) -> None:
    path = write_model(tmp_path / "short.onnx")
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    refused(path, capfd)


@pytest.mark.parametrize("data", [b"MThd" + bytes(200), b"{}", b"\xff" * 1000, bytes(1000)])
def test_no_onnx_file_at_all(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], data: bytes
) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(data)
    refused(path, capfd)


def test_a_changed_byte_does_not_fit_the_checksum(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Even where the file still loads and plays: a weight is another one."""
    path = write_model(tmp_path / "sealed.onnx")
    model = onnx.load(path)
    data = sealed(model)
    path.write_bytes(data)
    assert Model.load(path).info["checksum"] in data.decode("latin1")
    weight = next(t for t in model.graph.initializer if t.name == "embedding").raw_data
    where = data.index(weight) + 2
    path.write_bytes(data[:where] + bytes([data[where] ^ 1]) + data[where + 1 :])
    assert "damaged" in refused(path, capfd)


def test_sealing_again_changes_nothing(tmp_path: Path) -> None:
    data = sealed(onnx.load(write_model(tmp_path / "m.onnx")))
    assert sealed(onnx.load_from_string(data)) == data


@pytest.mark.parametrize("weight", ["dense.bias", "output.weight", "output.bias"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], weight: str, value: float
) -> None:
    """One is enough. (In an LSTM they do not show: its kernels clip; the export refuses those.)"""
    path = write_model(tmp_path / "nan.onnx")
    model = onnx.load(path)
    tensor = next(t for t in model.graph.initializer if t.name == weight)
    array = onnx.numpy_helper.to_array(tensor).copy()
    array.flat[-1] = value
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, weight))
    onnx.save(model, path)
    assert "NaN or infinite values" in refused(path, capfd)


@pytest.mark.slow
def test_any_damage_is_told_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, rng = write_model(tmp_path / "damaged.onnx"), np.random.default_rng(1)
    data = path.read_bytes()
    for i in range(200):
        damaged = bytearray(data)
        where = int(rng.integers(0, 3000)) if i % 2 else -int(rng.integers(1, 2000))
        damaged[where] = int(rng.integers(256))
        path.write_bytes(damaged)
        try:
            Model.load(path)  # some damage does not show
        except DataError as error:
            assert "\n" not in str(error)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"format": None}, "no Segue metadata"),
        ({"format": "segue 99"}, "'segue 99'"),
        ({"fingerprint": "0123456789abcdef", "vocabulary": "notes-326"}, "notes-326"),
        ({"training": None}, "incomplete"),
        ({"network": "{"}, "incomplete"),
        ({"state_size": "97"}, "contradict"),
    ],
)
def test_metadata_that_do_not_fit(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], metadata: dict[str, Any], told: str
) -> None:
    assert told in refused(write_model(tmp_path / "m.onnx", **metadata), capfd)


@pytest.mark.parametrize("output", ["other", "state_out"])
def test_another_graph(tmp_path: Path, capfd: pytest.CaptureFixture[str], output: str) -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], [output])],
        "other",
        [value("x", TensorProto.FLOAT, [1])],
        [value(output, TensorProto.FLOAT, [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "graph.onnx"
    onnx.save(model, path)
    assert "no Segue metadata" in refused(path, capfd)
    entries = {"format": FORMAT, "fingerprint": PERFORMANCE.fingerprint}
    onnx.helper.set_model_props(model, entries)
    onnx.save(model, path)
    assert "not a Segue model" in refused(path, capfd)


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx")
    for device in ("abacus", "cuda"):
        with pytest.raises(ConfigError, match="cpu"):
            Model.load(path, device=device)


def test_playing_needs_neither_torch_nor_onnx(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx")
    code = (
        "import sys; from segued.model.session import Model; Model.load(sys.argv[1]); "
        "sys.exit(any(m.split('.')[0] in ('torch', 'onnx', 'export') for m in sys.modules))"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(path)], check=True)
