"""Checks of model files: format, metadata, checksum, finite outputs.

Sessions are used only by their methods; `segued.model.session` has the contract of the graph.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..tokens.chord_vocabulary import ChordVocabulary
from ..tokens.vocabulary import PERFORMANCE

FORMAT = "segue 1"
"""The metadata's `format`. It changes with every change that an older daemon cannot read."""

CHECKSUM_BLANK = "0" * 64
"""What stands in place of the metadata's `checksum` while the file's SHA-256 is taken."""

LONGEST_WINDOW = 10_000  # symbols of silence before a performance; 100 are usual

PROBE_ROWS = 32  # ids in one call of the probe: few, so that its memory is little

_INPUTS = {"tokens": "tensor(int64)", "state": "tensor(float)"}
BEAT = 3  # numbers that the optional input `beat` has for each token: see `timing.beat_grid`
_BEAT = np.array([0.0, 0.02, 4.0], np.float32)  # 120 a minute, at the beginning of a bar of four
_OPTIONAL = {"beat": "tensor(float)"}
_OUTPUTS = {"logits": "tensor(float)", "state_out": "tensor(float)"}


def read(path: Path) -> bytes:
    """The bytes of a model file. Raises DataError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such model file (segue-export onnx makes one)") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def checksum(data: bytes, written: str) -> str:
    """The SHA-256 of a model file, in hex, with its own checksum (as `written`) left blank."""
    return hashlib.sha256(data.replace(written.encode(), CHECKSUM_BLANK.encode(), 1)).hexdigest()


def check(path: Path, data: bytes, session: Any) -> dict[str, Any]:
    """The metadata of a session that is ours, its JSON values parsed; DataError otherwise.

    `notes` among them is the note vocabulary of the preset seed, None where there is none.
    """
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
    notes = _notes(path, texts)
    if inputs not in (_INPUTS, _INPUTS | _OPTIONAL) or outputs != _OUTPUTS:
        raise DataError(
            f"{path}: not a Segue model: it takes {', '.join(inputs)} and gives "
            f"{', '.join(outputs)}, not tokens, state (and beat) and logits, state_out"
        )
    try:
        info: dict[str, Any] = dict(texts)
        info |= {key: json.loads(texts[key]) for key in ("network", "training", "state_size")}
        info["notes"] = notes
        if notes is not None:
            info["window"] = int(texts["window"])
            info["carried"] = {"true": True, "false": False}[texts["carried"]]
            if not 0 < info["window"] <= LONGEST_WINDOW:
                raise ValueError
    except (KeyError, ValueError):
        raise DataError(f"{path}: its metadata is incomplete; export it again") from None
    shapes = (session.get_inputs()[1].shape[1:], session.get_outputs()[0].shape[2:])
    beats = [i.shape[2:] for i in session.get_inputs()[2:]]
    info["beat"] = bool(beats)
    if shapes != ([info["state_size"]], [len(notes or PERFORMANCE)]) or beats not in ([], [[BEAT]]):
        raise DataError(f"{path}: its sizes contradict its metadata; export it again")
    written = texts.get("checksum", "")
    if written and checksum(data, written) != written:
        raise DataError(
            f"{path}: damaged: its checksum is not that of its bytes; copy or export it again"
        )
    _probe(path, session, *shapes[0], *shapes[1])
    return info


def _notes(path: Path, texts: dict[str, str]) -> ChordVocabulary | None:
    """The note vocabulary of the file, or None if it uses the performance vocabulary."""
    fingerprint = texts.get("fingerprint", "")
    if "symbols" not in texts:
        if fingerprint == PERFORMANCE.fingerprint:
            return None
        raise DataError(
            f"{path}: its vocabulary is {texts.get('vocabulary')} ({fingerprint}), this Segue "
            f"uses {PERFORMANCE.name} ({PERFORMANCE.fingerprint}): train and export it again"
        )
    try:
        notes = ChordVocabulary.parse(json.loads(texts["symbols"]))
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: its symbols are broken ({error}); export it again") from None
    if fingerprint != notes.fingerprint:
        raise DataError(
            f"{path}: its note vocabulary is {fingerprint}, but this Segue makes "
            f"{notes.fingerprint} of its symbols: train and export it again"
        )
    return notes


def _probe(path: Path, session: Any, state_size: int, vocabulary_size: int) -> None:
    """Raise DataError unless every id gives finite logits and a finite state.

    NaN within an LSTM's weights does not show, since onnxruntime's kernels clip their sums; but
    `segue-export onnx` refuses such weights, and the checksum proves that it wrote the file.
    """
    for first in range(0, vocabulary_size, PROBE_ROWS):
        ids = np.arange(first, min(first + PROBE_ROWS, vocabulary_size))[:, np.newaxis]
        feeds = {"tokens": ids, "state": np.zeros((len(ids), state_size), np.float32)}
        if len(session.get_inputs()) > len(_INPUTS):
            feeds["beat"] = np.broadcast_to(_BEAT, (*ids.shape, BEAT))
        if not all(np.isfinite(array).all() for array in session.run(None, feeds)):
            raise DataError(
                f"{path}: broken: it gives NaN or infinite values, so its "
                "weights are damaged; train or export it again"
            )
