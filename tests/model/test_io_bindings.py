"""Buffers bound once: every row is what a step gives, and a device is sent only what it lacks.

There is no GPU here. What a device does is shown with onnxruntime's own device values in the host's
memory, through the very code that runs on CUDA.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from segued.model.io_bindings import DeviceRows
from segued.model.session import Model

from ..support.tiny import write_model

IDS = [360, 60, 280, 188, 300, 64, 256, 192]


@pytest.fixture(scope="module", params=["fp32", "int8", "fp16"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "m.onnx", request.param)


def value_here(shape: tuple[int, ...], dtype: type) -> Any:
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, dtype, "cpu", 0)


def on_device(path: Path) -> Model:
    """A model that believes that its buffers are a device's."""
    host = Model.load(path)
    return Model(host._session, host.info, "cuda", value_here)


@pytest.mark.parametrize("make", [Model.load, on_device])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_each_row_is_a_step_of_its_own(path: Path, make: Any, count: int) -> None:
    single, model = Model.load(path), make(path)
    close = 1e-5 if model.info["precision"] != "int8" else 0.05
    states = [model.initial_state() for _ in range(count)]
    expected = list(states)
    for turn in range(5):
        ids = [IDS[(turn + row) % len(IDS)] for row in range(count)]
        logits, states = model.step_many(ids, states)
        assert logits.shape == (count, 388) and len(states) == count
        for row, id in enumerate(ids):
            one, expected[row] = single.step((id,), expected[row])
            np.testing.assert_allclose(logits[row], one, atol=close * float(np.ptp(one)))
            np.testing.assert_allclose(states[row], expected[row], atol=4 * close)


@pytest.mark.parametrize("make", [Model.load, on_device])
def test_rows_are_fresh_values(path: Path, make: Any) -> None:
    model = make(path)
    start = [model.initial_state(), model.initial_state()]
    logits, states = model.step_many([60, 64], start)
    kept = logits.copy(), [state.copy() for state in states]
    model.step_many([70, 74], states)
    model.step_many([10, 20], [states[1], states[0]])
    assert not start[0].any()
    np.testing.assert_array_equal(logits, kept[0])
    np.testing.assert_array_equal(states, kept[1])
    np.testing.assert_array_equal(model.step_many([60, 64], start)[0], logits)


def test_a_device_gives_what_the_host_gives(path: Path) -> None:
    """Going on, going back, and going on from there: bit for bit, as it is the same kernel here."""
    host, device = Model.load(path), on_device(path)
    back = None
    state = other = host.initial_state()
    for i, id in enumerate(IDS * 3):
        logits, state = host.step((id, IDS[i % 5]), state)
        same, other = device.step((id, IDS[i % 5]), other)
        np.testing.assert_array_equal(same, logits)
        np.testing.assert_array_equal(other, state)
        if i == 4:
            back = state, other
        if i == 10 and back is not None:
            state, other = back


def test_a_state_stays_on_the_device_until_it_is_gone_back_to(path: Path) -> None:
    model = on_device(path)
    step = model._device_step
    assert isinstance(step, DeviceRows)
    sent, state = step.sent, model.initial_state()
    _, first = model.step(IDS, state)
    assert step.sent == sent + 1
    _, second = model.step((60,), first)
    _, third = model.step((61, 62), second)
    assert step.sent == sent + 1, "it was there already"
    model.step((60,), first)
    assert step.sent == sent + 2, "gone back"
    model.step((60,), third.copy())
    assert step.sent == sent + 3, "an equal array is not known to be the same"


def test_after_a_failure_nothing_is_taken_to_be_on_the_device(path: Path) -> None:
    """A call that fails half-way may have left anything in the buffers."""
    model = on_device(path)
    step = model._device_step
    assert step is not None
    _, state = model.step((60,), model.initial_state())
    expected = model.step((61,), state)[0]
    _, state = model.step((60,), model.initial_state())
    run, calls = step._run, []

    def fails(binding: Any) -> None:
        calls.append(binding)
        run(binding)
        if len(calls) == 1:
            raise RuntimeError("out of memory")

    step._run = fails
    with pytest.raises(RuntimeError):
        model.step((99,), state)
    np.testing.assert_array_equal(model.step((61,), state)[0], expected)
