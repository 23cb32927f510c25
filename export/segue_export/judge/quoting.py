"""Measures how much quoting improves prediction on whole pieces.

Quoting makes tokens more probable that followed similar passages before (`segued.recall.quoting`).
Here each piece counts as a performance of its own: its earlier tokens can be quoted.
"""

from dataclasses import dataclass

import numpy as np
from segued.recall.mixture_weights import case_of
from segued.recall.quoting import Place, Quotes
from segued.recall.tune_follower import QUOTED
from segued.tokens.vocabulary import NOTE_ON, PERFORMANCE

ONS = PERFORMANCE.ids(NOTE_ON)


@dataclass(frozen=True)
class Quoted:
    """The quotes before each token. All arrays have one shape; `ons` and `on_shares` have another
    axis of size `QUOTED`.

    `ids`: the id that followed the similar passage. `shares`: its mixture weight. `ons`,
    `on_shares`: the next note-ons of the tune, and their mixture weights among note-ons. Without a
    quote: -1 and 0. `agree`: the length of the agreement in symbols. `on_case`: the case of the
    tune's mixture weights (see `mixture_weights`), -1 without a tune.
    """

    ids: np.ndarray
    shares: np.ndarray
    agree: np.ndarray
    ons: np.ndarray
    on_shares: np.ndarray
    on_case: np.ndarray

    def __getitem__(self, key: object) -> "Quoted":
        return Quoted(*(getattr(self, name)[key] for name in FIELDS))

    @classmethod
    def nothing(cls, *shape: int) -> "Quoted":
        """Arrays of a shape without quotes."""
        none, zero, nexts = np.full(shape, -1), np.zeros(shape), (*shape, QUOTED)
        return cls(none, zero, none * 0, np.full(nexts, -1), np.zeros(nexts), none.copy())


FIELDS = ("ids", "shares", "agree", "ons", "on_shares", "on_case")


def quoted(piece: np.ndarray) -> Quoted:
    """The quotes before each token of a piece (tokens,) except the first."""
    quotes, place = Quotes(PERFORMANCE), Place()
    found = Quoted.nothing(len(piece))
    for i, id in enumerate(piece.tolist()):
        found.ids[i], found.shares[i], ons, shares = quotes.quoted(place)
        found.agree[i] = place.ids.agree
        if place.pitches.threads:
            thread = place.pitches.threads[0]
            found.on_case[i] = case_of(thread.run, thread.agree)
            found.ons[i, : len(ons)], found.on_shares[i, : len(ons)] = ons, shares
        place = quotes.performed(place, id)
    return found[1:]


def after_tunes(
    p: np.ndarray, of_notes: np.ndarray, hits: np.ndarray, shares: np.ndarray, targets: np.ndarray
) -> np.ndarray:
    """The probability of each target (tokens,) after mixing in the next notes of a tune.

    `p`: the probability before. `of_notes`: the total probability of note-ons. `hits` (tokens,
    QUOTED): whether the target is one of the next notes. `shares` (tokens, QUOTED): their weights.
    """
    among = (1.0 - shares.sum(axis=1)) * p + (shares * hits).sum(axis=1) * of_notes
    return np.where((targets >= ONS.start) & (targets < ONS.stop), among, p)


def nats_of(chances: np.ndarray, targets: np.ndarray, quotation: Quoted) -> np.ndarray:
    """-log p(target) (tokens,) from a model's probabilities (tokens, V) and the quotes."""
    rows = np.arange(len(targets))
    of_notes = chances[:, ONS.start : ONS.stop].sum(axis=1)
    p = chances[rows, targets]
    p = after_tunes(p, of_notes, quotation.ons == targets[:, None], quotation.on_shares, targets)
    p = (1.0 - quotation.shares) * p + quotation.shares * (targets == quotation.ids)
    loss: np.ndarray = -np.log(np.maximum(p, 1e-300))
    return loss
