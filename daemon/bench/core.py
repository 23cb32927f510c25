"""The model and the musician without ports: one step, and one note with all its tokens."""

import gc
import time
from collections.abc import Callable

import numpy as np

from ..config import Config
from ..improviser import Improviser
from ..loading import load_model, model_path
from ..model import Model
from ..music.events import NoteOff, NoteOn
from ..note_model import NoteModel, SymbolModel
from ..shaping import Playing
from .report import Figure

STEPS = 4000
NOTES = 400


def timed(action: Callable[[], object], count: int) -> list[float]:
    """Seconds of each of `count` calls, after some that warm up; no garbage collection between."""
    for _ in range(max(3, count // 10)):
        action()
    gc.collect()
    gc.disable()
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    gc.enable()
    return seconds


def streaming(size: int, count: int = 400) -> list[float]:
    """Seconds to read `size` bytes once, by one core, as fast as numpy's dot product goes."""
    weights = np.ones(max(1, size // 4), np.float32)
    return timed(lambda: weights.dot(weights), count)


def milliseconds(values: list[float]) -> list[float]:
    """From seconds."""
    return [1000 * value for value in values]


def measure(config: Config) -> list[Figure]:
    """A step and a note of the model that the settings name."""
    model = load_model(config)
    size = model_path(config).stat().st_size  # of the file, which is weights and little else
    network = model.network if isinstance(model, NoteModel) else model
    return [step(network, size), note(model, size, config)]


def step(model: SymbolModel, size: int) -> Figure:
    """One model step against the time to stream its weights, `size` bytes, once."""
    floor = streaming(size)
    state = model.initial_state()

    def one() -> None:
        nonlocal state
        _, state = model.step((1,), state)

    values = timed(one, STEPS)
    name = f"model step, {model.info['precision']}"
    note = "floor: reading its weights once"
    return Figure(name, "ms", milliseconds(values), milliseconds(floor), 1.3, ratio=True, note=note)


def note(model: Model | NoteModel, size: int, config: Config) -> Figure:
    """One generated note: all its tokens, their sampling and the plan that holds them."""
    seconds, tokens = _notes(model, config)
    per_note = len(tokens) / max(1, NOTES)
    steps = model.steps_a_chord if isinstance(model, NoteModel) else per_note
    floor = [steps * s for s in streaming(size)]
    figure = Figure("a generated note", "ms", milliseconds(seconds), milliseconds(floor), 1.0)
    figure.note = f"{per_note:.2f} tokens a note; floor: reading the weights as often"
    return figure


def _notes(model: Model | NoteModel, config: Config) -> tuple[list[float], list[int]]:
    """Seconds from note to note of an endless reply, and all its ids."""
    ids: list[int] = []
    sampling = config.sampling
    improviser = Improviser(
        model,
        Playing(temperature=sampling.temperature, top_p=sampling.top_p, lookahead=1e9, seed=1),
        ids,
    )
    for i, pitch in enumerate((60, 64, 67, 72) * 4):
        improviser.hear(NoteOn(0.2 * i, pitch, 70))
        improviser.hear(NoteOff(0.2 * i + 0.18, pitch))
    improviser.advance(4.0)
    improviser.prepare(4.0, float("inf"))
    seconds: list[float] = []
    gc.collect()
    gc.disable()
    began = time.perf_counter()
    while len(seconds) < NOTES:
        improviser.think(4.0)
        if improviser.planned and any(isinstance(e, NoteOn) for e in improviser.planned[-1].events):
            now = time.perf_counter()
            seconds.append(now - began)
            began = time.perf_counter()
    gc.enable()
    while improviser.due(1e9) is not None:
        pass
    return seconds[1:], ids
