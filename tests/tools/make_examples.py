"""Make the examples in tests/examples: each way of playing, each rule, each knob, as MIDI to open.

    python -m tests.tools.make_examples [NAME ...]

Track 1 is the performer (a shipped phrase, or part of one), track 2 the model. What was set when
stands in the name of track 2. The notes depend on the shipped model, and in the last bit on the
processor; what each example shows does not, and tests/player/test_examples.py looks at that.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segued.generation.context import StepModel
from segued.midi.files import read_messages, write_messages
from segued.model.loading import load_model
from segued.player.active_notes import MODEL
from segued.settings.yaml_file import load_settings

from tests.support.fakes import Session, Timed, note_off, note_on

FOLDER = Path(__file__).parents[1] / "examples"
PHRASES = Path(__file__).parents[2] / "daemon" / "segued" / "phrases"


def phrase(name: str, start: float = 0.0, end: float = 1e9, at: float = 0.0) -> list[Timed]:
    """A shipped phrase, or what begins in part of it, from a time on."""
    held: set[int] = set()
    timed = []
    for time, message in read_messages(next(PHRASES.glob(f"*{name}*"))):
        if message[0] & 0xF0 == 0x90 and message[2]:
            if not start <= time < end:
                continue
            held.add(message[1])
        elif message[0] & 0xF0 in (0x80, 0x90) and message[1] in held:
            held.discard(message[1])
        else:
            continue
        timed.append((at + time - start, message))
    return timed


def scale(at: float, pitches: Sequence[int], beat: float = 0.5) -> list[Timed]:
    """Quarter notes."""
    return [
        timed
        for i, pitch in enumerate(pitches)
        for timed in (
            (at + i * beat, note_on(pitch, 76)),
            (at + (i + 0.8) * beat, note_off(pitch)),
        )
    ]


@dataclass(frozen=True)
class Example:
    """What is played, what is set at the start, what is turned or asked for when, how long."""

    name: str
    shows: str
    performance: tuple[Timed, ...]
    seconds: float
    settings: tuple[str, ...] = ()
    turned: tuple[tuple[float, str, object], ...] = ()
    seed: int = 1


def example(
    name: str,
    shows: str,
    performance: Sequence[Timed],
    seconds: float,
    *settings: str,
    turned: Sequence[tuple[float, str, object]] = (),
    seed: int = 1,
) -> Example:
    return Example(name, shows, tuple(performance), seconds, settings, tuple(turned), seed)


def clock(*parts: tuple[float, float]) -> list[Timed]:
    """A sequencer's clock from 0 on: Start, then ticks in parts of (until, beats a minute)."""
    timed, now = [(0.0, b"\xfa")], 0.0
    for until, tempo in parts:
        while now < until:
            timed.append((now, b"\xf8"))
            now += 60.0 / tempo / 24
    return timed


def beside(*performances: Sequence[Timed]) -> list[Timed]:
    """Several at a time."""
    return sorted((row for rows in performances for row in rows), key=lambda row: row[0])


MINUET, ODE = phrase("minuet"), phrase("ode")
BREATHS = beside(
    scale(0, (60, 64, 67, 64, 62, 65, 69, 65), 0.7),
    *(
        beside(scale(bar, pair, 0.7), scale(bar + 3.5 * 0.7, upbeat, 0.35))
        for bar, pair, upbeat in (
            (5.6, (67, 71), (67,)),
            (8.4, (65, 69), (69,)),
            (11.2, (67, 71), (74,)),
        )
    ),
    scale(14.0, (72,), 2.1),
)
"""A tune at 86, with rests of two beats in its midst and a long tonic at its end."""
FOURS = scale(0, (60, 62, 64, 65, 67, 65, 64, 62, 60, 64, 67, 72, 71, 67, 62, 67))

RISING = (60, 64, 62, 65, 64, 67, 65, 69)
QUAVERS = scale(0, 3 * RISING, 0.25)
SPARSE = scale(0, (60, 64, 67, 65, 60), 12.0)
"""Five notes in a minute, each held for most of its time."""
DRUMS = [
    timed
    for i in range(40)
    for timed in (
        (i * 0.5, note_on(36 if i % 2 == 0 else 38, 100, channel=9)),
        (i * 0.5 + 0.1, note_off(36 if i % 2 == 0 else 38, channel=9)),
    )
]
FOREARM = [
    (at + later, message)
    for at in (0.0, 1.1)
    for pitch in range(48, 72)
    for later, message in ((0.0, note_on(pitch, 110)), (0.6, note_off(pitch)))
]

