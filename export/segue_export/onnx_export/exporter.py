"""A run's best checkpoint to a model file, which is compared with torch before it gets its name."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from safetensors import SafetensorError, safe_open
from segued.errors import DataError
from segued.model.model_file import CHECKSUM_BLANK, checksum
from segued.model.session import FORMAT, Model
from segued.tokens.chord_vocabulary import SILENCE, ChordVocabulary, chords_of
from segued.tokens.vocabulary import PERFORMANCE, VELOCITY
from tqdm import tqdm

from ..config import NetworkConfig
from ..corpus.beats import Beats, steps_after
from ..corpus.encoding import encode_file
from ..corpus.store import midi_files
from ..network import Network
from ..sources import shown
from .graph import build

PARITY_STEPS, PARITY_ROWS, WINDOW = 5000, 4, 250

LIMITS = {"fp32": (2e-3, 1e-5), "fp16": (0.5, 1e-3), "int8": (float("inf"), 0.01)}
"""What a model file may differ from torch: the largest logit difference, NLL as a share."""

EVEN = Beats(np.arange(10**5) * 47.0, np.arange(10**5) % 4, np.full(10**5, 4))
"""The beats that are told for the comparison: even ones, of four in a bar."""

STORY = {
    "updates": ("update", int),
    "tokens_seen": ("tokens_seen", int),
    "valid_nll": ("valid_nll", float),
    "valid_nll_before": ("valid_nll_before", float),  # of the model that it was trained from
}
"""What `training` tells, from which metadata of `best.safetensors`."""


@dataclass(frozen=True)
class TrainedRun:
    """What `segue-export train` left: the sizes, the weights of the best validation, the story.

    `weights` are float32 under torch's names, `about` is what `run.json` and the weights' file say
    of the training.
    """

    folder: Path
    network: NetworkConfig
    weights: dict[str, np.ndarray]
    about: dict[str, Any]
    notes: ChordVocabulary | None = None  # of the seed preset
    window: int = 0
    carried: bool = True  # whether it was trained to predict from its state, not only from windows

    @classmethod
    def load(cls, folder: Path) -> "TrainedRun":
        """Read `run.json` and `best.safetensors`; DataError tells what is missing or broken."""
        try:
            described = json.loads((folder / "run.json").read_text())
            network = NetworkConfig.from_dict(described["network"])
            with safe_open(folder / "best.safetensors", "numpy") as file:
                best = file.metadata() or {}
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            about = dict(described["about"])
            notes, window, carried = None, 0, True
            if described.get("preset") == "seed":
                notes = ChordVocabulary.parse(described["symbols"])
                window, carried = described["train"]["window"], described["train"]["carried"]
            about |= {name: kind(best[key]) for name, (key, kind) in STORY.items() if key in best}
        except FileNotFoundError as error:
            missing = Path(str(error.filename or "best.safetensors")).name
            raise DataError(
                f"{folder}: no {missing} here: give the --out folder of a training run that has "
                "been validated once"
            ) from None
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{folder}: broken run.json or best.safetensors: {error}") from None
        for name, weight in weights.items():
            if not np.isfinite(weight).all():
                raise DataError(
                    f"{folder}: best.safetensors: {name} holds NaN or infinite values: the "
                    "training has failed; train again with a lower --learning-rate"
                )
        return cls(folder, network, weights, about, notes, window, carried)

    def torch(self) -> Network:
        """The network in torch, ready to be asked."""
        network = Network(self.network)
        try:
            network.load_state_dict({k: torch.from_numpy(v) for k, v in self.weights.items()})
        except RuntimeError as error:
            why = str(error).splitlines()[-1].strip()
            raise DataError(
                f"{self.folder}: best.safetensors does not fit run.json: {why}"
            ) from None
        return network.eval()

    @property
    def origin(self) -> str | None:
        """One line on the model that it was trained from, None if it began from nothing."""
        if "from" not in self.about:
            return None
        model = self.about["from"]["model"]
        before, after = self.about.get("valid_nll_before"), self.about.get("valid_nll")
        if not self.about.get("updates") or before is None or after is None:
            return (
                f"NOT better than {model}, which it was trained from: these are {model}'s weights"
            )
        return f"trained further from {model}: validation {before:.4f} before, {after:.4f} after"

    def metadata(self, precision: str, licence: str) -> dict[str, str]:
        """The model file's metadata, as text, without paths of the disk it was trained on."""
        training = {key: value for key, value in self.about.items() if key != "valid"}
        training["data"] = [shown(argument) for argument in training.get("data", [])]
        vocabulary, symbols = self.notes or PERFORMANCE, {}
        if self.notes is not None:
            symbols = {
                "symbols": json.dumps(self.notes.symbols),
                "window": json.dumps(self.window),
                "carried": json.dumps(self.carried),
            }
        return symbols | {
            "format": FORMAT,
            "vocabulary": vocabulary.name,
            "fingerprint": vocabulary.fingerprint,
            "network": json.dumps(self.network.to_dict()),
            "state_size": str(self.network.state_size),
            "precision": precision,
            "licence": licence,
            "training": json.dumps(training),
        }


