"""Quoting: what the performer played before is known to the letter, and likelier to come again.

A recurrent state remembers the manner of what it heard, not the notes. Music comes back to its own
notes: a refrain, a figure, a bass. So all that the performer played lately is kept as ids, and
where the last of what sounded stands in it already, what followed there is made likelier: by as
much as it comes true in real music, more the longer the passage is that agrees. That is a cache
(Kuhn and De Mori, "A cache-based natural language model", 1990) whose entries are pointers, as in
the match models of data compressors (Mahoney's lpaq).

Two things are known: ids, to the letter, and the tune, its pitches alone, which is followed also
where it comes again with a wrong note, a missing one or a chord struck otherwise (`following`).
Where the pitches agree, what stood between them is tried next, until it proves to be another
rhythm. Only the performer is quoted, never the model: it would run in circles.

Where a plan stands in the past (`Place`) is a value, like the recurrent state, so that a plan can
be thrown away. It depends on nothing but what was heard, and so does what is quoted.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

import numpy as np

from ..arrays import Floats
from ..tokens.events import Event
from ..tokens.tokenizer import Encoder
from ..tokens.vocabulary import NOTE_ON, Vocabulary
from .mixture_weights import LONGEST, id_shares, tune_shares
from .tune_follower import CLOSE, NOWHERE, Present, Tune

KEPT = 1 << 16  # symbols: an hour and a half of playing
SLOTS = 1 << 17  # places of passages that a table holds, for each length
MOST = 24  # symbols that are compared to find the longest passage that agrees
IDS = (24, 12, 6)  # lengths of the passages that are looked up, longest first

ENOUGH = 5  # pitches that came in order, from which on what stood between them is tried


class History:
    """The last `KEPT` symbols of a sequence, and where each passage of some lengths last ended.

    Memory of fixed size: a symbol is a number below 2**16. A passage that was looked up is compared
    with what is kept, so two passages that share a slot are never taken for each other.
    """

    def __init__(self, lengths: tuple[int, ...]) -> None:
        """`lengths` of the passages that can be found, longest first."""
        self._lengths = lengths
        self._symbols = _zeros(np.uint16, KEPT)
        self._tables = [_zeros(np.int32, SLOTS) for _ in lengths]  # places after a passage, plus 1
        self._tail = b""
        self._first = 0
        self.count = 0

    def add(self, symbol: int) -> None:
        """What comes next; from now on it is found after any passage that ends here."""
        tail = self._tail
        for length, table in zip(self._lengths, self._tables, strict=True):
            if len(tail) >= 2 * length:
                table[crc32(tail[-2 * length :]) % SLOTS] = self.count + 1
        self._symbols[self.count % KEPT] = symbol
        self.count += 1
        self._tail = (tail + symbol.to_bytes(2, "little"))[-2 * self._lengths[0] :]

    @property
    def kept(self) -> int:
        """How many symbols there are."""
        return self.count - self.oldest

    @property
    def oldest(self) -> int:
        """The place of the oldest symbol that is kept."""
        return max(self._first, self.count - KEPT)

    def at(self, place: int) -> int:
        """The symbol at a place; -1 where there is none, or none any more."""
        if not self.oldest <= place < self.count:
            return -1
        return self._symbols[place % KEPT]

    def find(self, tail: bytes, longer: int = 0) -> tuple[int, int]:
        """After which place a passage is that ends as `tail` does (two bytes a symbol, the last
        `MOST` count), and how many symbols agree; (-1, 0) if none of more than `longer` does."""
        best = (-1, 0)
        for length, table in zip(self._lengths, self._tables, strict=True):
            if len(tail) < 2 * length or longer >= MOST:
                continue
            place = table[crc32(tail[-2 * length :]) % SLOTS] - 1
            agree = self._agree(tail, place)
            if agree >= length and agree > longer:
                best, longer = (place, agree), agree
        return best

    def _agree(self, tail: bytes, place: int) -> int:
        symbols, oldest, agree = self._symbols, self.oldest, 0
        for i in range(len(tail) - 2, -1, -2):
            place -= 1
            if place < oldest or symbols[place % KEPT] != tail[i] | tail[i + 1] << 8:
                break
            agree += 1
        return agree

    def clear(self) -> None:
        """Nothing was ever added."""
        self._tail, self._first = b"", self.count


@dataclass(frozen=True, slots=True)
class Match:
    """A place in a trail whose past is like the present: the last symbols (two bytes each), the
    place of what came next there (-1: none), and how many symbols before it agree."""

    tail: bytes = b""
    place: int = -1
    agree: int = 0

    def after(self, symbol: int, trail: History) -> "Match":
        """The spot after one symbol more; at the end of the trail another is looked for."""
        tail = (self.tail + symbol.to_bytes(2, "little"))[-2 * MOST :]
        place, agree = -1, 0
        if self.place >= 0 and trail.at(self.place) == symbol and trail.at(self.place + 1) >= 0:
            place, agree = self.place + 1, min(LONGEST, self.agree + 1)
        found = trail.find(tail, agree)
        return Match(tail, *found) if found[1] > agree else Match(tail, place, agree)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sequence of ids stands in what was played before: by all ids, and by its pitches."""

    ids: Match = Match()
    pitches: Present = NOWHERE


