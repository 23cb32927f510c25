"""The end of a reply: where it closes, and how its last notes ring out.

A reply does not stop when its time is up. Each chord or note that the network might play near its
end is a close that the reply could have (see `finale`): better on the tonic chord, on a strong
beat, before a rest, with as many notes as usual, reached by a step, near the length that was asked
for. The best one is the last that is played. It is held for longer than a note usually is, to a
beat where there are beats. What sounds with it ends with it.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from ..timing.clock import Clock
from ..timing.tempo_follower import Pulse
from ..tokens.events import NoteOn
from ..tokens.vocabulary import NOTE_OFF, TIME_SHIFT, Vocabulary
from .reply import Reply, Token
from .shaping import Playing

HORIZON = 1.0  # seconds before its end at which a close is looked for at short notice
SHARE = 0.4  # of a reply, at its end, in which it may close
LONGEST = 4.0  # seconds of that, at most
OVER = 2.0  # beats after its end at which it may still close
OVER_SECONDS = 0.4, 1.5  # of that, at least and at most
OVER_SHARE = 0.25  # of the reply, at most
NO_BEAT = 0.5  # seconds that a beat is taken for where there is none
CHORD = 0.06  # seconds within which onsets are one
ON_BEAT = 0.15, 0.06  # beats and seconds: so near to a beat is on it
OVERLAP = 0.15  # seconds that a note of a line may sound into the next one
RING = 2.0  # times the usual time between onsets: how long the last notes are held at least
LONGEST_RING = 2.5  # seconds that they are held at most
LEAST_RING = 0.05  # seconds of the last note, where the reply has to be over

HARMONY, METRE, REST, FULL, STEP, TIME = 3.0, 1.5, 1.0, 1.0, 0.4, 1.0
"""What the tonic chord, a downbeat, a long rest, as many notes as usual, a step in the melody and
the right length are worth, in nats a token: what `Candidate.suits` counts in."""


class Triad(NamedTuple):
    """The pitch classes of the tonic chord."""

    root: int
    third: int
    fifth: int

    @classmethod
    def on(cls, tonic: int, minor: bool) -> "Triad":
        """Of a key."""
        return cls(tonic, (tonic + (3 if minor else 4)) % 12, (tonic + 7) % 12)


@dataclass(frozen=True, slots=True)
class Ending:
    """When a reply may close, in seconds of it, and what is known of its key and time.

    It closes from `begin` to `latest`, best at `wanted`. After `over` nothing sounds.
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
        """That of a reply; None if it has none."""
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
        """Whether it is to be looked for when so many seconds of the reply are planned. At short
        notice (`alone`) that is put off until shortly before the end."""
        return reached >= max(self.begin, self.wanted - HORIZON if alone else 0.0)

    def worth(self, close: "Close", usual: "Usual") -> float:
        """How good a close is beside what is `usual`."""
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
        """Until when the last notes are held, in seconds of the reply."""
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
    """A note or chord that might be the last: when it is struck, in seconds of the reply and of the
    performance; what sounds with it; for how long nothing follows; for how long it was held.

    `token`: the number of the last token up to it. `approach`: how well the melody leads to it.
    """

    token: int
    time: float
    sounds_at: float
    sounding: tuple[int, ...]
    rest: float
    held: float
    approach: float


def no_triad() -> Triad | None:
    """Where no key is known."""
    return None


def pulse_of(clock: Clock, time: float) -> Pulse:
    """The beats of a clock from a time on, at the tempo that it has."""
    beat, size = 60.0 / clock.tempo, clock.beats_per_bar
    downbeat = time - clock.beat_at(time) % size * beat
    return Pulse(downbeat, beat, 1, size, downbeat, 1.0)


@dataclass(frozen=True, slots=True)
class Usual:
    """The usual time between onsets, and how many notes usually sound then."""

    gap: float
    notes: float

    @classmethod
    def of(cls, candidates: Iterable[Sequence[Close]]) -> "Usual":
        """Of the closes of some candidates."""
        gaps, notes = [], []
        for found in candidates:
            gaps += [after.time - before.time for before, after in pairwise(found)]
            notes += [len(close.sounding) for close in found]
        return cls(median(gaps) if gaps else NO_BEAT, median(notes) if notes else 1.0)


def stability(sounding: Collection[int], triad: Triad) -> float:
    """From 0 to 1: how much at rest some pitches are in a key: the bass most, then the top, and
    less for each that is not in the chord."""
    low, high = min(sounding), max(sounding)
    share = sum(pitch % 12 in triad for pitch in sounding) / len(sounding)
    bass = 1.0 if low % 12 == triad.root else 0.4 if low % 12 in triad else 0.0
    top = 1.0 if high % 12 == triad.root else 0.7 if high % 12 in triad else 0.0
    return (0.55 * bass + 0.45 * top) * share


def accent(pulse: Pulse, time: float) -> float:
    """From 0 to 1: how strong the beat is that a note at `time` is on."""
    number = round((time - pulse.downbeat) / pulse.beat)
    off = abs(time - pulse.downbeat - number * pulse.beat)
    if off > min(ON_BEAT[0] * pulse.beat, ON_BEAT[1]):
        return 0.0
    place = number % pulse.bar
    return 1.0 if place == 0 else 0.8 if 2 * place == pulse.bar else 0.6


@dataclass(slots=True)
class Sound:
    """A note of a candidate, in seconds of the reply; `end` is infinite while it is not known."""

    begin: float
    end: float
    pitch: int
    token: int


def sounds(tokens: Sequence[Token], before: Mapping[int, float], first: float) -> list[Sound]:
    """The notes of a candidate, in order, after those that sounded `before` its tokens: pitch and
    beginning. `first`: the time of an event at the beginning of the reply."""
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
    """Each chord of a candidate as a close. The reply `begins` then; it has `reached` so far."""
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
    """Notes that are struck together."""
    chord: list[Sound] = []
    for note in notes:
        if chord and note.begin > chord[0].begin + CHORD:
            yield chord
            chord = []
        chord.append(note)
    if chord:
        yield chord


def _approach(interval: int) -> float:
    """From 0 to 1: how well a melody closes with such an interval: by a step, or from the fifth."""
    return 1.0 if 1 <= abs(interval) <= 2 else 0.5 if interval in (0, 5, -7) else 0.0


def releases(
    notes: Sequence[Sound], close: Close, until: float, longest: float
) -> list[tuple[float, int]]:
    """When what sounds at a close ends, and which pitch: (seconds of the reply, pitch) in order.

    Notes that only sound into the last one end when they would have. None lasts `longest` seconds.
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
    """Ids from a step on that end notes: (second of the reply, pitch) in order. `first`: the time
    at the beginning of the reply."""
    longest = vocabulary.max_shift()
    for second, pitch in offs:
        end = vocabulary.step_of(first + second)
        while step < end:
            shift = min(longest, end - step)
            yield vocabulary.id(TIME_SHIFT, shift)
            step += shift
        yield vocabulary.id(NOTE_OFF, pitch)
