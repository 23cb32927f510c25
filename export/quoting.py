"""Quoting, measured: what the daemon's memory of the letter is worth on whole pieces.

The daemon makes likelier what the performer played before (`daemon.musician.quoting`). Here each
piece is a performer: at every token its earlier tokens are what can be quoted.
"""

from dataclasses import dataclass

import numpy as np

from daemon.music.vocabulary import NOTE_ON, PERFORMANCE
from daemon.musician.quoting import Place, Quotes

ONS = PERFORMANCE.ids(NOTE_ON)


@dataclass(frozen=True)
class Quoted:
    """What is quoted before each of some tokens, all arrays of one shape.

    `ids`: the id that came next where the piece was like this before, `shares`: the share of the
    probability that it takes; `ons`, `on_shares`: the same of the note-on that came next, and of
    all note-ons. -1 and 0 where there is none. `agree`, `on_agree`: how many symbols agreed.
    """

    ids: np.ndarray
    shares: np.ndarray
    agree: np.ndarray
    ons: np.ndarray
    on_shares: np.ndarray
    on_agree: np.ndarray

    def __getitem__(self, key: object) -> "Quoted":
        return Quoted(*(getattr(self, name)[key] for name in FIELDS))

    @classmethod
    def nothing(cls, *shape: int) -> "Quoted":
        """Arrays of a shape in which nothing is quoted."""
        none, zero = np.full(shape, -1), np.zeros(shape)
        return cls(none, zero, none * 0, none.copy(), zero.copy(), none * 0)


FIELDS = ("ids", "shares", "agree", "ons", "on_shares", "on_agree")


def quoted(piece: np.ndarray) -> Quoted:
    """What is quoted before each token of a piece (tokens,) but its first."""
    quotes, place, rows = Quotes(PERFORMANCE), Place(), []
    for id in piece.tolist():
        found, share, on, on_share = quotes.quoted(place)
        rows.append((found, share, place.ids.agree, on, on_share, place.pitches.agree))
        quotes.learn([id])
        place = quotes.after(place, id)
    return Quoted(*np.array(rows[1:]).reshape(-1, len(FIELDS)).T)


def nats_of(chances: np.ndarray, targets: np.ndarray, told: Quoted) -> np.ndarray:
    """-log p(target) (tokens,) from a model's probabilities (tokens, V) and what is quoted."""
    rows = np.arange(len(targets))
    ids, ons = told.ids.astype(int), told.ons.astype(int)
    of_notes = chances[:, ONS.start : ONS.stop].sum(axis=1)
    p = chances[rows, targets]
    among = (1.0 - told.on_shares) * p + told.on_shares * of_notes * (targets == ons)
    p = np.where((targets >= ONS.start) & (targets < ONS.stop), among, p)
    p = (1.0 - told.shares) * p + told.shares * (targets == ids)
    return -np.log(np.maximum(p, 1e-300))
