"""A model file as a function of tokens and state. No other module imports onnxruntime.

The file is an ONNX graph with inputs `tokens` int64 (batch, time) and `state` float32 (batch, S),
outputs `logits` float32 (batch, time, V) and `state_out` float32 (batch, S). It may have a third
input, `beat` float32 (batch, time, 3): the beat after each token (see `timing.beat_grid`), zeros if
it is unknown, in which case the logits are exactly those without it. The file's metadata has its
training data and its vocabulary. A file is refused if these do not match, if it is damaged or if
its outputs are not finite.

It runs on the CPU, or on CUDA where an onnxruntime-gpu finds it. There the state stays on the
device from one step to the next (`DeviceRows`). CUDA graphs are not used: onnxruntime's LSTM copies
the lengths of its sequences from a host buffer of the call (`cudnn_rnn_base.cc`), which a captured
graph would go on reading after it was freed.
"""

import contextlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Floats
from ..errors import DataError, DeviceError
from ..timing.beat_grid import UNKNOWN, Beat
from ..tokens.chord_vocabulary import ChordVocabulary
from ..tokens.vocabulary import PERFORMANCE, Vocabulary
from .io_bindings import DeviceRows, HostRows, HostStep, Rows
from .model_file import BEAT, FORMAT, check, read

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
"""Read by onnxruntime (1.32 on Linux) on import. Otherwise it keeps a database of its use in
~/.cache, with a separate thread, to send it to its makers."""

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""Names of devices, and what onnxruntime calls the one who computes there."""

DEVICE_LIMIT = 0.1  # in a logit, after a few steps; fp16 differs by a hundredth
_PROVIDER_OPTIONS = {"cuda": {"device_id": "0", "use_tf32": "0"}}  # fp32 is to be fp32
_FATAL_ONLY = 4  # onnxruntime's severity: its messages are in our error line instead

__all__ = ["FORMAT", "PROVIDERS", "Model"]

Ids = npt.NDArray[np.int64]


class Model:
    """A loaded model. `step` and `run` are pure: all state is in the arguments and results.

    `vocabulary` is the vocabulary it is played with, `state_size` the S of its state, `device`
    where it computes, `takes_beat` whether it has the input for the beat, `info` its metadata:
    `format`, `vocabulary`, `fingerprint`, `precision`, `licence`, `checksum`, `network` (layer
    sizes) and `training` (data, pieces, tokens, updates, valid_nll).
    Where `notes` is not None its ids are symbols of that note vocabulary:
    `segued.model.chord_model` plays it. One thread at a time may call.

    `value_on_device(shape, dtype)`, for devices other than the CPU, makes a buffer there.
    """

    def __init__(
        self,
        session: Any,
        info: dict[str, Any],
        device: str = "cpu",
        value_on_device: Callable[[tuple[int, ...], type], Any] | None = None,
    ) -> None:
        self.vocabulary: Vocabulary = PERFORMANCE
        self.state_size = int(info["state_size"])
        self.info = info
        self.notes: ChordVocabulary | None = info["notes"]
        self.device = device
        self.takes_beat: bool = info["beat"]
        self._size = int(session.get_outputs()[0].shape[2])
        self._session = session
        self._value_on_device = value_on_device
        self._rows: dict[int, Rows] = {}
        self._device_step: DeviceRows | None = None
        self._step: HostStep | None = None
        if value_on_device is None:
            self._step = HostStep(session, self.state_size, self._size, self.takes_beat)
        else:
            self._device_step = self._device_rows(1, value_on_device)
        state = self.initial_state()
        for _ in range(3):  # the first runs allocate
            _, state = self.step([0, 0], state)

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu", threads: int = 1) -> "Model":
        """Open a model file, check that it is ours, that it is whole and gives numbers; warm it up.

        DataError when it is missing, broken, not a Segue model, or made for another vocabulary or
        format; DeviceError when the device cannot compute it here.
        """
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as raised

        path = Path(path)
        data = read(path)
        errors = (
            raised.Fail,
            raised.InvalidArgument,
            raised.InvalidGraph,
            raised.InvalidProtobuf,
            raised.NotImplemented,
            raised.RuntimeException,
            UnicodeDecodeError,  # its names are no text
        )
        if device != "cpu":
            return cls._load_on_device(onnxruntime, (*errors, raised.EPFail), path, device, threads)
        try:
            session = _open(onnxruntime, data, device, threads)
            return cls(session, check(path, data, session))
        except errors:
            raise DataError(
                f"{path}: onnxruntime {onnxruntime.__version__} cannot load it: it is truncated, "
                "not an ONNX file, or too new for this onnxruntime; run segue-export onnx again"
            ) from None

    @staticmethod
    def devices() -> list[str]:
        """The devices that the installed onnxruntime supports."""
        import onnxruntime

        available = onnxruntime.get_available_providers()
        return [name for name, provider in PROVIDERS.items() if provider in available]

    @classmethod
    def _load_on_device(
        cls, onnxruntime: Any, errors: tuple[Any, ...], path: Path, device: str, threads: int
    ) -> "Model":
        """The same on a device whose troubles are not the file's: that must load on the CPU."""
        _provider(device, cls.devices())
        on_cpu = cls.load(path)
        if on_cpu.info["precision"] == "int8":
            raise DeviceError(f"device {device!r}: {path} is int8, which only the CPU computes; "
                              "give model.path an fp32 or fp16 file")  # fmt: skip
        make = onnxruntime.OrtValue.ortvalue_from_shape_and_type
        try:
            session = _open(onnxruntime, path.read_bytes(), device, threads)
            model = cls(
                session, on_cpu.info, device, lambda shape, dtype: make(shape, dtype, device, 0)
            )
            difference = _difference(model, on_cpu)
        except (*errors, RuntimeError, ValueError) as error:
            why = " ".join(str(error).split())[:200]
            raise DeviceError(f"device {device!r} cannot be used here: {why}") from None
        if not difference <= DEVICE_LIMIT:
            raise DeviceError(
                f"device {device!r} cannot be used here: its logits differ from the CPU's by "
                f"{difference:.3g}"
            )
        return model

    def initial_state(self) -> Floats:
        """The state (S,) before any token: zeros."""
        return np.zeros(self.state_size, np.float32)

    def step(
        self, ids: Sequence[int], state: Floats, beat: Beat = UNKNOWN
    ) -> tuple[Floats, Floats]:
        """Feed one id or several; return the logits after the last, (V,), and the state, (S,).

        `beat` is that after the last id; only a model that `takes_beat` hears it. Both results are
        fresh arrays, so they may be kept as values. The ids are computed one by one, so
        results do not depend, not in the last bit, on how the ids were cut into calls (int8 scales
        its inputs by the largest in a call). ValueError when there are no ids.
        """
        if not len(ids):
            raise ValueError("a step needs at least one id")
        if self._step is not None:
            return self._step(ids, state, beat)
        assert self._device_step is not None
        logits, states = self._device_step.steps([(id,) for id in ids], (state,), (beat,))
        return logits[0], states[0]

    def step_many(
        self, ids: Sequence[int], states: Sequence[Floats], beats: Sequence[Beat] | None = None
    ) -> tuple[Floats, list[Floats]]:
        """One id for each of some states, in one call: logits (N, V) and N states (S,), fresh.
        `beats`, where they are known, are those after the ids.

        A row may differ from what `step` gives in its last digits: int8 scales its inputs by the
        largest of a call, and products of matrices add up in another order.
        """
        count = len(states)
        if count not in self._rows:
            if self._value_on_device is not None:
                self._rows[count] = self._device_rows(count, self._value_on_device)
            else:
                rows = HostRows(self._session, count, self.state_size, self._size, self.takes_beat)
                self._rows[count] = rows
        return self._rows[count](ids, states, beats)

    def run(self, tokens: Ids, state: Floats, beat: Floats | None = None) -> tuple[Floats, Floats]:
        """Tokens (batch, time), state (batch, S) to logits (batch, time, V), state (batch, S).
        `beat` (batch, time, 3), None: unknown."""
        feeds: dict[str, npt.NDArray[Any]] = {"tokens": tokens, "state": state}
        if self.takes_beat:
            feeds["beat"] = np.zeros((*tokens.shape, BEAT), np.float32) if beat is None else beat
        logits, after = self._session.run(["logits", "state_out"], feeds)
        return logits, after

    def transfers(self, rows: int = 1) -> Callable[[], object]:
        """A function that only makes the copies of a step of `rows` states, to the device and back:
        the least time of a step there."""
        assert self._value_on_device is not None
        idle = SimpleNamespace(
            io_binding=self._session.io_binding, run_with_iobinding=lambda binding: None
        )
        make = self._value_on_device
        step = DeviceRows(idle, rows, self.state_size, self._size, make, self.takes_beat)
        state, ids = [self.initial_state()] * rows, [1] * rows

        def once() -> None:
            state[:] = step(ids, state)[1]

        return once

    def _device_rows(
        self, rows: int, value_on_device: Callable[[tuple[int, ...], type], Any]
    ) -> DeviceRows:
        return DeviceRows(
            self._session, rows, self.state_size, self._size, value_on_device, self.takes_beat
        )


