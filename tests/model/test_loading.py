"""Which device computes, and what is said of it; the library of a GPU is a fake here."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as raised
from segued.errors import DataError, DeviceError
from segued.model import loading
from segued.model import session as room
from segued.model.loading import load_model, model_path
from segued.model.session import Model
from segued.tools.render import repeatable

from ..support.fakes import settings
from ..support.tiny import write_model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_model(tmp_path / "m.onnx")


class Gpu:
    """onnxruntime on a machine with a GPU: sessions are the CPU's, device values the host's.

    `session(real)` may change a session of the GPU or fail; `made` holds how each was asked for.
    """

    def __init__(self, session: Callable[[Any], Any] = lambda real: real) -> None:
        self._session = session
        self.made: list[tuple[str, dict[str, str]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(onnxruntime, name)

    def get_available_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def preload_dlls(self) -> None:
        print("Failed to load libcudart.so")  # as the real one does

    def InferenceSession(  # noqa: N802
        self, data: bytes, options: Any, providers: list[Any], enable_fallback: int
    ) -> Any:
        provider, settings = providers[0]
        on_cpu: list[Any] = [("CPUExecutionProvider", {})]
        self.made.append((provider, settings))
        real = onnxruntime.InferenceSession(data, options, on_cpu, enable_fallback=enable_fallback)
        if provider == "CPUExecutionProvider":
            return real
        names = [provider, "CPUExecutionProvider"]
        on_gpu = SimpleNamespace(
            get_providers=lambda: names,
            get_outputs=real.get_outputs,
            io_binding=real.io_binding,
            run_with_iobinding=real.run_with_iobinding,
        )
        return self._session(on_gpu)

    @property
    def OrtValue(self) -> Any:  # noqa: N802
        make = onnxruntime.OrtValue.ortvalue_from_shape_and_type
        return SimpleNamespace(
            ortvalue_from_shape_and_type=lambda shape, dtype, device, id: make(shape, dtype, "cpu")
        )


def use(monkeypatch: pytest.MonkeyPatch, gpu: Gpu) -> Gpu:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", gpu)
    return gpu


def load(path: Path, device: str) -> tuple[Model, list[str]]:
    said: list[str] = []
    config = settings(f"model.path={path}", f"inference.device={device}")
    model = load_model(config, said.append)
    assert isinstance(model, Model)
    return model, said


def faster(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setattr(loading, "step_time", lambda model: 0.5 + (model.device != device))


def test_the_cpu_as_asked_for(path: Path) -> None:
    model, said = load(path, "cpu")
    assert model.device == "cpu" and said == ["the model runs on cpu: as asked for"]


def test_without_cuda_auto_takes_the_cpu_and_says_why(path: Path) -> None:
    model, said = load(path, "auto")
    assert model.device == "cpu" and len(said) == 1
    assert "cpu" in said[0] and "onnxruntime-gpu" in said[0] and "\n" not in said[0]


def test_without_cuda_cuda_is_refused(path: Path) -> None:
    with pytest.raises(DeviceError, match="has only cpu") as error:
        load(path, "cuda")
    assert error.value.status == 78 and "\n" not in str(error.value)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_auto_takes_the_faster(
    path: Path, monkeypatch: pytest.MonkeyPatch, device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu = use(monkeypatch, Gpu())
    faster(monkeypatch, device)
    model, said = load(path, "auto")
    assert model.device == device
    assert said == [
        f"the model runs on {device}: 500.00 ms a step, "
        f"{'cpu' if device == 'cuda' else 'cuda'} 1500.00 ms"
    ]
    assert ("CUDAExecutionProvider", {"device_id": "0", "use_tf32": "0"}) in gpu.made
    assert capsys.readouterr().out == "", "what the library prints is kept back"


def test_on_the_gpu_it_plays_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, state = Model.load(path).step((60, 300, 64), Model.load(path).initial_state())
    use(monkeypatch, Gpu())
    model, _ = load(path, "cuda")
    assert model.device == "cuda"
    logits, after = model.step((60, 300, 64), model.initial_state())
    np.testing.assert_array_equal(logits, expected)
    np.testing.assert_array_equal(after, state)


def not_started(session: Any) -> Any:
    session.get_providers = lambda: ["CPUExecutionProvider"]
    return session


def out_of_memory(session: Any) -> Any:
    def run(binding: Any) -> None:
        raise raised.RuntimeException("Failed to allocate memory\nfor requested buffer")

    session.run_with_iobinding = run
    return session


def no_driver(session: Any) -> Any:
    raise raised.EPFail("CUDA failure 35: CUDA driver version is insufficient")


def wrong_numbers(session: Any) -> Any:
    right = session.run_with_iobinding

    def run(binding: Any) -> None:
        right(binding)
        logits = binding.get_outputs()[0]
        logits.update_inplace(np.full(logits.shape(), np.nan, np.float32))

    session.run_with_iobinding = run
    return session


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (not_started, "could not start it"),
        (out_of_memory, "Failed to allocate memory for requested buffer"),
        (no_driver, "driver version is insufficient"),
        (wrong_numbers, "differ from the CPU's"),
    ],
)
def test_a_gpu_in_trouble(
    path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Callable[[Any], Any], told: str
) -> None:
    use(monkeypatch, Gpu(trouble))
    model, said = load(path, "auto")
    assert model.device == "cpu" and len(said) == 1
    assert told in said[0] and "\n" not in said[0]
    with pytest.raises(DeviceError, match=told) as error:
        load(path, "cuda")
    assert "\n" not in str(error.value) and error.value.status == 78


def test_int8_stays_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Gpu())
    path = write_model(tmp_path / "int8.onnx", "int8")
    model, said = load(path, "auto")
    assert model.device == "cpu" and "int8" in said[0]
    with pytest.raises(DeviceError, match="only the CPU computes"):
        load(path, "cuda")


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_broken_file_is_the_files_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    use(monkeypatch, Gpu())
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(DataError, match="cannot load it"):
        load(path, device)


def test_the_shipped_file_for_each_device() -> None:
    config = settings()
    assert model_path(config).name == "segue-int8.onnx"
    assert model_path(config, "cuda").name == "segue-fp32.onnx"
    assert model_path(config).exists() and model_path(config, "cuda").exists()
    own = settings("model.path=mine.onnx")
    assert model_path(own) == model_path(own, "cuda") == Path("mine.onnx")


def test_what_must_repeat_takes_no_timed_choice() -> None:
    assert repeatable(settings()).inference.device == "cpu"
    assert repeatable(settings("inference.device=cuda")).inference.device == "cuda"


def test_the_time_of_a_step_is_measured(path: Path) -> None:
    model = Model.load(path)
    assert 0 < loading.step_time(model, 0.001) < 0.1


def test_names_of_devices_are_those_of_the_option() -> None:
    for device in room.PROVIDERS:
        assert settings(f"inference.device={device}").inference.device == device