EXAMPLES = (
    example("continue", "call and response: on your beat, when your phrase is over", MINUET, 26),
    example("waits", "rests in mid-phrase are waited out; after the close it answers", BREATHS, 26),
    example(
        "interrupted",
        "the reply falls silent at the performer's key; the next takes up what was heard",
        [*MINUET, *phrase("minuet", 0, 3.0, at=14.0)],
        24,
    ),
    example(
        "quoting",
        "the minuet twice, then its beginning: the reply goes on as the minuet did",
        [*MINUET, *phrase("minuet", at=11.5), *phrase("minuet", 0, 5.15, at=23.0)],
        40,
        "turns.reply_length=8",
        seed=5,
    ),
    example(
        "expectation",
        "it comes in when the silence surprises the model, with a close after the minuet",
        [*MINUET, *phrase("ballad", at=24.0)],
        50,
        "turns.by=expectation",
        "turns.reply_length=8",
    ),
    example(
        "bars",
        "trading fours at 120: four bars each, however long the last note is held",
        [*FOURS, *[(time + 16, message) for time, message in FOURS]],
        34,
        "turns.by=bars",
    ),
    example(
        "hand",
        "a foot switch hands the floor over at 5 s and takes it back at 12 s",
        phrase("minuet", 0, 5),
        16,
        "turns.by=manual",
        "turns.reply_length=endless",
        turned=[(5.0, "do", "take"), (12.0, "do", "give")],
    ),
    example(
        "duet",
        "plays along, and rests 4 s after the last key",
        ODE,
        22,
        "steering.mode=duet",
        "steering.density=0.5",
        "steering.polyphony=4",
        "sampling.longest_note=2",
    ),
    example(
        "solo",
        "plays by itself; a phrase thrown in at 12 s changes what follows",
        phrase("minuet", 0, 4.0, at=12.0),
        36,
        "steering.mode=solo",
        seed=4,
    ),
    example(
        "modes",
        "continue, from 20 s duet, from 40 s solo, from 50 s listen",
        [*MINUET, *phrase("minuet", at=21.0), *phrase("ode", 0, 6, at=51)],
        60,
        turned=[(20.0, "mode", "duet"), (40.0, "mode", "solo"), (50.0, "mode", "listen")],
    ),
    example(
        "key",
        "D minor pentatonic, from 20 s E major: no other note is sent",
        MINUET,
        32,
        "turns.reply_length=endless",
        "steering.key=D",
        "steering.scale=minor pentatonic",
        turned=[(20.0, "scale", "major"), (20.0, "key", "E")],
    ),
    example(
        "follow",
        "the key is the performer's: G major, then (from 24 s) C major",
        [*MINUET, *phrase("ode", at=24.0)],
        50,
        "steering.key=follow",
        "turns.reply_length=10",
    ),
    example(
        "density",
        "half the notes, from 22 s as learned, from 32 s twice as many",
        MINUET,
        42,
        "turns.reply_length=endless",
        "steering.density=0.5",
        turned=[(22.0, "density", 1.0), (32.0, "density", 2.0)],
    ),
    example(
        "register",
        "leans an octave up, from 24 s an octave down",
        MINUET,
        44,
        "turns.reply_length=endless",
        "steering.register=12",
        turned=[(24.0, "register", -12)],
    ),
    example(
        "dynamics",
        "leans louder, from 22 s as learned, from 32 s softer",
        MINUET,
        42,
        "turns.reply_length=endless",
        "steering.dynamics=24",
        turned=[(22.0, "dynamics", 0), (32.0, "dynamics", -24)],
    ),
    example(
        "polyphony",
        "one voice, from 24 s two",
        MINUET,
        36,
        "turns.reply_length=endless",
        "steering.polyphony=1",
        turned=[(24.0, "polyphony", 2)],
    ),
    example(
        "gate",
        "shut from 15 s, in the midst of a reply, to 20 s; a phrase then is answered",
        [*MINUET, *phrase("minuet", 0, 4, at=21)],
        34,
        turned=[(15.0, "gate", False), (20.0, "gate", True)],
    ),
    example(
        "hold",
        "a reply is held at 18 s and looped while the performer plays over it; let go at 34 s",
        [*MINUET, *phrase("minuet", 0, 8, at=24)],
        44,
        turned=[(18.0, "hold", True), (34.0, "hold", False)],
    ),
    example(
        "grid",
        "the reply begins on the bar (at 6 s), every note of it on a sixteenth at 120",
        FOURS[:16],
        16,
        "sync.launch_quantize=bar",
        "steering.quantize_strength=1",
        "turns.reply_length=8",
    ),
    example(
        "tempo",
        "MIDI clock at 120, from 12 s at 90: the reply keeps to its sixteenths",
        beside(clock((12.0, 120.0), (26.0, 90.0)), FOURS[:16]),
        26,
        "sync.launch_quantize=bar",
        "steering.quantize_strength=1",
        "turns.reply_length=endless",
    ),
    example(
        "stop",
        "Stop in the DAW at 10 s silences the reply; the phrase at 12 s is not answered, the one "
        "after Start at 18 s is",
        beside(
            clock((10.0, 120.0)),
            [(10.0, b"\xfc"), (18.0, b"\xfa")],
            FOURS[:16],
            scale(12, (60, 64, 67, 72)),
            scale(18, (60, 64, 67, 72)),
        ),
        28,
        "turns.reply_length=endless",
    ),
    example(
        "off-beat",
        "a tune in quavers breaks off on an off-beat: the reply comes on the beat",
        QUAVERS[:44],
        14,
    ),
    example(
        "double",
        "crotchets, then twice as fast: the reply keeps to the new tempo",
        [*scale(0, RISING, 0.6), *scale(4.8, 4 * RISING, 0.3)],
        26,
    ),
    example("sparse", "five notes in a minute: each is answered until the next", SPARSE, 62),
    example(
        "drums",
        "a drum machine on channel 10 beside a tune: it is not heard, and the tune is answered",
        beside(DRUMS, FOURS),
        20,
    ),
    example("forearm", "two clusters of two octaves are answered", sorted(FOREARM), 12),
    example(
        "lost-note-off",
        "the last key never comes up: after 4 s it counts no more",
        FOURS[:31],
        20,
        "turns.longest_key=4",
    ),
    example(
        "other-clock",
        "a tune at 100 beside a MIDI clock at 120: the reply comes on the clock's beat",
        beside(clock((22.0, 120.0)), scale(0, 2 * RISING, 0.6)),
        22,
    ),
    example(
        "forget",
        "all is forgotten at 20 s: the reply to the last phrase knows nothing of the minuet",
        [*MINUET, *phrase("ballad", 0, 4, at=22)],
        36,
        turned=[(20.0, "do", "forget")],
    ),
)


