"""Metres: how likely onsets are at each position of a bar. Pure.

`metre.json` has two tables for each metre, counted by `tests/tools/fit_metre.py` in music whose
bars are known. `next`: for each position, the probability that the next onset is so many positions
later (the last column: even later). `accent`: for each level of accent, how much more often it
occurs at the position than elsewhere. A metre is named by the positions per beat and the beats per
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

BEAT, SPREAD = 0.58, 0.45  # prior of the beat: mean in seconds, standard deviation in octaves
TEMPO_COUNTS = 4.0  # the weight of that prior; one onset's evidence has 1
STAYS = 1.0  # nats by which another metre must be better to replace the present one
CYCLE = 12  # tatums after which beats come again in all metres
DOUBT = 4.0  # onsets that tell as much as one, for how sure a metre is
LATER = 8  # positions over which the last column of `next` is spread


class Metre(NamedTuple):
    """A metre, and where bars begin: at each number that is `first` modulo a bar's positions."""

    division: int  # positions per beat
    bar: int  # beats per bar
    first: int


class Metres:
    """All metres, each in all phases, as one table, so that they are compared at once."""

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
    ) -> tuple[float, Metre, Floats]:
        """The most likely metre of some onsets, and its log-likelihood; that of all, for `chances`.

        `numbers` (N,): the tatum of each onset; `levels` (N,): its accent, 0 to 2; `weights` (N,);
        `tatum`: its length in seconds; `before`: the metre found previously.
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
        found = Metre(int(self._divisions[row]), int(self._bars[row]), -int(self._places[row]))
        return float(scores[row]), found, scores

    def chances(self, scores: Floats, number: int) -> tuple[float, ...]:
        """The probability that there is a beat at a tatum, for `CYCLE` tatums from a number on.

        `scores`: the log-likelihoods of all metres, which are surer than metres can be.
        """
        weights = np.exp((scores - scores.max()) / DOUBT)
        places = number + np.arange(CYCLE)[:, None] + self._places
        beats = (places % self._divisions == 0) @ weights
        return tuple((beats / weights.sum()).tolist())


@cache
def metres() -> Metres:
    """The shipped metres."""
    text = files(__package__).joinpath("metre.json").read_text(encoding="utf-8")
    return Metres(json.loads(text))
