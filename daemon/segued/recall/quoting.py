"""Quoting: makes repeats of what the performer played earlier more likely.

A recurrent state remembers the style of what was played, but not the notes. Music, however, returns
to its notes: a refrain, a figure, a bass. So everything that the performer played is kept as ids.
If the last ids have occurred before, the one that followed them there becomes more likely: the
longer the match, the more, by how often such repeats come true in real music. This is a cache (Kuhn
and De Mori, "A cache-based natural language model", 1990) of pointers, as in the match models of
data compressors (Mahoney's lpaq).

Two sequences are kept: the ids, which must match literally, and the pitches alone, the tune. The
tune is also followed through wrong or missing notes and reordered chords (`tune_follower`). If only
the pitches match, the ids between them are tried next, until the rhythm turns out to differ. Only
the performer is quoted, never the model, which would otherwise repeat itself. Music from MIDI files
(the repertoire) is quoted as if the performer had played it earlier.

The position of a plan in the past (`Place`) is a value, like the recurrent state, so that a plan
can be discarded. It depends only on what was played, and so does what is quoted.
"""

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..tokens.events import Event
from ..tokens.tokenizer import Encoder
from ..tokens.vocabulary import NOTE_ON, Vocabulary
from .history import KEPT, MOST, History, zeros
from .mixture_weights import LONGEST, id_shares, tune_shares
from .tune_follower import CLOSE, NOWHERE, Present, Tune

IDS = (24, 12, 6)  # lengths of the passages that can be looked up, longest first

SLICE = 64  # ids of the repertoire that are stored at a time: 0.3 ms
LONGEST_REPERTOIRE = KEPT // 2  # ids; the other half is for what the performer plays

ENOUGH = 5  # matching pitches in a row from which on the ids between them are tried


