"""Make the examples of control in tests/examples: faders, pads, pedals, presets, zones, MPE.

    python -m tests.tools.make_control_examples [NAME ...]

Track 1 is the performer with all that the hands do to controls, track 2 what of it goes thru, track
3 the model. The settings stand in the name of track 3.
tests/control/test_control_examples.py looks at what each one shows.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from segued.generation.context import StepModel
from segued.midi.files import write_messages
from segued.model.loading import load_model
from segued.player.active_notes import MODEL, PERFORMER
from segued.settings.yaml_file import load_settings

from tests.support.fakes import Session, Timed, control, note_off, note_on
from tests.tools.make_examples import FOLDER, Example, example, phrase

MINUET, ODE = phrase("minuet"), phrase("ode")


def program(number: int, channel: int = 0) -> bytes:
    return bytes((0xC0 | channel, number - 1))


def sweep(controller: int, start: float, end: float, low: int, high: int) -> list[Timed]:
    """A fader that goes from one place to another."""
    count = abs(high - low)
    step = 1 if high > low else -1
    return [
        (start + (end - start) * i / count, control(controller, low + step * i))
        for i in range(count + 1)
    ]


def on_members(performance: Sequence[Timed], bend: int) -> list[Timed]:
    """The same on an MPE keyboard, all its notes bent."""
    members: dict[int, int] = {}
    timed: list[Timed] = [(0.0, control(c, v)) for c, v in ((101, 0), (100, 6), (6, 15))]
    for time, message in performance:
        if message[0] & 0xF0 == 0x90:
            free = next(c for c in range(1, 16) if c not in members.values())
            members[message[1]] = free
            timed.append((time, bytes((0xE0 | free, bend & 0x7F, bend >> 7))))
        member = members[message[1]]
        timed.append((time, bytes((message[0] & 0xF0 | member,)) + message[1:]))
        if message[0] & 0xF0 == 0x80:
            del members[message[1]]
    return timed


PRESETS = (
    "control.presets=[{name: calm, density: 0.4, dynamics: -24}, {name: wild, density: 2, "
    "temperature: 1.3, dynamics: 20}]"
)
ENDLESS = "turns.reply_length=endless"

EXAMPLES = (
    example(
        "fader",
        "CC 20 is density: drawn down from 18 s, pushed up from 30 s",
        [*MINUET, *sweep(20, 18, 22, 95, 5), *sweep(20, 30, 34, 5, 120)],
        42,
        ENDLESS,
        "control.map=[{cc: 20, knob: density, low: 0.25, high: 1.25}]",
        seed=2,
    ),
    example(
        "foot-switch",
        "a foot switch (CC 64) gives Segue the floor at 5 s while it is down, until 12 s",
        [*phrase("minuet", 0, 5), (5.0, control(64, 127)), (12.0, control(64, 0))],
        16,
        "turns.by=manual",
        ENDLESS,
        "control.map=[{cc: 64, action: take, release: give}]",
    ),
    example(
        "presets",
        "program 2 is wild, at 24 s program 1 is calm; then CC 20 must pass the density to turn it",
        [*MINUET, (15.0, program(2)), (24.0, program(1)), *sweep(20, 30, 38, 127, 0)],
        44,
        ENDLESS,
        PRESETS,
        "control.map=[{program: 1, preset: calm}, {program: 2, preset: wild}, "
        "{cc: 20, knob: density}]",
    ),
    example(
        "pads",
        "pads on channel 10: 36 solo, 37 duet, 38 shuts the gate while it is held (30 to 33 s)",
        [
            *[(1.0, note_on(36, 99, 9)), (1.1, note_off(36, channel=9))],
            *[(12.0, note_on(37, 99, 9)), (12.1, note_off(37, channel=9))],
            *phrase("minuet", 0, 8, at=13.0),
            *[(22.0, note_on(36, 99, 9)), (22.1, note_off(36, channel=9))],
            *[(30.0, note_on(38, 99, 9)), (33.0, note_off(38, channel=9))],
        ],
        40,
        "control.map=[{note: 36, channel: 10, knob: mode, value: solo}, "
        "{note: 37, channel: 10, knob: mode, value: duet}, "
        "{note: 38, channel: 10, knob: gate, momentary: true, value: false}]",
    ),
    example(
        "learn",
        "pad 40 at 16 s, then CC 33 moves: it is density from then on",
        [
            *MINUET,
            *[(16.0, note_on(40, 99, 9)), (16.1, note_off(40, channel=9))],
            *sweep(33, 18, 22, 40, 0),
        ],
        34,
        ENDLESS,
        "control.map=[{note: 40, channel: 10, learn: density, low: 0.25, high: 3}]",
    ),
    example(
        "split",
        "keys below C4 only go thru: the left hand plays on through the reply",
        [*phrase("minuet"), *[(t, m) for t, m in phrase("minuet", at=14.0) if m[1] < 60]],
        30,
        "ports.zones=[{high: B3, to: thru}]",
        "turns.reply_length=10",
    ),
    example(
        "mpe",
        "an MPE keyboard with all notes bent a semitone up, flat thru: the ode in D flat",
        on_members(ODE, 8192 + 171),
        30,
        "ports.mpe_thru=flat",
        "turns.reply_length=8",
    ),
)  # fmt: skip


@dataclass
class Played:
    """The parts of an example."""

    thru: list[Timed]
    model: list[Timed]
    session: Session


def play(model: StepModel, example: Example) -> Played:
    """The parts of an example."""
    session = Session(model, load_settings(None, example.settings), example.seed)
    for time, message in sorted(example.performance, key=lambda timed: timed[0]):
        session.until(max(session.now, time))
        session.receive(message)
    session.until(example.seconds)
    session.player.silence(session.now)
    parts = {
        owner: [(time, message) for time, by, message in session.log if by == owner]
        for owner in (PERFORMER, MODEL)
    }
    return Played(parts[PERFORMER], parts[MODEL], session)


def main(names: Sequence[str]) -> None:
    model = load_model(load_settings(None, ()))
    for chosen in EXAMPLES:
        if names and chosen.name not in names:
            continue
        played = play(model, chosen)
        performer = sorted(chosen.performance, key=lambda timed: timed[0])
        title = f"Segue: {chosen.shows} ({', '.join(chosen.settings)})"
        tracks = [("Performer", performer), ("Thru", played.thru), (title, played.model)]
        write_messages(FOLDER / f"{chosen.name}.mid", tracks)
        print(chosen.name, "-", chosen.shows, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
