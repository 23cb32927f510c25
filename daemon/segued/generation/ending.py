"""The end of a reply: on which note or chord it closes, and how long that is held.

A reply does not just stop when its time is up. Each note or chord that the candidates play near the
end is a possible close (see `finale`). A close is better on the tonic chord, on a strong beat,
before a rest, with as many notes as usual, reached by a step, and near the wanted length. The reply
ends with the best one. It is held longer than usual, if there is a pulse until a beat. Notes that
sound with it end with it.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from ..timing.clock import Clock
from ..timing.pulse import Pulse
from ..tokens.events import NoteOn
from ..tokens.vocabulary import NOTE_OFF, TIME_SHIFT, Vocabulary
from .reply import Reply, Token
from .shaping import Playing

HORIZON = 1.0  # seconds before the end at which a close is searched with a single candidate
SHARE = 0.4  # the last part of a reply in which it may close
LONGEST = 4.0  # the longest such part, in seconds
OVER = 2.0  # beats after the wanted length in which a reply may still close
OVER_SECONDS = 0.4, 1.5  # the shortest and the longest such time
OVER_SHARE = 0.25  # the longest such time, as a share of the reply
NO_BEAT = 0.5  # seconds of a beat if there is no pulse
CHORD = 0.06  # seconds within which onsets count as one
ON_BEAT = 0.15, 0.06  # beats and seconds; notes this close to a beat are on it
OVERLAP = 0.15  # seconds that a legato note may sound into the next one
RING = 2.0  # the shortest duration of the last notes, in usual inter-onset intervals
LONGEST_RING = 2.5  # the longest, in seconds
LEAST_RING = 0.05  # the shortest, in seconds, if the reply must end on time

HARMONY, METRE, REST, FULL, STEP, TIME = 3.0, 1.5, 1.0, 1.0, 0.4, 1.0
"""The weights of the tonic chord, a downbeat, a long rest, as many notes as usual, a step in the
melody and the wanted length, in nats per token like `Candidate.score`."""


class Triad(NamedTuple):
    """The pitch classes of the tonic chord."""

    root: int
    third: int
    fifth: int

    @classmethod
    def on(cls, tonic: int, minor: bool) -> "Triad":
        """The tonic triad of a key."""
        return cls(tonic, (tonic + (3 if minor else 4)) % 12, (tonic + 7) % 12)


@dataclass(frozen=True, slots=True)
class Ending:
    """When a reply may close, in seconds of the reply, and its key and pulse, if known.

    It closes between `begin` and `latest`, best at `wanted`. At `over` all notes have ended.
    """

    begin: float
    wanted: float
    latest: float
    over: float
    triad: Triad | None
    pulse: Pulse | None
    strength: float = 1.0

    @classmethod
    def of(
        cls, reply: Reply, playing: Playing, triad: Triad | None, pulse: Pulse | None
    ) -> "Ending | None":
        """The ending of a reply; None if it has none."""
        length = reply.length
        if not reply.finishes or not playing.ending or length == math.inf or reply.closed:
            return None
        beat = NO_BEAT if pulse is None else pulse.beat
        late = min(max(OVER * beat, OVER_SECONDS[0]), OVER_SECONDS[1], OVER_SHARE * length)
        begin = length - min(SHARE * length, LONGEST)
        if reply.exact:
            wanted, latest, over = max(begin, length - beat), length - LEAST_RING, length
        else:
            wanted, latest, over = length, length + late, math.inf
        return cls(begin, wanted, latest, over, triad, pulse, playing.ending)

    def is_near(self, reached: float, alone: bool) -> bool:
        """Whether to search for a close when `reached` seconds of the reply are planned.

        With a single candidate (`alone`) the search begins shortly before the end.
        """
        return reached >= max(self.begin, self.wanted - HORIZON if alone else 0.0)

    def worth(self, close: "Close", usual: "Usual") -> float:
        """How good a close is, in nats, relative to what is `usual`."""
        away = close.time - self.wanted
        side = self.wanted - self.begin if away < 0 else self.latest - self.wanted
        rest = min(close.rest, self.over - close.time)
        longer = min(1.0, max(0.0, math.log2(max(rest, 1e-3) / usual.gap)))
        harmony = 0.0 if self.triad is None else stability(close.sounding, self.triad)
        metre = 0.0 if self.pulse is None else accent(self.pulse, close.sounds_at)
        full = min(1.0, len(close.sounding) / usual.notes)
        closed = (
            HARMONY * harmony + METRE * metre + REST * longer + FULL * full + STEP * close.approach
        )
        return self.strength * closed - TIME * (away / max(side, 1e-3)) ** 2

    def released(self, close: "Close", usual: "Usual") -> float:
        """When the last notes end, in seconds of the reply."""
        least = max(RING * usual.gap, close.held)
        until = close.time + min(least, LONGEST_RING)
        if self.pulse is not None:
            ahead = close.sounds_at - close.time
            soonest = max(until - self.pulse.beat / 4, close.time + usual.gap)
            on_beat = self.pulse.next_beat(soonest + ahead) - ahead
            if on_beat <= close.time + LONGEST_RING:
                until = on_beat
        return min(until, self.over)


@dataclass(frozen=True, slots=True)
class Close:
    """A note or chord that may be the last.

    `token`: the number of its last token. `time`, `sounds_at`: its onset in seconds of the reply,
    and of the performance. `sounding`: all pitches that sound at it. `rest`: seconds until the next
    onset. `held`: its length in seconds. `approach`: how well the melody leads to it, 0 to 1.
    """

    token: int
    time: float
    sounds_at: float
    sounding: tuple[int, ...]
    rest: float
    held: float
    approach: float


def no_triad() -> Triad | None:
    """The triad when no key is known."""
    return None


def pulse_of(clock: Clock, time: float) -> Pulse:
    """The pulse of a clock at a time."""
    beat, size = 60.0 / clock.tempo, clock.beats_per_bar
    downbeat = time - clock.beat_at(time) % size * beat
    return Pulse(downbeat, beat, 1, size, downbeat, 1.0)


@dataclass(frozen=True, slots=True)
class Usual:
    """The median inter-onset interval in seconds, and the median number of notes that sound."""

    gap: float
    notes: float

    @classmethod
    def of(cls, candidates: Iterable[Sequence[Close]]) -> "Usual":
        """The medians over the closes of all candidates."""
        gaps, notes = [], []
        for found in candidates:
            gaps += [after.time - before.time for before, after in pairwise(found)]
            notes += [len(close.sounding) for close in found]
        return cls(median(gaps) if gaps else NO_BEAT, median(notes) if notes else 1.0)


def stability(sounding: Collection[int], triad: Triad) -> float:
    """From 0 to 1: how stable pitches are in a key, by bass, top, and the share in the triad."""
    low, high = min(sounding), max(sounding)
    share = sum(pitch % 12 in triad for pitch in sounding) / len(sounding)
    bass = 1.0 if low % 12 == triad.root else 0.4 if low % 12 in triad else 0.0
    top = 1.0 if high % 12 == triad.root else 0.7 if high % 12 in triad else 0.0
    return (0.55 * bass + 0.45 * top) * share


def accent(pulse: Pulse, time: float) -> float:
    """From 0 to 1: the metrical strength of a note at `time`; 0 if it is not on a beat."""
    number = round((time - pulse.downbeat) / pulse.beat)
    off = abs(time - pulse.downbeat - number * pulse.beat)
    if off > min(ON_BEAT[0] * pulse.beat, ON_BEAT[1]):
        return 0.0
    place = number % pulse.bar
    return 1.0 if place == 0 else 0.8 if 2 * place == pulse.bar else 0.6


@dataclass(slots=True)
class Sound:
    """A note of a candidate, in seconds of the reply; `end` is infinite while unknown."""

    begin: float
    end: float
    pitch: int
    token: int


def sounds(tokens: Sequence[Token], before: Mapping[int, float], first: float) -> list[Sound]:
    """The notes of a candidate in order, preceded by those that sounded before its tokens.

    `before`: pitch -> onset of the latter. `first`: the time of an event at the reply's beginning.
    """
    found = [Sound(begin, math.inf, pitch, -1) for pitch, begin in before.items()]
    unended = {sound.pitch: sound for sound in found}
    for number, token in enumerate(tokens):
        for event in token.events:
            second = event.time - first
            if isinstance(event, NoteOn):
                unended[event.pitch] = sound = Sound(second, math.inf, event.pitch, number)
                found.append(sound)
            else:
                unended.pop(event.pitch).end = second
    return found


def closes(notes: Sequence[Sound], begins: float, reached: float) -> list[Close]:
    """Each note or chord of a candidate as a close.

    `begins`: when the reply begins. `reached`: how many seconds of it are planned.
    """
    found: list[Close] = []
    sounding = [note for note in notes if note.token < 0]
    chords = list(_chords([note for note in notes if note.token >= 0]))
    top = None
    nexts = [chord[0].begin for chord in chords[1:]] + [reached]
    for chord, following in zip(chords, nexts, strict=False):
        onset = chord[0].begin
        sounding = [note for note in sounding if note.end > onset + OVERLAP] + chord
        held = max(min(note.end, reached) - note.begin for note in chord)
        before, top = top, max(note.pitch for note in chord)
        found.append(Close(
            chord[-1].token, onset, onset + begins, tuple(note.pitch for note in sounding),
            following - onset, held, 0.0 if before is None else _approach(top - before),
        ))  # fmt: skip
    return found


def _chords(notes: Sequence[Sound]) -> Iterator[list[Sound]]:
    """Groups of notes with the same onset."""
    chord: list[Sound] = []
    for note in notes:
        if chord and note.begin > chord[0].begin + CHORD:
            yield chord
            chord = []
        chord.append(note)
    if chord:
        yield chord


def _approach(interval: int) -> float:
    """From 0 to 1: how well a melody closes with an interval in semitones: best with a step."""
    return 1.0 if 1 <= abs(interval) <= 2 else 0.5 if interval in (0, 5, -7) else 0.0


def releases(
    notes: Sequence[Sound], close: Close, until: float, longest: float
) -> list[tuple[float, int]]:
    """The note-offs after a close, in order: (second of the reply, pitch).

    Notes of the close end at `until`; notes that merely overlap it keep their end. No note lasts
    longer than `longest` seconds.
    """
    found = []
    for note in notes:
        if note.token <= close.token and note.end > close.time:
            end = until if note.pitch in close.sounding else note.end
            found.append((min(end, note.begin + longest), note.pitch))
    return sorted(found)


def note_offs(
    vocabulary: Vocabulary, step: int, first: float, offs: Iterable[tuple[float, int]]
) -> Iterator[int]:
    """The ids from `step` on that end the notes `offs`: (second of the reply, pitch), in order.

    `first`: the time of an event at the beginning of the reply.
    """
    longest = vocabulary.max_shift()
    for second, pitch in offs:
        end = vocabulary.step_of(first + second)
        while step < end:
            shift = min(longest, end - step)
            yield vocabulary.id(TIME_SHIFT, shift)
            step += shift
        yield vocabulary.id(NOTE_OFF, pitch)
