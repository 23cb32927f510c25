"""Performances as people play them at home, made from scores in a few lines: what `duet` answers.

Each is a beginning and its continuation by the same hands, so that a reply can be held against what
the performer would have played. All of them were made up for this purpose.

A score is text, one for each hand: degrees of the scale with a length in beats, which the following
ones keep. `b` and `#` alter a degree, `'` and `,` move it an octave, `+` joins what is struck
together, `.` is a rest, `|` is for the eye. A score that is too short begins again.
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from segued.midi.notes import Note

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
DORIAN, BLUES = (0, 2, 3, 5, 7, 9, 10), (0, 2, 4, 5, 7, 9, 10)

START = 0.5  # seconds before the first beat
SPREAD = 0.004  # seconds: the deviation of the keys of a chord about its time
TOUCH = 6.0  # velocities: the deviation of a note's
ACCENT = 10.0  # velocities by which the first beat of a bar is louder
RELEASE = 0.93  # share of its length for which a key is held
NOTE = re.compile(r"([b#]*)([1-7])([',]*)")


@dataclass(frozen=True)
class Performer:
    """What somebody plays, and how.

    `tonic` is the pitch of degree 1 in each hand of `hands` (pitch, score); `beats` is the length
    of the beginning, and of the continuation; `tempo` in beats a minute. Onsets keep to `parts` of
    a beat; `swing`: the second half of each beat begins at two thirds. `jitter` is the deviation of
    onsets in seconds, `velocity` the loudness, `fixed` if the keyboard knows only one.
    """

    name: str
    tempo: float
    beats: int
    hands: tuple[tuple[int, str], ...]
    scale: tuple[int, ...] = MAJOR
    bar: float = 4
    parts: int = 2
    swing: bool = False
    jitter: float = 0.012
    velocity: int = 72
    fixed: bool = False


@dataclass(frozen=True)
class Prompt:
    """A performance cut in two: what is `heard`, and how its performer went `on`, in seconds.

    A beat is at `origin` and each `beat` seconds after; onsets keep to its `parts`. `tonic` and
    `key` are pitch classes.
    """

    name: str
    heard: list[Note] = field(repr=False)
    on: list[Note] = field(repr=False)
    origin: float
    beat: float
    parts: int
    tonic: int
    key: frozenset[int]


def played(performer: Performer, seed: int) -> Prompt:
    """One playing of a score; the same seed gives the same."""
    rng = np.random.default_rng(seed)
    beat = 60.0 / performer.tempo
    late: dict[Fraction, float] = {}  # hands that strike together are late together
    notes = []
    for tonic, score in performer.hands:
        for start, length, pitches in cycled(score, 2 * performer.beats):
            if start not in late:
                late[start] = rng.normal(0.0, performer.jitter)
            time = START + late[start] + beat * _swung(start, performer.swing)
            until = START + beat * _swung(start + length, performer.swing)
            for degree in pitches:
                begin = time + rng.normal(0.0, SPREAD) * (len(pitches) > 1)
                loud = performer.velocity + ACCENT * (start % performer.bar == 0)
                velocity = performer.velocity if performer.fixed else loud + rng.normal(0.0, TOUCH)
                pitch = tonic + _semitones(degree, performer.scale)
                end = max(begin + 0.05, begin + RELEASE * (until - time))
                notes.append(Note(begin, end, pitch, int(np.clip(velocity, 1, 127))))
    notes.sort(key=lambda note: (note.start, note.pitch))
    cut = START + beat * (performer.beats - 0.25 / performer.parts)
    tonic = performer.hands[0][0]
    return Prompt(
        performer.name, [n for n in notes if n.start < cut], [n for n in notes if n.start >= cut],
        START, beat, performer.parts, tonic % 12,
        frozenset((tonic + step) % 12 for step in performer.scale),
    )  # fmt: skip


def cycled(score: str, beats: int) -> list[tuple[Fraction, Fraction, list[str]]]:
    """(beat, length, degrees) of a score, again and again until the end."""
    events, time, length = [], Fraction(0), Fraction(1)
    for word in score.replace("|", " ").split():
        degrees, _, given = word.partition(":")
        length = Fraction(given) if given else length
        events.append((time, length, degrees.split("+") if degrees != "." else []))
        time += length
    rounds = -(-beats // time)
    every = [(start + i * time, size, some) for i in range(rounds) for start, size, some in events]
    return [event for event in every if event[0] < beats and event[2]]


def _swung(beat: Fraction, swing: bool) -> float:
    """Where a beat falls: the second half of a swung one later than half-way."""
    whole, part = divmod(float(beat), 1.0)
    if not swing:
        return whole + part
    return whole + (part * 4 / 3 if part <= 0.5 else 2 / 3 + (part - 0.5) * 2 / 3)


def _semitones(degree: str, scale: tuple[int, ...]) -> int:
    match = NOTE.fullmatch(degree)
    assert match, f"{degree!r} is no degree"
    altered, number, octaves = match.groups()
    semitones = scale[int(number) - 1] + altered.count("#") - altered.count("b")
    return semitones + 12 * (octaves.count("'") - octaves.count(","))


PERFORMERS = (
    Performer(
        "tune", 104, 16,
        ((67, "1 2 3:1/2 4 5:1 | 6 5 3:2 | 4:1 3 2:1/2 3 4:1 | 5 3 2:2 |"
              "1:1 2 3:1/2 4 5:1 | 6 1' 5:2 | 4:1/2 3 2 3 4:1 2 | 1:4"),),
    ),
    Performer(
        "sad waltz tune", 96, 24,
        ((69, "1:2 2:1 | 3:2 1:1 | 2 3 4 | 5:3 | 6:2 5:1 | 4:2 3:1 | 2 1 #7, | 1:3 |"
              "1:2 2:1 | 3:2 5:1 | 4 3 2 | 3:3 | 4:2 3:1 | 2:2 1:1 | 1 #7, 2 | 1:3"),),
        MINOR, bar=3,
    ),
    Performer("scale", 92, 16, ((60, "1:1/2 2 3 4 5 6 7 1' 2' 1' 7 6 5 4 3 2"),)),
    Performer("one note", 100, 12, ((64, "1"),), velocity=80),
    Performer(
        "hook on 25 keys", 110, 16,
        ((57, "1:1/4 . 1 3 . 4 3 1 7,:1/2 . 5, 7, | 1:1/4 . 1 3 . 4 5 4 3:1/2 . 1:1 |"
              "1:1/4 . 1 3 . 4 3 1 6,:1/2 . 5, 7, | 1:1/4 . 1 3 . 1 7, 5, 1:1/2 . 1:1 |"
              "3:1/4 . 3 5 . 6 5 3 4:1/2 . 2 4 | 3:1/4 . 3 5 . 3 4 2 3:1/2 . 1:1 |"
              "1:1/4 . 1 3 . 4 3 1 7,:1/2 . 6, 7, | 1:1/4 5 . 4 . 3 2 7, 1:1/2 . 1:1"),),
        MINOR, parts=4, velocity=100, fixed=True,
    ),
    Performer("chord loop", 84, 16, ((60, "1+3+5:2 5,+7,+2 6,+1+3 4,+6,+1"),), parts=1),
    Performer(
        "pop chords", 96, 16,
        ((60, "1+3+5:1 1+3+5:1/2 1+3+5 1+3+5:1 1+3+5 | 6,+1+3:1 6,+1+3:1/2 6,+1+3 6,+1+3:1 6,+1+3 |"
              "4,+6,+1:1 4,+6,+1:1/2 4,+6,+1 4,+6,+1:1 4,+6,+1 |"
              "5,+7,+2:1 5,+7,+2:1/2 5,+7,+2 5,+7,+2:1 5,+7,+2 |"
              "2+4+6:1 2+4+6:1/2 2+4+6 2+4+6:1 2+4+6 | 6,+1+3:1 6,+1+3:1/2 6,+1+3 6,+1+3:1 6,+1+3 |"
              "4,+6,+1:1 4,+6,+1:1/2 5,+7,+2 5,+7,+2:1 5,+7,+2 | 1+3+5:1 1+3+5:1/2 1+3+5 1+3+5:2"),
         (36, "1:2 1 | 6, 6, | 4, 4, | 5, 5, | 2 2 | 6, 6, | 4, 5, | 1 1")),
    ),
    Performer(
        "arpeggios", 76, 16,
        ((62, "1:1/4 3 5 3 1' 5 3 5 1 3 5 3 1' 5 3 5 | 1 4 6 4 1' 6 4 6 1 4 6 4 1' 6 4 6 |"
              "7, 2 5 2 7 5 2 5 7, 2 5 2 7 5 2 5 | 1 3 5 3 1' 5 3 5 1 3 5 3 1':1 |"
              "6,:1/4 1 3 1 6 3 1 3 6, 1 3 1 6 3 1 3 | 7, 2 5 2 7 5 2 5 2 5 7 5 2' 7 5 7 |"
              "3 5 1' 5 3' 1' 5 1' 3 5 1' 5 2' 7 5 7 | 1 3 5 3 1' 5 3 5 1 3 5 3 1:1"),
         (38, "1:4 4, 5, 1 6, 5, 3, 1")),
        MINOR, parts=4,
    ),
    Performer(
        "broken chords and a tune", 112, 16,
        ((72, "5:2 3:1 4 | 5 1' 5:2 | 4:1 3 2 3 | 2:4 | 5:2 3:1 4 | 5 6 5:2 | 4:1 2 7, 2 | 1:4"),
         (48, "1:1/2 5 3 5 1 5 3 5 | 1 5 3 5 1 6 4 6 | 7, 5 4 5 7, 5 4 5 | 7, 5 4 5 7, 5 4 5")),
    ),
    Performer(
        "waltz with a left hand", 138, 24,
        ((72, "3:1 5 1' | 7:2 6:1 | 5 3 4 | 5:3 | 4:1 6 1' | 7:2 5:1 | 6 5 2 | 3:3 |"
              "5:1 1' 3' | 2':2 1':1 | 7 5 6 | 7:3 | 6:1 1' 6 | 5 3 1 | 4 2 7, | 1:3"),
         (48, "1 3+5 3+5 | 5, 2+4 2+4 | 1 3+5 3+5 | 1 3+5 3+5 | 4, 6,+1 6,+1 | 5, 2+4 2+4 |"
              "5, 2+4 2+4 | 1 3+5 3+5 | 1 3+5 3+5 | 5, 2+4 2+4 | 5, 2+4 2+4 | 5, 2+4 2+4 |"
              "4, 6,+1 6,+1 | 1 3+5 3+5 | 5, 2+4 2+4 | 1 3+5 3+5")),
        bar=3,
    ),
    Performer(
        "swing tune", 144, 24,
        ((65, "5:1/2 6 1':1 6:1/2 5 3:1 | 2:1/2 3 5:1 . 3:1/2 2 | 1:1 6,:1/2 1 2:1 b3:1/2 3 |"
              "5:2 .:2 | 1':1/2 6 5:1 6:1/2 5 3:1 | 2:1/2 1 2:1 3 5 |"
              "6:1/2 1' 2':1 1':1/2 6 5:1 | b3:1/2 3 5:1 . 6:1/2 5 | 3:1 1:1/2 2 3:1 5:1/2 6 |"
              "1':3 5:1 | 6:1/2 5 3:1 2 1:1/2 2 | 1:2 ."),),
        swing=True, parts=3,
    ),
    Performer(
        "walking bass", 126, 16,
        ((41, "1 3 5 6 | b7 6 5 3 | 4 6 1' b3' | 3' 1' 6 5 | 1 2 3 5 | 4 #4 5 3 | 2 4 6 1' |"
              "5 4 3 2"),),
        parts=1,
    ),
    Performer(
        "funk bass", 98, 16,
        ((40, "1:1/4 . . 1 . 7, 1 . 3 . 4 . 1':1/2 7:1/4 5 | 1 . . 1 . 7, 1 . 4:1/2 3 1:1 |"
              "1:1/4 . . 1 . 7, 1 . 3 . 4 . 5:1/2 4:1/4 3 | 4 . . 4 . 3 4 . 7,:1/2 5, 1:1 |"
              "1:1/4 . 1' . . 7 5 . 4 . 3 . 1:1/2 7,:1/4 5, | 1 . . 3 . 4 5 . 4:1/2 3 4:1 |"
              "1:1/4 . . 1 . 7, 1 . 3 . 4 . 1':1/2 5:1/4 4 | 3 . . 1 . 5, 7, . 1:2"),),
        DORIAN, parts=4, velocity=90,
    ),
    Performer(
        "blues riff", 108, 24,
        ((58, "1:1/2 b3 3 5 6 5 .:1 | .:2 1:1/2 6, 5,:1 | 1:1/2 b3 3 5 6 7 .:1 | .:3 1:1 |"
              "4:1/2 b6 6 1' 2' 1' .:1 | .:2 6:1/2 4 b3:1 | 1:1/2 b3 3 5 6 5 .:1 | .:3 5,:1 |"
              "5:1/2 4 b3 1 5,:1 . | 4:1/2 b3 1 6, 5,:1 . | 1:1/2 b3 3 5 3:1 1 | 5,:1 . 1 ."),),
        BLUES, swing=True, parts=3, velocity=84,
    ),
    Performer(
        "five four", 152, 20,
        ((60, "1:3/2 5:1/2 1' 7:1 5 .:1/2 | 1:3/2 5:1/2 4 3:1 1 .:1/2 |"
              "1:3/2 5:1/2 1' 7:1 5 .:1/2 | 4:3/2 3:1/2 1 7,:1 1 .:1/2 |"
              "4:3/2 6:1/2 1' 6:1 4 .:1/2 | 3:3/2 5:1/2 7 5:1 3 .:1/2 |"
              "1:3/2 5:1/2 1' 7:1 2' .:1/2 | 1':3/2 5:1/2 4 3:1 1 .:1/2"),
         (36, "1:3 5,:2 | 1:3 5,:2 | 1:3 5,:2 | 1:3 5,:2 | 4:3 1:2 | 3:3 7,:2 | 1:3 5,:2 |"
              "1:3 5,:2")),
        DORIAN, bar=5,
    ),
    Performer(
        "seven eight", 132, 14,
        ((67, "1:1/2 2 3 4 3 5:1 | 4:1/2 3 2 3 2 1:1 | 1:1/2 2 3 5 4 3:1 | 2:1/2 1 7, 2 7, 1:1 |"
              "3:1/2 4 5 6 5 7:1 | 6:1/2 5 4 5 4 3:1 | 1:1/2 2 3 4 3 2:1 | 3:1/2 2 7, 1 7, 1:1"),),
        MINOR, bar=3.5,
    ),
    Performer(
        "jig", 116, 16,
        ((67, "5:1/3 3 1 1 3 5 6 4 6 | 5:2/3 3:1/3 | 5:1/3 3 1 1 3 5 4 2 1 | 2:1 |"
              "5:1/3 3 1 1 3 5 6 4 6 | 1':2/3 5:1/3 | 6 5 4 5 4 3 2 3 7, | 1:1 |"
              "1':1/3 7 6 5 6 7 | 1' 5 3 1:1 | 6:1/3 5 4 3 4 5 | 4 2 7, 5,:1 |"
              "1':1/3 7 6 5 6 7 | 1' 3' 1' 6 1' 6 | 5 3 1 4 2 7, | 1:2"),),
        bar=2, parts=3,
    ),
    Performer(
        "chorale", 72, 16,
        ((67, "1+5,+3,+1,, 2+5,+4,+7,, 3+5,+1+1,, 2+5,+7,+5,, |"
              "1+6,+3,+6,, 2+6,+4,+4,, 7,+5,+2,+5,, 1+5,+3,+1,, |"
              "3+5,+1+1, 4+6,+1+6,, 5+1+3+3, 4+2+7,+5, | 3+1+5,+1, 2+7,+5,+5,, 1+5,+3,+1,,:2 |"
              "5+3+1+1,:1 6+4+1+4, 5+3+1+1, 4+1+6,+6,, | 3+1+5,+1, 4+2+6,+2, 2+7,+5,+5,:2 |"
              "3+1+5,+1,:1 2+7,+5,+5,, 1+6,+3,+6,, 6,+4,+1+4,, |"
              "2+6,+4,+2, 7,+5,+4,+5,, 1+5,+3,+1,,:2"),),
        parts=1,
    ),
    Performer(
        "ballad", 63, 12,
        ((72, "3:3/2 2:1/2 1:1 5, | 6,:3/2 1:1/2 2:2 | 3:3/2 4:1/2 5:1 3 | 2:4 |"
              "3:3/2 2:1/2 1:1 6, | 1:4"),
         (48, "1+5+3':4 | 6,+3+1' | 4,+1+6 | 5,+2+7 | 6,+3+1' | 4,+1+6")),
        jitter=0.018, velocity=58,
    ),
    Performer(
        "bossa", 132, 16,
        ((60, "3+5+7:3/2 3+5+7:3/2 3+5+7:1 | .:1/2 3+5+7:3/2 3+5+7:2 |"
              "4+6+1':3/2 4+6+1':3/2 4+6+1':1 | .:1/2 2+4+7:3/2 2+4+7:2 |"
              "1+3+6:3/2 1+3+6:3/2 1+3+6:1 | .:1/2 4+6+1':3/2 4+6+1':2 |"
              "4+6+2':3/2 4+6+2':3/2 4+7+2':1 | .:1/2 3+5+7:3/2 3+5+1':2"),
         (36, "1:3/2 5:1/2 5:3/2 1:1/2 | 1:3/2 5:1/2 5:2 | 2:3/2 6:1/2 6:3/2 2:1/2 |"
              "5,:3/2 2:1/2 2:2 | 6,:3/2 3:1/2 3:3/2 6,:1/2 | 4:3/2 1':1/2 1':2 |"
              "2:3/2 6:1/2 5,:3/2 2:1/2 | 1:3/2 5:1/2 1:2")),
    ),
    Performer(
        "riff of five notes", 120, 16,
        ((69, "1':1/4 7 5 4 5:1/2 . 1':1/4 7 5 4 3:1/2 1 | . 1:1/4 3 4 5 7:1/2 5:1 . |"
              "1':1/4 7 5 4 5:1/2 . 7:1/4 5 4 3 1:1/2 . | 3:1/4 4 3 1 7,:1/2 1 . 3 1:1 |"
              "3':1/4 1' 7 5 7:1/2 . 1':1/4 7 5 7 1':1/2 5 | . 5:1/4 4 3:1/2 1 3:1 1 |"
              "1':1/4 7 5 4 5:1/2 . 1':1/4 7 5 4 3:1/2 1 | 4:1/4 3 1 7, 1:1 . 1"),),
        MINOR, parts=4, velocity=96,
    ),
    Performer(
        "rag", 88, 20,
        ((72, "5:1/4 6 1':1/2 5:1/4 6 1':1/2 | 3':1/4 1' 6:1/2 5:1 | 4:1/4 #4 5:1/2 3:1/4 1 2:1/2 |"
              "3:1/4 2 1:1/2 .:1 | 6:1/4 1' 2':1/2 6:1/4 1' 2':1/2 | b3':1/4 3' 1':1/2 6:1 |"
              "5:1/4 6 1' 5 3:1/2 5:1/4 3 | 2:1 . | 5:1/4 6 1':1/2 5:1/4 6 1':1/2 |"
              "3':1/4 1' 3':1/2 4':1 | 3':1/4 1' 6:1/2 2':1/4 7 5:1/2 | 1':1 . |"
              "4':1/4 3' 2':1/2 1':1/4 6 4:1/2 | 5:1/4 #5 6:1/2 1':1 | 2':1/4 #1' 2' 6 7:1/2 2' |"
              "1':1 . | 3:1/4 5 1' 3 5:1/2 3 | 2:1/4 4 6 2 4:1/2 6 |"
              "5:1/4 4 3 2 7,:1/2 5, | 1:1 ."),
         (48, "1,:1/2 3+5 5,, 3+5 | 1, 3+5 5,, 3+5 | 5,, 4+5 2, 4+5 | 1, 3+5 1, .")),
        parts=4, bar=2, velocity=84,
    ),
    Performer("ostinato", 118, 16, ((62, "1:1/4 5 2' 5 3' 5 2' 5"),), MINOR, parts=4),
    Performer(
        "march", 112, 16,
        ((65, "1 1 3:3/4 1:1/4 5:1 | 5:3/4 3:1/4 1:1 5, 1 | 2 2 4:3/4 2:1/4 7,:1 | 1 3 5 . |"
              "6 6 6:3/4 4:1/4 6:1 | 5:3/4 3:1/4 1:1 3 . | 4 4 2:3/4 3:1/4 4:1 | 5 2 1 ."),
         (41, "1 3+5 5, 3+5")),
        parts=4, velocity=88,
    ),
)  # fmt: skip


def prompts() -> list[Prompt]:
    """All of them, each as its performer plays it."""
    return [played(performer, seed) for seed, performer in enumerate(PERFORMERS)]
