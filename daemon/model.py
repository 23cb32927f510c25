"""A model file as a function of tokens and state: the only room that knows onnxruntime.

The file is an ONNX graph with inputs `tokens` int64 (batch, time) and `state` float32 (batch, S),
outputs `logits` float32 (batch, time, V) and `state_out` float32 (batch, S). What it was trained on
and which vocabulary it speaks stands in its metadata, and a file that does not match is refused.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ConfigError, DataError
from .music.note_vocabulary import NoteVocabulary
from .music.vocabulary import PERFORMANCE, Vocabulary

FORMAT = "segue 1"
"""The metadata's `format`. It changes with anything that an older daemon would misunderstand."""

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""Names of devices, and what onnxruntime calls the one who computes there."""

_INPUTS = {"tokens": "tensor(int64)", "state": "tensor(float)"}
_OUTPUTS = {"logits": "tensor(float)", "state_out": "tensor(float)"}
LONGEST_WINDOW = 10_000  # symbols of silence that stand before a performance: 100 are usual
_FATAL_ONLY = 4  # onnxruntime's severity: what it would print goes into our one line instead

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


class Model:
    """A loaded model. `step` and `run` are pure: all state is in the arguments and results.

    `vocabulary` is the vocabulary it is played with, `state_size` the S of its state, `info` its
    metadata: `format`, `vocabulary`, `fingerprint`, `precision`, `licence`, `network` (layer sizes)
    and `training` (data, pieces, tokens, updates, valid_nll). Where `notes` is not None its ids are
    the symbols of that note vocabulary, `info["window"]` is how many of them it was trained to see,
    and `daemon.note_model` makes it playable. One thread at a time may call.
    """

    def __init__(self, session: Any, info: dict[str, Any], device: str = "cpu") -> None:
        self.vocabulary: Vocabulary = PERFORMANCE
        self.state_size = int(info["state_size"])
        self.info = info
        self.notes: NoteVocabulary | None = info.get("notes")
        self._session = session
        size = len(self.notes or PERFORMANCE)
        self._step = _BoundStep(session, self.state_size, size) if device == "cpu" else None
        state = self.initial_state()
        for _ in range(3):  # the first runs allocate
            _, state = self.step([0, 0], state)

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu", threads: int = 1) -> "Model":
        """Open a model file, check that it is ours, and warm it up.

        DataError when it is missing, broken, not a Segue model, or made for another vocabulary or
        format; ConfigError when onnxruntime has no such device here.
        """
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as raised

        path = Path(path)
        data, provider = _read(path), _provider(device, onnxruntime.get_available_providers())
        options = _options(onnxruntime, threads)
        try:
            session = onnxruntime.InferenceSession(
                data, options, providers=[provider], enable_fallback=0
            )
            if provider not in session.get_providers():
                raise ConfigError(f"device {device!r}: onnxruntime could not start it here")
            return cls(session, _check(path, session), device)
        except (
            raised.Fail,
            raised.InvalidArgument,
            raised.InvalidGraph,
            raised.InvalidProtobuf,
            raised.NotImplemented,
            raised.RuntimeException,
            UnicodeDecodeError,  # its names are no text
        ):
            raise DataError(
                f"{path}: onnxruntime {onnxruntime.__version__} cannot load it: it is cut short, "
                "no ONNX file, or too new for this onnxruntime; make it anew with segue-export onnx"
            ) from None

    def initial_state(self) -> Floats:
        """The state before anything was heard: zeros, (S,)."""
        return np.zeros(self.state_size, np.float32)

    def step(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        """Feed one id or several; return the logits after the last, (V,), and the state, (S,).

        Both are fresh arrays, so they may be kept as values. On the CPU the ids are computed one
        by one, so results do not depend, not in the last bit, on how the ids were cut into calls
        (int8 scales its inputs by the largest in a call). ValueError when there are no ids.
        """
        if not len(ids):
            raise ValueError("a step needs at least one id")
        if self._step is not None:
            return self._step(ids, state)
        logits, after = self.run(np.array([ids], np.int64), state[np.newaxis])
        return logits[0, -1].copy(), after[0]

    def run(self, tokens: Ids, state: Floats) -> tuple[Floats, Floats]:
        """Tokens (batch, time), state (batch, S) to logits (batch, time, V), state (batch, S)."""
        logits, after = self._session.run(
            ["logits", "state_out"], {"tokens": tokens, "state": state}
        )
        return logits, after


class _BoundStep:
    """Ids at batch 1 through buffers that are bound once: quicker than `Session.run` by 6 %."""

    def __init__(self, session: Any, state_size: int, vocabulary: int) -> None:
        self._tokens = np.zeros((1, 1), np.int64)
        self._state = np.zeros((1, state_size), np.float32)
        self._logits = np.zeros((1, 1, vocabulary), np.float32)
        self._after = np.zeros((1, state_size), np.float32)
        self._run = session.run_with_iobinding
        self._binding = session.io_binding()
        for bind, name, array in (
            (self._binding.bind_input, "tokens", self._tokens),
            (self._binding.bind_input, "state", self._state),
            (self._binding.bind_output, "logits", self._logits),
            (self._binding.bind_output, "state_out", self._after),
        ):
            bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def __call__(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        for id in ids:
            self._tokens[0, 0] = id
            self._state[0] = state
            self._run(self._binding)
            state = self._after[0]
        return self._logits[0, 0].copy(), state.copy()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such model file (segue-export onnx makes one)") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def _provider(device: str, available: Sequence[str]) -> str:
    if PROVIDERS.get(device) not in available:
        here = ", ".join(name for name, provider in PROVIDERS.items() if provider in available)
        raise ConfigError(f"device {device!r}: the onnxruntime installed here has only {here}")
    return PROVIDERS[device]


def _options(onnxruntime: Any, threads: int) -> Any:
    """Session options: everything in the calling thread, no threads of its own that spin."""
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


def _check(path: Path, session: Any) -> dict[str, Any]:
    """The metadata of a session that is ours, its JSON values parsed; DataError otherwise."""
    texts: dict[str, str] = session.get_modelmeta().custom_metadata_map
    inputs = {i.name: i.type for i in session.get_inputs()}
    outputs = {o.name: o.type for o in session.get_outputs()}
    format = texts.get("format", "")
    if not format.startswith("segue "):
        raise DataError(
            f"{path}: not a Segue model: no Segue metadata (segue-export onnx makes it)"
        )
    if format != FORMAT:
        raise DataError(f"{path}: its format is {format!r}, this Segue reads {FORMAT!r}: update it")
    notes = _vocabulary(path, texts)
    if inputs != _INPUTS or outputs != _OUTPUTS:
        raise DataError(
            f"{path}: not a Segue model: it takes {', '.join(inputs)} and gives "
            f"{', '.join(outputs)}, not tokens, state and logits, state_out"
        )
    try:
        info: dict[str, Any] = dict(texts)
        numbers = ("network", "training", "state_size", *(["window"] if notes else []))
        info |= {key: json.loads(texts[key]) for key in numbers}
        if notes is not None and not 0 < int(info["window"]) <= LONGEST_WINDOW:
            raise ValueError
    except (KeyError, ValueError, TypeError):
        raise DataError(f"{path}: its metadata is incomplete; export it anew") from None
    shapes = (session.get_inputs()[1].shape[1:], session.get_outputs()[0].shape[2:])
    if shapes != ([info["state_size"]], [len(notes or PERFORMANCE)]):
        raise DataError(f"{path}: its sizes contradict its metadata; export it anew")
    return info | {"notes": notes}


def _vocabulary(path: Path, texts: dict[str, str]) -> NoteVocabulary | None:
    """The note vocabulary whose symbols the file has, None where it speaks the performance one."""
    fingerprint = texts.get("fingerprint", "")
    if "symbols" not in texts:
        if fingerprint == PERFORMANCE.fingerprint:
            return None
        raise DataError(
            f"{path}: its vocabulary is {texts.get('vocabulary')} ({fingerprint}), this Segue "
            f"speaks {PERFORMANCE.name} ({PERFORMANCE.fingerprint}): train and export it anew"
        )
    try:
        notes = NoteVocabulary.parse(json.loads(texts["symbols"]))
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: its symbols are broken ({error}); export it anew") from None
    if fingerprint != notes.fingerprint:
        raise DataError(
            f"{path}: its note vocabulary ({fingerprint}) is not what this Segue makes of its "
            f"symbols ({notes.fingerprint}): train and export it anew"
        )
    return notes
