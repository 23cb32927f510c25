"""The figures of generated or heard music, minute by minute, and of its tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from segued.generation.context import StepModel
from segued.tokens.vocabulary import NOTE_ON, PERFORMANCE, TIME_SHIFT

MINUTE = 60.0  # seconds
RUN = 8  # successive notes in which repetition is looked for

CURVES = ("entropy", "surprise", "density")
Passed = Callable[[float], object]


@dataclass(frozen=True)
class Minute:
    """Figures of a minute.

    `entropy`, `surprise`: mean nats per token. `density`: notes per second. `pitches`: effective
    number. `silence`: the longest time without an onset, in seconds. `new`: share of new runs.
    """

    entropy: float
    surprise: float
    density: float
    pitches: float
    silence: float
    new: float


@dataclass(frozen=True)
class Trace:
    """All tokens (N,): ids, times in seconds, entropy before each, and surprise, in nats."""

    ids: np.ndarray
    times: np.ndarray
    entropy: np.ndarray
    surprise: np.ndarray

    def part(self, start: int, stop: int | None, origin: float) -> "Trace":
        """A range of tokens, with times counted from `origin`."""
        cut = slice(start, stop)
        times = self.times[cut] - origin
        return Trace(self.ids[cut], times, self.entropy[cut], self.surprise[cut])


def weigh(model: StepModel, ids: Sequence[int], passed: Passed, first: float) -> Trace:
    """Feed ids to a model from its initial state; the first event is at time `first`.

    The first token counts as uniformly distributed.
    """
    vocabulary = model.vocabulary
    shifts = vocabulary.ids(TIME_SHIFT)
    seconds = np.zeros(len(vocabulary))
    seconds[shifts.start : shifts.stop] = np.arange(1, len(shifts) + 1)
    seconds /= vocabulary.steps_per_second
    state, logits = model.initial_state(), np.zeros(len(vocabulary), np.float32)
    entropy, surprise = np.zeros(len(ids)), np.zeros(len(ids))
    for i, id in enumerate(ids):
        costs = logits.max() - logits.astype(np.float64)
        costs += np.log(np.exp(-costs).sum())
        entropy[i], surprise[i] = np.exp(-costs) @ costs, costs[id]
        logits, state = model.step((id,), state)
        passed(seconds[id])
    array = np.array(ids, np.int64)
    return Trace(array, first + np.cumsum(seconds[array]), entropy, surprise)


def by_minute(trace: Trace, minutes: int) -> list[Minute]:
    """The figures of each minute from time 0 on."""
    notes = trace.ids < len(PERFORMANCE.ids(NOTE_ON))
    onsets, pitches = trace.times[notes], trace.ids[notes]
    gaps = _gaps(onsets, minutes)
    is_new = _new_runs(pitches)
    found = []
    for number in range(minutes):
        tokens = trace.times // MINUTE == number
        played = onsets // MINUTE == number
        some = bool(tokens.any())
        ends = is_new[played[len(pitches) - len(is_new) :]]
        found.append(
            Minute(
                entropy=float(trace.entropy[tokens].mean()) if some else float("nan"),
                surprise=float(trace.surprise[tokens].mean()) if some else float("nan"),
                density=float(played.sum() / MINUTE),
                pitches=_pitches(pitches[played]),
                silence=gaps[number],
                new=float(ends.mean()) if len(ends) else float("nan"),
            )
        )
    return found


def _gaps(onsets: np.ndarray, minutes: int) -> list[float]:
    """For each minute the longest time without an onset that overlaps it."""
    edges = np.concatenate(([0.0], onsets[onsets < minutes * MINUTE], [minutes * MINUTE]))
    longest = [0.0] * minutes
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        for number in range(int(start // MINUTE), min(minutes, int(end // MINUTE) + 1)):
            longest[number] = max(longest[number], end - start)
    return longest


def _new_runs(pitches: np.ndarray) -> np.ndarray:
    """For each note except the first RUN - 1: whether the run that it ends is new."""
    if len(pitches) < RUN:
        return np.zeros(0, bool)
    runs = np.lib.stride_tricks.sliding_window_view(pitches, RUN)
    new = np.zeros(len(runs), bool)
    new[np.unique(runs, axis=0, return_index=True)[1]] = True
    return new


def _pitches(pitches: np.ndarray) -> float:
    shares = np.unique(pitches, return_counts=True)[1] / max(1, len(pitches))
    return float(np.exp(-(shares * np.log(shares)).sum())) if len(pitches) else 0.0
