"""A model that plays many turns: in this process, or in several that each have a copy of it."""

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
    """A model file of either vocabulary, as the daemon would play it; DataError."""
    return playable(Model.load(path))


@contextmanager
def player_pool(
    model: StepModel | Path, workers: int, play: Callable[[StepModel, Turn], Reply]
) -> Iterator[Callable[[Sequence[Turn]], Iterator[Reply]]]:
    """What plays turns, each by `play`, a function of a module, and gives the replies in order.

    Several workers need the path of a model file: UsageError.
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
    """What a worker process knows: its own copy of the model, and how it plays."""

    model: StepModel
    play_on: Callable[[StepModel, Any], Any]

    @classmethod
    def begin(cls, path: Path, play: Callable[[StepModel, Any], Any]) -> None:
        """Called once in each process."""
        cls.model, cls.play_on = load_model(path), staticmethod(play)

    @classmethod
    def play(cls, turn: Any) -> Any:
        return cls.play_on(cls.model, turn)
