"""The note vocabulary of the classic LSTM tutorial: each distinct pitch or chord is one integer.

A symbol is what is struck together: "60" or "60.64.67", MIDI pitches from the lowest to the
highest. (The tutorial writes chords as pitch classes in normal order; with absolute pitches nothing
is lost and a symbol can be played as it stands.) Which symbols there are is read from a corpus, so
a model file carries their list. Symbol 0 is silence: what a piece shorter than a window is padded
with, and what was there before the first note.

When and how loud, how long a note is held, the vocabulary does not say: see
`segued.model.chord_rhythm`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property

from .vocabulary import NOTE_ON, PERFORMANCE, TIME_SHIFT, Vocabulary

CHORD_WINDOW = 5
"""Steps of 10 ms: a note that begins so soon after a chord's first note belongs to the chord."""

SILENCE = 0
"""The id of the symbol without a pitch."""

Chord = tuple[int, ...]
"""Pitches 0..127 that are struck together, from the lowest to the highest, each once."""


class ChordVocabulary:
    """Chords and their ids. `chords` stand in lexicographic order, so all that begin with the same
    pitches are neighbours; `chords[0]` is silence.

    ValueError when a chord is no chord, comes twice, or when there is none but silence.
    """

    def __init__(self, chords: Iterable[Chord]) -> None:
        given = [(), *chords]
        for chord in given[1:]:
            if not chord or list(chord) != sorted({*chord}) or not 0 <= chord[0] <= chord[-1] < 128:
                raise ValueError(f"{symbol_of(chord)!r} is no chord: pitches 0..127, rising")
        self.chords: tuple[Chord, ...] = tuple(sorted(given))
        self._ids = {chord: id for id, chord in enumerate(self.chords)}
        if len(self._ids) < max(2, len(given)):
            raise ValueError("a note vocabulary needs one chord or more, each of them once")
        largest = sorted(self.chords[1:], key=lambda c: (len(c), c[::-1]), reverse=True)
        self._largest = [(_mask(chord), self._ids[chord]) for chord in largest]

    def __len__(self) -> int:
        return len(self.chords)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChordVocabulary) and self.chords == other.chords

    def __hash__(self) -> int:
        return hash(self.chords)

    @property
    def name(self) -> str:
        """Such as "notes-326"."""
        return f"notes-{len(self)}"

    @property
    def symbols(self) -> tuple[str, ...]:
        """What the ids stand for, as text: "" for silence, "60", "60.64.67"."""
        return tuple(symbol_of(chord) for chord in self.chords)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with anything that changes what an id means."""
        table = [self.symbols, CHORD_WINDOW, PERFORMANCE.fingerprint]
        return hashlib.sha256(json.dumps(table).encode()).hexdigest()[:16]

    @classmethod
    def parse(cls, symbols: Iterable[str]) -> "ChordVocabulary":
        """The vocabulary of a list of `symbols`; ValueError when it is none."""
        return cls(tuple(int(p) for p in symbol.split(".")) for symbol in symbols if symbol)

    @classmethod
    def of_corpus(
        cls, counts: Mapping[Chord, int], size: int, transpose: int = 0
    ) -> "ChordVocabulary":
        """The vocabulary of a corpus in which chords were counted: `size` ids at most.

        A chord counts in every transposition by up to `transpose` semitones, as it will be heard in
        training. All single pitches come first, then the most frequent chords (on the long tail of
        piano music, where most chords occur once, this is what bounds the network's last layer).
        """
        heard: Counter[Chord] = Counter()
        for chord, count in counts.items():
            for shift in range(-transpose, transpose + 1):
                if chord[0] + shift >= 0 and chord[-1] + shift < 128:
                    heard[tuple(pitch + shift for pitch in chord)] += count
        for pitch in {pitch for chord in heard for pitch in chord}:
            heard[(pitch,)] += 0
        ranked = sorted(heard, key=lambda c: (len(c) > 1, -heard[c], c))
        return cls(ranked[: max(1, size - 1)])

    def id(self, chord: Chord) -> int | None:
        """The id of a chord, None where the corpus had no such chord."""
        return self._ids.get(chord)

    def nearest(self, chord: Chord) -> int:
        """The id of a chord or, where it is unknown, of what comes nearest to it.

        That is its largest known part (of equally large ones the part with the highest pitches:
        the melody counts most); where no part is known, the same in the nearest octave in which one
        is; else the same, transposed by as few semitones as possible; and where the vocabulary has
        only chords that are larger, its smallest.
        """
        known = self._ids.get(chord)
        if known is not None:
            return known
        octaves = (way * steps for steps in range(12, 128, 12) for way in (1, -1))
        semitones = (way * steps for steps in range(1, 128) for way in (1, -1))
        for shift in (0, *octaves, *semitones):
            mask = _mask(p + shift for p in chord if 0 <= p + shift < 128)
            for part, id in self._largest:
                if not part & ~mask:
                    return id
        return self._largest[-1][1]


class ChordEncoder:
    """Performance ids to chords, one at a time: the same code for training and for playing.

    A chord is over as soon as time has passed beyond its window. `pitches` are those of the chord
    being gathered, `age` the steps since the first note of the latest chord.
    """

    __slots__ = ("_tokens", "age", "pitches")

    def __init__(
        self, pitches: Iterable[int] = (), age: int = 0, vocabulary: Vocabulary = PERFORMANCE
    ) -> None:
        self.pitches = {*pitches}
        self.age = age
        self._tokens = vocabulary.tokens

    def feed(self, id: int) -> Chord:
        """Take one id; return the chord that it shows to be over, () if there is none."""
        kind, value = self._tokens[id]
        if kind == NOTE_ON:
            if not self.pitches:
                self.age = 0
            self.pitches.add(value)
        elif kind == TIME_SHIFT:
            self.age += value
            if self.age > CHORD_WINDOW:
                return self.flush()
        return ()

    def flush(self) -> Chord:
        """The chord that is being gathered is over, if there is one."""
        chord = tuple(sorted(self.pitches))
        self.pitches.clear()
        return chord


def chords_of(ids: Iterable[int]) -> list[Chord]:
    """All chords of a finished performance, given as performance ids."""
    encoder = ChordEncoder()
    chords = [*(encoder.feed(id) for id in ids), encoder.flush()]
    return [chord for chord in chords if chord]


def symbol_of(chord: Iterable[int]) -> str:
    """A chord as text, "60.64.67"."""
    return ".".join(map(str, chord))


def _mask(pitches: Iterable[int]) -> int:
    mask = 0
    for pitch in pitches:
        mask |= 1 << pitch
    return mask