@dataclass(frozen=True)
class Parity:
    """How far a model file is from torch over the same tokens, the state carried all along."""

    tokens: int
    steps: int  # the longest that a state was carried
    logits: float  # the largest difference
    torch_nll: float  # nats per token
    model_nll: float

    @property
    def ratio(self) -> float:
        """The model file's NLL over torch's."""
        return self.model_nll / self.torch_nll

    def check(self, precision: str) -> None:
        """DataError if `precision`'s limits are exceeded."""
        logits, nll = LIMITS[precision]
        if not (self.logits <= logits and abs(self.ratio - 1) <= nll):
            raise DataError(
                f"{precision} differs from torch by {self.logits:.3g} in a logit (limit "
                f"{logits:g}) and {100 * (self.ratio - 1):+.3f} % in NLL (limit {100 * nll:g} %): "
                "no file written"
            )


def export(
    folder: Path,
    out: Path,
    precision: str = "fp32",
    licence: str = "MIT",
    valid: Path | None = None,
    steps: int = PARITY_STEPS,
) -> Parity:
    """Write a run as a model file, if it does what torch does over `steps` tokens a row.

    The tokens are those of real performances if there are any (a folder `valid`, or the run's own
    validation files), otherwise the network plays them itself.
    """
    run = TrainedRun.load(folder)
    network = run.torch()
    model = build(run.weights, run.network.layers, precision)
    onnx.helper.set_model_props(model, run.metadata(precision, licence))
    part = out.with_name(out.name + ".part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(sealed(model))
        loaded = Model.load(part)
        tokens = performances(run, valid, steps + 1)
        if tokens is None:
            tokens = sample(loaded, PARITY_ROWS, steps + 1)
        parity = compare(network, loaded, tokens)
        parity.check(precision)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    return parity


def sealed(model: onnx.ModelProto) -> bytes:
    """The bytes of a model file, with its checksum in the metadata's `checksum`."""
    entries = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, entries | {"checksum": CHECKSUM_BLANK})
    data: bytes = model.SerializeToString(deterministic=True)
    return data.replace(CHECKSUM_BLANK.encode(), checksum(data, CHECKSUM_BLANK).encode(), 1)


def compare(network: Network, model: Model, tokens: np.ndarray) -> Parity:
    """Feed tokens (batch, time) to both, windows at a time, each with its own carried state."""
    batch, length = tokens.shape[0], tokens.shape[1] - 1
    state, ours = network.initial_state(batch), np.zeros((batch, model.state_size), np.float32)
    worst, nll = 0.0, np.zeros(2)
    if model.takes_beat:
        beats = np.stack([EVEN.at(steps_after(row)) for row in tokens])
        beats[1::2] = 0.0  # and unknown ones
    with tqdm(total=batch * length, desc="parity", unit="token", leave=False) as bar:
        for start in range(0, length, WINDOW):
            window = tokens[:, start : min(start + WINDOW, length) + 1]
            inputs, targets = np.ascontiguousarray(window[:, :-1]), window[:, 1:]
            beat = beats[:, start : start + inputs.shape[1]] if model.takes_beat else None
            with torch.no_grad():
                heard = None if beat is None else torch.from_numpy(beat)
                expected, state = network(torch.from_numpy(inputs), state, beat=heard)
            logits, ours = model.run(inputs, ours, beat)
            worst = max(worst, float(np.abs(expected.numpy() - logits).max()))
            for i, some in enumerate((expected, torch.from_numpy(logits))):
                chosen = torch.log_softmax(some, 2).gather(2, torch.from_numpy(targets)[..., None])
                nll[i] -= float(chosen.sum(dtype=torch.float64))
            bar.update(inputs.size)
    return Parity(batch * length, length, worst, *(nll / (batch * length)).tolist())


def sample(model: Model, batch: int, length: int, seed: int = 1) -> np.ndarray:
    """What the model plays by itself at temperature 1, int64 (batch, length)."""
    rng = np.random.default_rng(seed)
    tokens = np.zeros((batch, length), np.int64)
    tokens[:, 0] = SILENCE if model.notes else model.vocabulary.id(VELOCITY, 16)
    state = np.zeros((batch, model.state_size), np.float32)
    for i in tqdm(range(1, length), desc="sampling", unit="step", leave=False):
        logits, state = model.run(tokens[:, i - 1 : i], state)
        noise = rng.gumbel(size=logits[:, 0].shape)  # the largest of logits and it is a fair draw
        tokens[:, i] = (logits[:, 0] + noise).argmax(axis=1)
    return tokens


def performances(run: TrainedRun, valid: Path | None, length: int) -> np.ndarray | None:
    """Rows of `length` real tokens, pieces end to end, (PARITY_ROWS, length); or None."""
    files = midi_files(valid) if valid else [Path(name) for name in run.about.get("valid", [])]
    wanted, have, pieces = PARITY_ROWS * length, 0, []
    for file in files:
        ids = encode_file(file)
        if not isinstance(ids, str):
            if run.notes is not None:
                ids = np.array([run.notes.nearest(chord) for chord in chords_of(ids.tolist())])
            pieces.append(ids)
            have += len(ids)
        if have >= wanted:
            return np.concatenate(pieces)[:wanted].astype(np.int64).reshape(PARITY_ROWS, length)
    if valid:
        raise DataError(f"{valid}: {have} tokens of music here, the comparison needs {wanted}")
    return None


def step_time(model: Model, steps: int = 1000) -> float:
    """The median time of one step at batch 1, in seconds."""
    state, times = model.initial_state(), []
    vocabulary = len(model.notes or model.vocabulary)
    for i in range(steps):
        began = time.perf_counter()
        _, state = model.step([i % vocabulary], state)
        times.append(time.perf_counter() - began)
    return float(np.median(times))
