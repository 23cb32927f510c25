"""Lets a model play many turns, in this process or in several that each load the model."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from segued.errors import UsageError
from segued.generation.context import StepModel
from segued.model.loading import playable
from segued.model.session import Model

Turn = TypeVar("Turn")
Reply = TypeVar("Reply")


def load_model(path: Path) -> StepModel:
    """Load a model file of either vocabulary as the daemon does. Raises DataError."""
    return playable(Model.load(path))


@contextmanager
def player_pool(
    model: StepModel | Path, workers: int, play: Callable[[StepModel, Turn], Reply]
) -> Iterator[Callable[[Sequence[Turn]], Iterator[Reply]]]:
    """A function that plays turns with `play`, a module's function, and yields replies in order.

    Raises UsageError when there are several workers and `model` is not a path.
    """
    if workers == 1:
        loaded = load_model(model) if isinstance(model, Path) else model
        yield lambda turns: (play(loaded, turn) for turn in turns)
        return
    if not isinstance(model, Path):
        raise UsageError("several workers need the path of a model file")
    spawn = get_context("spawn")  # a fork would copy onnxruntime's threads' locks
    with ProcessPoolExecutor(workers, spawn, _Worker.begin, (model, play)) as pool:
        yield lambda turns: pool.map(_Worker.play, turns, chunksize=2)


class _Worker:
    """The state of a worker process: its model, and the function that plays a turn."""

    model: StepModel
    play_on: Callable[[StepModel, Any], Any]

    @classmethod
    def begin(cls, path: Path, play: Callable[[StepModel, Any], Any]) -> None:
        """Initialise a process."""
        cls.model, cls.play_on = load_model(path), staticmethod(play)

    @classmethod
    def play(cls, turn: Any) -> Any:
        return cls.play_on(cls.model, turn)