def _open(onnxruntime: Any, data: bytes, device: str, threads: int) -> Any:
    """A session on exactly this device; DeviceError if onnxruntime would use another."""
    provider = _provider(device, Model.devices())
    if device == "cuda" and hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
            onnxruntime.preload_dlls()  # CUDA's libraries as pip installs them
    session = onnxruntime.InferenceSession(
        data,
        _options(onnxruntime, threads),
        providers=[(provider, _PROVIDER_OPTIONS.get(device, {}))],
        enable_fallback=0,
    )
    if provider not in session.get_providers():
        raise DeviceError(
            f"device {device!r} cannot be used here: onnxruntime could not start it (is there a "
            "GPU, and are CUDA and cuDNN installed? pip install 'onnxruntime-gpu[cuda,cudnn]')"
        )
    return session


def _difference(model: Model, other: Model) -> float:
    """The largest difference of their logits over a few steps, each with its own state."""
    differences, states = [], [model.initial_state(), other.initial_state()]
    for id in range(0, model._size, 16):
        (logits, states[0]), (expected, states[1]) = (
            some.step((id,), state) for some, state in zip((model, other), states, strict=True)
        )
        differences.append(logits - expected)
    return float(np.abs(differences).max())  # not a number if one of them is none


def _provider(device: str, here: Sequence[str]) -> str:
    if device not in here:
        more = ": pip uninstall onnxruntime, then pip install 'onnxruntime-gpu[cuda,cudnn]'"
        raise DeviceError(
            f"device {device!r}: the onnxruntime installed here has only {', '.join(here)}"
            + (more if device == "cuda" else "")
        )
    return PROVIDERS[device]


def _options(onnxruntime: Any, threads: int) -> Any:
    """Session options: compute in the calling thread, without threads that spin."""
    onnxruntime.set_default_logger_severity(_FATAL_ONLY)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options
