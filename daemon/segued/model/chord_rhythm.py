"""Timing, duration and velocity for models of the note vocabulary, taken from the performer.

Such a model (`chord_model`) plays in the rhythm of the last eight onsets: their inter-onset
intervals, durations and velocities, from the oldest to the newest and over again. What it plays
also enters the rhythm, and so keeps it as it is.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from ..tokens.chord_vocabulary import Chord, ChordEncoder
from ..tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, VELOCITY

BEATS = 8  # onsets remembered
LONGEST_GAP = 200  # steps; a longer gap is a pause and ends the rhythm
LONGEST_REST = 50  # steps of silence; a longer one is a pause, too


class Beat(NamedTuple):
    """One onset: steps to the next one, steps of them in which something sounded, velocity bin."""

    gap: int
    held: int
    bin: int


UNHEARD = Beat(25, 23, -1)
"""The rhythm before anything was played: four notes per second at the present velocity."""


@dataclass(slots=True)
class ChordRhythm:
    """The rhythm of performance ids that are fed one by one."""

    chords: ChordEncoder = field(default_factory=ChordEncoder)
    sounding: set[int] = field(default_factory=set)
    beats: list[Beat] = field(default_factory=list)  # the oldest first; BEATS of them, or none
    silent: int = 0  # steps since the last onset in which nothing sounded
    bin: int = -1  # the velocity in force; -1: none yet
    loudest: int = -1  # velocity bin of the latest chord's loudest note
    begun: bool = False  # whether there was an onset at all

    @property
    def beat(self) -> Beat:
        """The beat by which the present chord is played."""
        return self.beats[0] if self.beats else UNHEARD

    @property
    def next_bin(self) -> int:
        """The velocity bin of the chord that begins next; -1: the one in force."""
        if not self._keeps_time:
            return self.beat.bin
        return self.beats[1].bin if self.beats else self.loudest

    def feed(self, id: int) -> Chord:
        """Take one id; return the chord that it shows to be over, () if there is none."""
        kind, value = PERFORMANCE.tokens[id]
        if kind == NOTE_ON:
            if not self.chords.pitches:
                self._onset()
            self.loudest = max(self.loudest, self.bin)
            self.sounding.add(value)
        elif kind == NOTE_OFF:
            self.sounding.discard(value)
        elif kind == VELOCITY:
            self.bin = value
        elif not self.sounding:
            self.silent += value
        return self.chords.feed(id)

    @property
    def _keeps_time(self) -> bool:
        """Whether an onset now would end a beat of the rhythm, and not a pause."""
        return self.begun and self.chords.age <= LONGEST_GAP and self.silent <= LONGEST_REST

    def _onset(self) -> None:
        if self._keeps_time:
            gap = self.chords.age
            beat = Beat(gap, max(1, gap - self.silent), self.loudest)
            self.beats = [*self.beats[1:], beat] if self.beats else [beat] * BEATS
        self.begun, self.silent, self.loudest = True, 0, -1
