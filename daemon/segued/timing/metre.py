"""Metres: how likely onsets are on each place of a bar. Pure.

`metre.json` has a table for each metre, counted in music whose bars are known (by
`tests/tools/fit_metre.py`): `next`, for each place of the bar how likely the next onset is so many
places later (the last column: still later), and `accent`, how much oftener than elsewhere onsets
stand out there little, more or most. A metre is named by the places in a beat and the beats in a
bar.
"""

import json
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BEAT, SPREAD = 0.58, 0.45  # seconds of the beat that most people tap, and octaves around it
TEMPO_COUNTS = 4.0  # how much that is worth, beside one onset's evidence
STAYS = 1.0  # nats by which another metre must be better than the one before
LATER = 8  # places over which the last column of `next` is spread


class Metre(NamedTuple):
    """A metre, and where a bar begins: at each number that is `first` modulo a bar's places."""

    division: int  # places in a beat
    bar: int  # beats in a bar
    first: int


class Metres:
    """All metres, each at all places, in one table: they are compared at once."""

    def __init__(self, tables: dict[str, dict[str, list[list[float]]]]) -> None:
        names = [tuple(map(int, name.split(","))) for name in tables]
        width = max(len(row) for table in tables.values() for row in table["next"])
        following, accents, metre = [], [], []
        for index, table in enumerate(tables.values()):
            for place, row in enumerate(table["next"]):
                later = [row[-1] / LATER] * (width - len(row) + 1)
                following.append(row[:-1] + later)
                accents.append([level[place] for level in table["accent"]])
                metre.append(index)
        self._next, self._accents = np.log(following), np.log(accents)
        self._divisions = np.array([division for division, _ in names])[metre]
        self._bars = np.array([bar for _, bar in names])[metre]
        sizes = self._divisions * self._bars
        self._starts = np.searchsorted(metre, metre)
        self._places = np.arange(len(metre)) - self._starts
        self._sizes = sizes

    def best(
        self,
        numbers: Integers,
        levels: Integers,
        weights: Floats,
        tatum: float,
        before: Metre | None,
    ) -> tuple[float, Metre]:
        """The metre that explains some onsets best, and its log likelihood.

        `numbers` (N,): the tatum of each onset, `levels` (N,): how much it stands out (0 to 2),
        `weights` (N,): how much it counts; `tatum` seconds. `before` was the best one lately.
        """
        steps = np.minimum(np.diff(numbers), self._next.shape[1] - 1)
        places = (numbers[None, :] + self._places[:, None]) % self._sizes[:, None]
        rows = places + self._starts[:, None]
        scores = self._next[rows[:, :-1], steps[None, :]] @ weights[1:]
        scores += self._accents[rows, levels[None, :]] @ weights
        octaves = np.log2(self._divisions * tatum / BEAT) / SPREAD
        scores -= 0.5 * TEMPO_COUNTS * octaves**2
        if before is not None:
            same = (self._divisions == before.division) & (self._bars == before.bar)
            scores[same] += STAYS
        row = int(scores.argmax())
        return float(scores[row]), Metre(
            int(self._divisions[row]), int(self._bars[row]), -int(self._places[row])
        )


@cache
def metres() -> Metres:
    """The metres that are shipped."""
    text = files(__package__).joinpath("metre.json").read_text(encoding="utf-8")
    return Metres(json.loads(text))
