"""Tiny corpora and networks that the tests of the training side make for themselves."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from segue_export.config import NetworkConfig
from segue_export.corpus.pieces import Pieces, join
from segue_export.latches import COUNT
from segue_export.network import Network
from segue_export.onnx_export.exporter import TrainedRun
from segue_export.onnx_export.graph import build
from segued.midi.files import write_messages
from segued.tokens.events import Event, NoteOff, NoteOn
from segued.tokens.tokenizer import encode

torch.set_num_threads(1)

TINY = NetworkConfig(embedding=12, layers=(16, 24, 8), dense=20, dropout=0.0, latches=COUNT)


def work(seed: int, length: int = 60) -> list[Event]:
    """A made-up piece: a melody that walks at random over chords, seconds from 0."""
    rng = np.random.default_rng(seed)
    events: list[Event] = []
    time, pitch = 0.0, 72
    for _ in range(length):
        pitch = int(np.clip(pitch + rng.integers(-7, 8), 60, 96))
        duration = float(rng.choice([0.2, 0.3, 0.4]))
        for note in {pitch, pitch - int(rng.integers(4, 10))}:
            events.append(NoteOn(time, note, int(rng.integers(40, 100))))
            events.append(NoteOff(time + duration, note))
        time += duration
    return in_order(events)


def scale_work(pattern: tuple[int, ...] = (60, 64, 67, 72), times: int = 40) -> list[Event]:
    """A piece that can be predicted: one pattern, in even notes, again and again."""
    events: list[Event] = []
    for i in range(times * len(pattern)):
        events.append(NoteOn(0.25 * i, pattern[i % len(pattern)], 64))
        events.append(NoteOff(0.25 * (i + 1), pattern[i % len(pattern)]))
    return in_order(events)


def in_order(events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=lambda e: (e.time, isinstance(e, NoteOn)))


def changed(events: list[Event], transpose: int = 0, tempo: float = 1.0) -> list[Event]:
    """Another performance of the same piece."""
    moved: list[Event] = []
    for e in events:
        if isinstance(e, NoteOn):
            moved.append(NoteOn(e.time * tempo, e.pitch + transpose, e.velocity))
        elif isinstance(e, NoteOff):
            moved.append(NoteOff(e.time * tempo, e.pitch + transpose))
    return moved


def pieces_of(works: list[list[Event]]) -> Pieces:
    arrays = [np.array(encode(events), np.uint16) for events in works]
    return join([f"{i}.mid" for i in range(len(works))], arrays)


def write_midi(path: Path, events: list[Event]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    messages = [
        (e.time, bytes([0x90, e.pitch, e.velocity if isinstance(e, NoteOn) else 0]))
        for e in events
        if isinstance(e, NoteOn | NoteOff)
    ]
    write_messages(path, [("piano", messages)])
    return path


def network(seed: int = 0, config: NetworkConfig = TINY) -> Network:
    """A network whose weights are large enough that its state and its logits matter."""
    torch.manual_seed(seed)
    made = Network(config)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "bias" in name:
                weight.normal_(std=0.3)
            if "beat" in name:  # that layer begins with nothing
                weight.normal_(std=0.3)
            weight.mul_(2.0)
    return made.eval()


def write_run(folder: Path, seed: int = 0, valid: list[Path] | None = None) -> Path:
    """What `segue-export train` would have left, of an untrained network."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "data": ["../disk/some/train,jitter=8"],
        "tokens": 1234,
        "valid": [str(p) for p in valid or []],
    }
    described = {"network": TINY.to_dict(), "about": about}
    (folder / "run.json").write_text(json.dumps(described))
    story = {"valid_nll": "3.25", "update": "600", "tokens_seen": "5000"}
    save_file(network(seed).state_dict(), folder / "best.safetensors", metadata=story)
    return folder


def write_model(
    path: Path, precision: str = "fp32", seed: int = 0, sizes: NetworkConfig = TINY, **metadata: str
) -> Path:
    """A model file straight from the graph; `metadata` replaces entries (None leaves one out)."""
    return write_network(path, network(seed, sizes), precision, **metadata)


def write_network(path: Path, made: Network, precision: str = "fp32", **metadata: str) -> Path:
    """The same of a network."""
    import onnx

    weights, sizes = {k: v.numpy() for k, v in made.state_dict().items()}, made.config
    model = build(weights, sizes.layers, precision)
    run = TrainedRun(path, sizes, weights, {"valid_nll": 3.25})
    entries = run.metadata(precision, "MIT") | metadata
    onnx.helper.set_model_props(model, {k: v for k, v in entries.items() if v is not None})
    path.write_bytes(model.SerializeToString())
    return path


def write_works(folder: Path) -> None:
    """Four works, each played twice: the second time in another key, and slower."""
    for i in range(4):
        write_midi(folder / f"{i}.mid", work(i, 40))
        write_midi(folder / f"{i}-again.mid", changed(work(i, 40), 2, 1.1))