@dataclass(frozen=True, slots=True)
class Match:
    """A position in a history that matches the present.

    `tail`: the last symbols, two bytes each. `place`: the position of the symbol that came next, or
    -1 without a match. `agree`: the length of the match.
    """

    tail: bytes = b""
    place: int = -1
    agree: int = 0

    def after(self, symbol: int, history: History) -> "Match":
        """The match after one more symbol: this one continued, or a longer one that is found."""
        tail = (self.tail + symbol.to_bytes(2, "little"))[-2 * MOST :]
        place, agree = -1, 0
        if self.place >= 0 and history.at(self.place) == symbol and history.at(self.place + 1) >= 0:
            place, agree = self.place + 1, min(LONGEST, self.agree + 1)
        found = history.find(tail, agree)
        return Match(tail, *found) if found[1] > agree else Match(tail, place, agree)


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a sequence in what was played before, by its ids and by its pitches."""

    ids: Match = Match()
    pitches: Present = NOWHERE


class Quoted(NamedTuple):
    """What is quoted at a place.

    `id`, `share`: the id that came next, and its share of all probability (-1 and 0.0: none).
    `ons`, `on_shares`: the next note-ons of the tune, and their shares of that of all note-ons.
    """

    id: int
    share: float
    ons: tuple[int, ...] = ()
    on_shares: tuple[float, ...] = ()


class Quotes:
    """What the performer played, and the biases that follow from it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._encoder = Encoder(vocabulary)
        self._ons = vocabulary.ids(NOTE_ON)
        self._ids, self._tune = History(IDS), Tune()
        self._performer = self._present = NOWHERE
        self._positions = zeros(np.int32, KEPT)  # of each pitch of the tune in the ids
        self._shares = id_shares(vocabulary)
        self._row = np.empty(len(vocabulary), np.float32)
        self.repertoire = array("H")
        """The ids from MIDI files, of which the first `_read` are stored."""
        self._read = 0
        self._reading = False  # whether the last stored id is from there

    def hear(self, event: Event) -> None:
        """Add an event of the performer. Its ids are known at the end of its step."""
        self.learn(self._encoder.feed(event))

    def silence(self, time: float) -> None:
        """Add that all notes were ended at `time`."""
        self.learn(self._encoder.silence(time))

    def settle(self) -> None:
        """Close the step of the last events."""
        while (settled := self._encoder.settles) is not None:
            self.learn(self._encoder.advance(settled))

    def learn(self, ids: list[int]) -> None:
        """Add ids that the performer played."""
        if self._reading and ids:
            self._turn_page()
        for id in ids:
            self._store(id)
            if id in self._ons:
                pitch = id - self._ons.start
                self._performer = self._tune.after(self._performer, pitch, CLOSE)
                self._present = self._performer

    def _store(self, id: int) -> None:
        """Store an id, which can be quoted from now on."""
        self._ids.add(id)
        if id in self._ons:
            self._positions[self._tune.count % KEPT] = self._ids.count - 1
            self._tune.add(id - self._ons.start)

    def _turn_page(self) -> None:
        """Begin to store what does not continue the last ids: the performer's, or the files'."""
        self._reading = not self._reading
        self._ids.cut()
        self._tune.cut()

    def study(self, ids: Iterable[int]) -> None:
        """Add ids from MIDI files, to be stored by `read`. The oldest ones give way to too many."""
        self.repertoire.extend(ids)
        excess = max(0, len(self.repertoire) - LONGEST_REPERTOIRE)
        del self.repertoire[:excess]
        self._read = max(0, self._read - excess)

    def read(self) -> bool:
        """Store a few more ids of the repertoire; return whether there were any."""
        ids = self.repertoire[self._read : self._read + SLICE]
        self._read += len(ids)
        if ids and not self._reading:
            self._turn_page()
        for id in ids:
            self._store(id)
        return bool(ids)

    def answered(self, id: int) -> None:
        """Follow the tune through an id of the model, which is not stored."""
        if id in self._ons:
            self._present = self._tune.after(self._present, id - self._ons.start)

    def forget(self) -> None:
        """Forget everything that was played. The repertoire will be stored anew."""
        self._encoder.forget()
        self._ids.clear()
        self._tune.clear()
        self._performer = self._present = NOWHERE
        self._read = 0

    def drop_repertoire(self) -> None:
        """Forget the repertoire; what `read` has stored stays until `forget`."""
        del self.repertoire[:]
        self._read = 0

    def place(self, ids: list[int]) -> Place:
        """The place of the present; `ids`: its last ones, at least `MOST` if there are as many."""
        if not self._ids.kept:
            return Place()
        tail = b"".join(id.to_bytes(2, "little") for id in ids[-MOST:])
        return Place(Match(tail, *self._ids.find(tail)), self._present)

    def performed(self, place: Place, id: int) -> Place:
        """Add an id of the performer at a place; return the place after it."""
        self.learn([id])
        return self._moved(place, id, self._performer)

    def after(self, place: Place, id: int) -> Place:
        """The place after one more id of the model."""
        if not self._ids.kept:
            return place
        pitches = place.pitches
        if id in self._ons:
            pitches = self._tune.after(pitches, id - self._ons.start)
        return self._moved(place, id, pitches)

    def _moved(self, place: Place, id: int, pitches: Present) -> Place:
        """The place after an id. If only the pitches match, the ids between them are tried."""
        ids = place.ids.after(id, self._ids)
        if id in self._ons and ids.place < 0 and pitches.threads:
            thread = pitches.threads[0]
            if thread.run >= ENOUGH:
                ids = Match(ids.tail, self._positions[(thread.base - 1) % KEPT] + 1, 1)
        return Place(ids, pitches)

    def quoted(self, place: Place) -> Quoted:
        """What is quoted at a place, with its shares."""
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
        """Logits (V,) in which what is quoted at a place is more likely.

        `strength` (0..1) multiplies the shares. First the next note-ons of the tune get their
        shares of the probability of all note-ons, then one id gets its share of all. Returns the
        same array if nothing is quoted, otherwise a new one.
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


def _log(value: float) -> float:
    return math.log(value) if value > 0.0 else -math.inf
