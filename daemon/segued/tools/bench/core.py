"""Measures model and improviser without ports: a model step, and a note with all its tokens."""

import gc
import time
from collections.abc import Callable

import numpy as np

from ...arrays import Floats
from ...generation.best_of_n import HORIZON, NOTICE
from ...generation.constraints import Constraints
from ...generation.improviser import Improviser
from ...generation.sampling import Sampler
from ...generation.scales import pitch_classes
from ...generation.shaping import Playing, Shape
from ...model.chord_model import ChordModel, SymbolModel
from ...model.loading import load_model, model_path
from ...model.session import Model
from ...recall.quoting import Quotes
from ...settings.config import Config
from ...tokens.events import NoteOff, NoteOn
from ...tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, TIME_SHIFT
from .report import Figure

STEPS = 4000
NOTES = 400
STRETCHES = 30


def timed(action: Callable[[], object], count: int) -> list[float]:
    """Seconds of each of `count` calls, after warm-up calls, without garbage collection."""
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


def reading(size: int) -> Callable[[], object]:
    """A function that reads `size` bytes once on one core, with numpy's dot product."""
    weights = np.ones(max(1, size // 4), np.float32)
    return lambda: weights.dot(weights)


def streaming(size: int, count: int = 400) -> list[float]:
    """Seconds of reading `size` bytes once."""
    return timed(reading(size), count)


def milliseconds(values: list[float]) -> list[float]:
    """Seconds converted to milliseconds."""
    return [1000 * value for value in values]


def measure(config: Config) -> list[Figure]:
    """Measure a step and a note of the settings' model, and choosing among candidates."""
    model = load_model(config)
    network = model.network if isinstance(model, ChordModel) else model
    # the size of the file, which is weights and little else
    size = model_path(config, "cuda" if network.device == "cuda" else "cpu").stat().st_size
    figures = [step(network, size), note(model, size, config), shaping(network), quoting(network)]
    return figures + choice(model, size, config) if config.sampling.candidates > 1 else figures


def step(model: SymbolModel, size: int) -> Figure:
    """A model step; floor: reading its weights, `size` bytes, once."""
    floor = streaming(size)
    state = model.initial_state()

    def one() -> None:
        nonlocal state
        _, state = model.step((1,), state)

    values = timed(one, STEPS)
    name = f"model step, {model.info['precision']}"
    note = "floor: reading its weights once"
    return Figure(name, "ms", milliseconds(values), milliseconds(floor), 1.3, ratio=True, note=note)


def note(model: Model | ChordModel, size: int, config: Config) -> Figure:
    """A generated note: all its tokens with sampling and planning."""
    seconds, tokens = _notes(model, config)
    per_note = len(tokens) / max(1, NOTES)
    steps = model.steps_a_chord if isinstance(model, ChordModel) else per_note
    floor = [steps * s for s in streaming(size)]
    figure = Figure("a generated note", "ms", milliseconds(seconds), milliseconds(floor), 1.0)
    figure.note = f"{per_note:.2f} tokens per note; floor: reading the weights once per token"
    return figure


def shaping(model: SymbolModel) -> Figure:
    """The time that masks and shaping add to a token, all knobs turned; floor: a model step."""
    size = len(PERFORMANCE)
    turned = Playing(density=1.5, register=7, dynamics=9, pitch_classes=pitch_classes(2, "dorian"))
    shape, unmasked = Shape(PERFORMANCE, turned), np.zeros(size, np.float32)
    grammar = Constraints(PERFORMANCE, shape.allowed, velocity_bin=15, most=4)
    sampler, logits = Sampler(size, top_p=0.98), _some_logits()

    def plain(row: int) -> None:
        sampler.sample(logits[row], unmasked, 0.5)

    def shaped(row: int) -> None:
        grammar.accept(sampler.sample(logits[row], grammar.bias, 0.5, shape))

    added, steps = _added(model, plain, shaped)
    figure = Figure("masks and shaping", "ms", milliseconds(added), milliseconds(steps), 0.1)
    figure.ratio, figure.note = True, "per token, all knobs turned; floor: a model step"
    return figure


def quoting(model: SymbolModel) -> Figure:
    """The time that quoting adds to a token while something is quoted; floor: a model step."""
    quotes, logits = Quotes(PERFORMANCE), _some_logits()
    tune = [
        PERFORMANCE.id(kind, value)
        for pitch in (60, 62, 64, 67)
        for kind, value in ((NOTE_ON, pitch), (TIME_SHIFT, 20), (NOTE_OFF, pitch))
    ]
    quotes.learn(20 * tune)
    place = quotes.place(10 * tune)

    def plain(row: int) -> None:
        pass

    def leaning(row: int) -> None:
        nonlocal place
        quotes.lean(logits[row], place, 1.0)
        place = quotes.after(place, quotes.quoted(place)[0])

    added, steps = _added(model, plain, leaning)
    figure = Figure("quoting", "ms", milliseconds(added), milliseconds(steps), 0.25)
    figure.ratio, figure.note = True, "per token, while something is quoted; floor: a model step"
    return figure


def _some_logits() -> Floats:
    """Of 64 tokens, (64, V)."""
    rng = np.random.default_rng(1)
    return rng.normal(0.0, 3.0, (64, len(PERFORMANCE))).astype(np.float32)


def _added(
    model: SymbolModel, plain: Callable[[int], None], more: Callable[[int], None]
) -> tuple[list[float], list[float]]:
    """Seconds that `more` takes longer than `plain`, and those of a model step.

    They are measured in pairs after each step, in alternating order.
    """
    state = model.initial_state()
    steps, added = [], []
    gc.collect()
    gc.disable()
    for i in range(STEPS // 4):
        began = time.perf_counter()
        _, state = model.step((1,), state)
        steps.append(time.perf_counter() - began)
        plain(i % 64)  # warms up the cache after the step
        taken = {}
        for draw in (plain, more) if i % 2 else (more, plain):
            began = time.perf_counter()
            draw(i % 64)
            taken[draw] = time.perf_counter() - began
        added.append(taken[more] - taken[plain])
    gc.enable()
    return added, steps


def choice(model: Model | ChordModel, size: int, config: Config) -> list[Figure]:
    """Choosing among candidates for a stretch: the total time, and the time of each `think`.

    The total must fit into the silence before a reply, a `think` between two notes.
    """
    playing = Playing(
        config.sampling.temperature, config.sampling.top_p, lookahead=1.0,
        candidates=config.sampling.candidates, seed=1, quoting=1.0,
    )  # fmt: skip
    thoughts: list[float] = []
    stretches: list[float] = []
    gc.collect()
    gc.disable()
    for turn in range(STRETCHES + 1):
        improviser = _having_heard(model, playing)
        improviser.prepare(4.0 + turn / 100, float("inf"))
        while improviser.context.step():
            pass
        spent: list[float] = []
        began = time.perf_counter()
        while improviser.think(3.3):
            now = time.perf_counter()
            spent.append(now - began)
            began = now
        if turn:  # the first one warms up
            thoughts += spent
            stretches.append(sum(spent))
    gc.enable()
    count, floor = playing.candidates, milliseconds(streaming(size))
    of_all = [len(thoughts) / STRETCHES * value for value in floor]
    return [
        Figure(f"choosing {HORIZON:g} s of {count} candidates", "ms", milliseconds(stretches),
               of_all, 1000 * NOTICE, "max",
               note="must fit into the silence before a reply; floor: the weights read per call"),
        Figure("a thought of that", "ms", milliseconds(thoughts), floor, 1.0, "p99",
               note="due messages may have to wait this long"),
    ]  # fmt: skip


def _having_heard(model: Model | ChordModel, playing: Playing) -> Improviser:
    """An improviser after sixteen notes in a little more than three seconds."""
    improviser = Improviser(model, playing)
    for i, pitch in enumerate((60, 64, 67, 72) * 4):
        improviser.hear(NoteOn(0.2 * i, pitch, 70))
        improviser.hear(NoteOff(0.2 * i + 0.18, pitch))
    improviser.advance(3.3)
    return improviser


def _notes(model: Model | ChordModel, config: Config) -> tuple[list[float], list[int]]:
    """Seconds between the notes of an endless reply, and all its ids."""
    sampling = config.sampling
    playing = Playing(sampling.temperature, sampling.top_p, lookahead=1e9, seed=1, quoting=1.0)
    improviser = _having_heard(model, playing)
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
    return seconds[1:], [token.id for token in improviser.planned]
