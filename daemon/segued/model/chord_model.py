"""Adapts a model of the note vocabulary to the performance vocabulary.

The network's inputs and outputs are symbols, one for each chord. The adapter feeds it the chords
that the performance ids contain, and computes logits for the next id:

- A chord is chosen note by note, from the lowest up. The first NOTE_ON has the probability of all
  chords that begin with it, each further one that of all chords that go on so, and the TIME_SHIFT
  that of the chord as it stands. Multiplied, that is the network's own probability of the chord.
- The time of the next chord, the length of this one and its velocity follow the performer's recent
  rhythm (`segued.model.chord_rhythm`); these ids have a probability of almost 1.

A network that was trained to predict one symbol after each window, as in the tutorial, works only
with that length: it is fed the last window again for each chord. A network that was trained on
every symbol of its windows carries its state, which takes a hundredth of the time.

A certain id may be forbidden by constraints (a pitch out of range, a key that the performer holds).
So no id is impossible here, only less likely by hundreds of nats.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..arrays import Floats
from ..tokens.chord_vocabulary import SILENCE, Chord, ChordEncoder, ChordVocabulary
from ..tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, TIME_SHIFT, VELOCITY, Vocabulary
from .chord_rhythm import BEATS, Beat, ChordRhythm

Ids = npt.NDArray[np.int64]

DOWN = 1000.0  # nats from one choice to the next best, when the first is forbidden
BOTTOM = np.float32(-20_000.0)  # the logit of unwanted ids
SHIFT_SLOPE = 100.0  # nats for each step by which a time shift differs from the one wanted
LEAST = 1e-30  # probability of a pitch that the network does not offer
ENDED = 128  # in place of a pitch: the chord has no more

MAX_SHIFT = PERFORMANCE.max_shift()
_ON, _OFF, _SHIFT, _VELOCITY = (
    slice(PERFORMANCE.ids(kind).start, PERFORMANCE.ids(kind).stop)
    for kind in (NOTE_ON, NOTE_OFF, TIME_SHIFT, VELOCITY)
)
_STEPS = np.arange(1, MAX_SHIFT + 1)
_SHIFTS = np.float32(-SHIFT_SLOPE) * np.abs(_STEPS - _STEPS[:, np.newaxis]).astype(np.float32)
_OLDEST = 2.0**24  # steps: beyond that float32 counts no more, and no one waits for a chord


class SymbolModel(Protocol):
    """What the adapter needs of a network: see `segued.model.session.Model`."""

    @property
    def info(self) -> dict[str, Any]:
        """The model file's metadata."""

    @property
    def device(self) -> str:
        """The device."""

    def initial_state(self) -> Floats:
        """The state (S,) before any symbol."""

    def step(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        """Logits (V,) over the symbols after the last of `ids`, and the new state (S,)."""

    def run(self, tokens: Ids, state: Floats) -> tuple[Floats, Floats]:
        """Symbols (1, time), state (1, S) to logits (1, time, V), state (1, S)."""


class ChordModel:
    """A `StepModel` over the performance vocabulary, from a network over `notes`.

    The state is one array, float32: what the network remembers, its probabilities of the next
    symbol, and the rhythm with the chord that is being gathered. What the network remembers is its
    own state if that is `carried`, otherwise the last `window` symbols. As in training, a window of
    silence stands before a performance.
    """

    def __init__(
        self, network: SymbolModel, notes: ChordVocabulary, window: int, carried: bool = True
    ) -> None:
        self.vocabulary: Vocabulary = PERFORMANCE
        self.info, self.device = network.info, network.device
        self.network, self.notes = network, notes
        depth = max(map(len, notes.chords))
        # (depth, V): at [d, id] the pitch of rank d in the chord, or ENDED
        rows = [[*chord, *[ENDED] * (depth + 1 - len(chord))] for chord in notes.chords]
        self._pitches = np.ascontiguousarray(np.array(rows, np.int64).T)
        self._ranges = _prefixes(notes.chords)
        self._carried = carried
        size = len(network.initial_state()) if carried else window
        self._context = slice(0, size)
        self._chances = slice(size, size + len(notes))
        self._rhythm = slice(size + len(notes), size + len(notes) + _RHYTHM)
        self.state_size = self._rhythm.stop
        self._initial = np.zeros(self.state_size, np.float32)
        self._initial[self._rhythm] = _packed(ChordRhythm())
        self._hear([SILENCE] * window, self._initial)

    @property
    def steps_a_chord(self) -> int:
        """How many steps of the network a chord takes."""
        return 1 if self._carried else self._context.stop

    def initial_state(self) -> Floats:
        """The state (S,) after a window of silence."""
        return self._initial.copy()

    def step(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        """Logits (388,) after the last of `ids`, and the new state (S,), a fresh array.

        ValueError when there are no ids.
        """
        if not len(ids):
            raise ValueError("a step needs at least one id")
        after = state.copy()
        rhythm = _unpacked(after[self._rhythm])
        for id in ids:
            chord = rhythm.feed(int(id))
            if chord:
                self._hear([self.notes.nearest(chord)], after)
        after[self._rhythm] = _packed(rhythm)
        return self._logits(rhythm, after[self._chances]), after

    def step_many(
        self, ids: Sequence[int], states: Sequence[Floats]
    ) -> tuple[Floats, list[Floats]]:
        """One id for each of some states: logits (N, 388) and N states (S,), fresh.

        One after the other: the network is stepped once a chord, so rows seldom need it together.
        """
        rows = [self.step((id,), state) for id, state in zip(ids, states, strict=True)]
        return np.stack([logits for logits, _ in rows]), [state for _, state in rows]

    def _hear(self, symbols: Sequence[int], state: Floats) -> None:
        """Feed symbols to the network and update its parts of `state`."""
        context = state[self._context]
        if self._carried:
            logits, context[:] = self.network.step(symbols, context)
        else:
            context[:] = np.append(context, symbols)[-len(context) :]
            nothing = self.network.initial_state()[np.newaxis]
            logits = self.network.run(context.astype(np.int64)[np.newaxis], nothing)[0][0, -1]
        chances = np.exp(logits - logits[SILENCE + 1 :].max())
        chances[SILENCE] = 0.0  # silence only ever comes before the first note
        state[self._chances] = chances / chances.sum()

    def _logits(self, rhythm: ChordRhythm, chances: Floats) -> Floats:
        """The logits (388,) of the next id."""
        logits = np.full(len(PERFORMANCE), BOTTOM)
        logits[_SHIFT] += _SHIFTS[0]
        beat, age = rhythm.beat, rhythm.chords.age
        chord = tuple(sorted(rhythm.chords.pitches))
        notes = self._next_notes(chord, chances)
        if chord and age == 0:
            logits[_ON] = notes[:ENDED]
            logits[_SHIFT] = _SHIFTS[min(beat.held, MAX_SHIFT) - 1] + notes[ENDED]
            return logits
        if age < beat.held and rhythm.sounding:
            logits[_SHIFT] = _SHIFTS[min(beat.held - age, MAX_SHIFT) - 1]
            logits[_ON] = notes[:ENDED] + BOTTOM / 2
            return logits
        level = 0.0
        if rhythm.sounding:
            logits[_OFF][list(rhythm.sounding)] = level
            level -= DOWN
        if age < beat.gap and rhythm.begun:
            logits[_SHIFT] = _SHIFTS[min(beat.gap - age, MAX_SHIFT) - 1] + np.float32(level)
            level -= DOWN
        elif rhythm.next_bin not in (-1, rhythm.bin):
            logits[_VELOCITY][rhythm.next_bin] = level
            level -= DOWN
        logits[_ON] = notes[:ENDED] + np.float32(level)
        return logits

    def _next_notes(self, chord: Chord, chances: Floats) -> Floats:
        """Log probabilities (129,) of the next higher pitch of a chord, and at ENDED of its end.

        They add up to the probability of all chords that begin so. After what no known chord begins
        with, it ends.
        """
        first, end = self._ranges.get(chord, (0, 0))
        after = self._pitches[len(chord), first:end] if end else self._pitches[0, :0]
        totals = np.bincount(after, chances[first:end], ENDED + 1)
        if not end:
            totals[ENDED] = 1.0
        logs: Floats = np.log(np.maximum(totals, LEAST)).astype(np.float32)
        return logs


def _prefixes(chords: Sequence[Chord]) -> dict[Chord, tuple[int, int]]:
    """Whatever chords begin with, and the range of ids that do (they are in order)."""
    ranges: dict[Chord, tuple[int, int]] = {}
    for id, chord in enumerate(chords):
        for length in range(len(chord) + 1):
            first, _ = ranges.get(chord[:length], (id, id))
            ranges[chord[:length]] = (first, id + 1)
    return ranges


_COUNTERS = 5  # age, silent, bin, loudest, begun
_RHYTHM = 2 * 128 + 3 * BEATS + _COUNTERS


def _packed(rhythm: ChordRhythm) -> Floats:
    """A rhythm as floats: pitches gathered, pitches sounding, beats, counters."""
    array = np.zeros(_RHYTHM, np.float32)
    array[list(rhythm.chords.pitches)] = 1.0
    array[128:256][list(rhythm.sounding)] = 1.0
    if rhythm.beats:
        array[256:-_COUNTERS] = [value for beat in rhythm.beats for value in beat]
    age, silent = min(rhythm.chords.age, _OLDEST), min(rhythm.silent, _OLDEST)
    array[-_COUNTERS:] = (age, silent, rhythm.bin, rhythm.loudest, rhythm.begun)
    return array


def _unpacked(array: Floats) -> ChordRhythm:
    """The inverse of `_packed`."""
    beats = [int(value) for value in array[256:-_COUNTERS].tolist()]
    age, silent, bin, loudest, begun = (int(value) for value in array[-_COUNTERS:].tolist())
    return ChordRhythm(
        ChordEncoder(np.flatnonzero(array[:128]).tolist(), age),
        set(np.flatnonzero(array[128:256]).tolist()),
        [Beat(*beats[i : i + 3]) for i in range(0, 3 * BEATS, 3)] if beats[0] else [],
        silent, bin, loudest, bool(begun),
    )  # fmt: skip