def play(model: StepModel, example: Example) -> tuple[list[Timed], list[Timed]]:
    """Both parts of an example."""
    played: list[tuple[float, str, object]] = [
        (time, "receive", message) for time, message in example.performance
    ]
    played += [
        (time, "do" if name == "do" else f"set {name}", value)
        for time, name, value in example.turned
    ]
    session = Session(model, load_settings(None, example.settings), example.seed)
    for time, name, value in sorted(played, key=lambda move: move[0]):
        session.until(max(session.now, time))
        if name.startswith("set "):
            session.set(name[4:], value)
        else:
            getattr(session, name)(value)
    session.until(example.seconds)
    session.player.silence(session.now)
    performed = [row for row in example.performance if row[1][0] < 0xF0]  # a file holds no clock
    return performed, [(time, message) for time, owner, message in session.log if owner == MODEL]


def make(model: StepModel, example: Example, folder: Path) -> None:
    """Write one example."""
    performer, model_part = play(model, example)
    settings = ", ".join(example.settings)
    title = f"Segue: {example.shows}" + (f" ({settings})" if settings else "")
    write_messages(folder / f"{example.name}.mid", [("Performer", performer), (title, model_part)])


def main(names: Sequence[str]) -> None:
    model = load_model(load_settings(None, ()))
    for chosen in EXAMPLES:
        if not names or chosen.name in names:
            make(model, chosen, FOLDER)
            print(chosen.name, "-", chosen.shows, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