class Quoted(NamedTuple):
    """The `id` that came next there, and the `share` of all that it takes (-1 and 0.0: none); the
    note-ons that come next in the tune, and the share of all note-ons that each takes."""

    id: int
    share: float
    ons: tuple[int, ...] = ()
    on_shares: tuple[float, ...] = ()


class Quotes:
    """What the performer played, and how much likelier that makes what may come next."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._encoder = Encoder(vocabulary)
        self._ons = vocabulary.ids(NOTE_ON)
        self._ids, self._tune = History(IDS), Tune()
        self._performer = self._present = NOWHERE
        self._stood = _zeros(np.int32, KEPT)  # where in the ids each pitch stands
        self._shares = id_shares(vocabulary)
        self._row = np.empty(len(vocabulary), np.float32)

    def hear(self, event: Event) -> None:
        """The performer did something. It counts as soon as its step is over."""
        self.learn(self._encoder.feed(event))

    def silence(self, time: float) -> None:
        """Everything that sounded was silenced at `time`."""
        self.learn(self._encoder.silence(time))

    def settle(self) -> None:
        """The steps of all that was heard are over."""
        while (settled := self._encoder.settles) is not None:
            self.learn(self._encoder.advance(settled))

    def learn(self, ids: list[int]) -> None:
        """Ids that were played, in order."""
        for id in ids:
            self._ids.add(id)
            if id in self._ons:
                pitch = id - self._ons.start
                self._stood[self._tune.count % KEPT] = self._ids.count - 1
                self._tune.add(pitch)
                self._performer = self._tune.after(self._performer, pitch, CLOSE)
                self._present = self._performer

    def answered(self, id: int) -> None:
        """The model played an id: it is nothing to quote, but the tune goes on."""
        if id in self._ons:
            self._present = self._tune.after(self._present, id - self._ons.start)

    def forget(self) -> None:
        """Nothing was ever played."""
        self._encoder.forget()
        self._ids.clear()
        self._tune.clear()
        self._performer = self._present = NOWHERE

    def place(self, ids: list[int]) -> Place:
        """Where the present stands, of which these are the last ids: some dozens."""
        if not self._ids.kept:
            return Place()
        tail = b"".join(id.to_bytes(2, "little") for id in ids[-MOST:])
        return Place(Match(tail, *self._ids.find(tail)), self._present)

    def performed(self, place: Place, id: int) -> Place:
        """The performer plays on from a place: it is learned, and the place after it."""
        self.learn([id])
        return self._moved(place, id, self._performer)

    def after(self, place: Place, id: int) -> Place:
        """The place after one id more that is no performer's."""
        if not self._ids.kept:
            return place
        pitches = place.pitches
        if id in self._ons:
            pitches = self._tune.after(pitches, id - self._ons.start)
        return self._moved(place, id, pitches)

    def _moved(self, place: Place, id: int, pitches: Present) -> Place:
        """The place after an id; where only the pitches agree, what stood between them is tried."""
        ids = place.ids.after(id, self._ids)
        if id in self._ons and ids.place < 0 and pitches.threads:
            thread = pitches.threads[0]
            if thread.run >= ENOUGH:
                ids = Match(ids.tail, self._stood[(thread.base - 1) % KEPT] + 1, 1)
        return Place(ids, pitches)

    def quoted(self, place: Place) -> Quoted:
        """What came next at a place, and its shares."""
        id = self._ids.at(place.ids.place)
        share = self._shares[id][place.ids.agree] if id >= 0 else 0.0
        if not place.pitches.threads:
            return Quoted(id, share)
        thread = place.pitches.threads[0]
        on_shares = tune_shares(thread.run, thread.agree)
        if not on_shares:
            return Quoted(id, share)
        ons = tuple(self._ons.start + pitch for pitch in self._tune.next(thread))
        return Quoted(id, share, ons, on_shares[: len(ons)])

    def lean(self, logits: Floats, place: Place, strength: float) -> Floats:
        """Logits (V,) in which what is quoted at a place is likelier, by `strength` (0..1) of its
        shares; the same array where nothing is quoted, otherwise a new one.

        First the note-ons: those that come next in the tune take their shares of the probability
        of all. Then one id takes its share of everything.
        """
        id, share, next_ons, on_shares = self.quoted(place)
        share, on_share = strength * share, strength * sum(on_shares)
        if share <= 0.0 and on_share <= 0.0:
            return logits
        row, ons = self._row, slice(self._ons.start, self._ons.stop)
        np.subtract(logits, logits.max(), out=row)
        leaned: Floats = row.copy()
        np.exp(row, out=row)
        total = float(row.sum())
        if on_share > 0.0:
            of_notes = float(row[ons].sum())
            row[ons] *= np.float32(1.0 - on_share)
            leaned[ons] += np.float32(math.log(1.0 - on_share))
            for on, part in zip(next_ons, on_shares, strict=True):
                row[on] += strength * part * of_notes
                leaned[on] = _log(float(row[on]))
        if share > 0.0:
            leaned[id] = _log(float(row[id]) + total * share / (1.0 - share))
        return leaned


def _zeros(dtype: type[np.generic], count: int) -> memoryview:
    """Numbers, all 0; memory that is not used yet costs nothing, and an item is read as an int."""
    return np.zeros(count, dtype).data


def _log(value: float) -> float:
    return math.log(value) if value > 0.0 else -math.inf
