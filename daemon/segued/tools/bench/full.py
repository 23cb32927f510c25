"""Measures thru with all features on at once: a duet in a key, quantized, with turning knobs."""

from collections.abc import Sequence

from ...midi.messages import control_change, is_note_on, note_off, note_on
from ..live_session import Arrived, LiveSession
from .report import Figure

EVERYTHING = (
    "steering.mode=duet",
    "steering.key=follow",
    "steering.density=1.2",
    "steering.register=3",
    "steering.dynamics=4",
    "steering.polyphony=8",
    "steering.quantize_strength=0.5",
    "ports.reply_channel=16",
    "control.map=[{cc: 20, knob: temperature}, {cc: 21, knob: density}, {note: 0, action: take}]",
)
SECONDS = 30.0
EVENT = 0.05  # seconds between the performer's events: 20 per second
CHORD = 10  # notes, every two seconds
VELOCITIES = [v for v in range(1, 128) if v % 4 != 3]  # none of the model's, so no note is an echo


def measure(settings: Sequence[str]) -> list[Figure]:
    """The latency of thru for single notes and for chords of ten."""
    with LiveSession(settings, "Segue Bench", module=("segued.tools.bench.relay", "pass")) as stage:
        bare_notes, bare_chords = thru_of(stage)
    with LiveSession([*settings, *EVERYTHING], "Segue Bench") as stage:
        notes, chords = thru_of(stage)
    return [
        Figure("thru, everything on", "ms", notes, bare_notes, 1.0, "p99", over_floor=True,
               note="a duet in a followed key, quantized, turning knobs, 20 events/s"),
        Figure("thru of ten keys at once, everything on", "ms", chords, bare_chords, 1.0, "p99",
               over_floor=True, note="from sending the first key to the return of the last"),
    ]  # fmt: skip


def performance() -> list[Arrived]:
    """Notes and a turning fader at 20 events a second; every two seconds ten keys at once.

    No two note-ons that are near each other are the same message.
    """
    played: list[Arrived] = []
    for i in range(int(SECONDS / EVENT)):
        time, velocity = i * EVENT, VELOCITIES[i % len(VELOCITIES)]
        if i % 40 == 20:
            played += [(time, note_on(0, 30 + 6 * n, velocity)) for n in range(CHORD)]
            played += [(time + 0.9, note_off(0, 30 + 6 * n)) for n in range(CHORD)]
        elif i % 4 == 3:
            played.append((time, control_change(0, 20, 40 + i % 40)))
        else:
            pitch = 31 + 6 * (i % 9)
            played.append((time, note_on(0, pitch, velocity)))
            played.append((time + 0.03, note_off(0, pitch)))
    return sorted(played, key=lambda timed: timed[0])


def thru_of(stage: LiveSession) -> tuple[list[float], list[float]]:
    """Milliseconds until the return of each single note-on, and of the last one of each chord."""
    sent, arrived = stage.play(performance(), lambda now, _: now > SECONDS + 1.0, SECONDS + 2.0)
    back: dict[bytes, list[float]] = {}
    for time, message in arrived:
        back.setdefault(message, []).append(time)
    turns: dict[int, list[Arrived]] = {}
    for time, message in sent:
        if is_note_on(message):
            turn = message[2] + 128 * int(time / (len(VELOCITIES) * EVENT))
            turns.setdefault(turn, []).append((time, message))
    notes: list[float] = []
    chords: list[float] = []
    for struck in turns.values():
        began = struck[0][0]
        ends = [min((t for t in back.get(m, ()) if t >= began), default=-1.0) for _, m in struck]
        if min(ends) < 0:
            raise RuntimeError("a note did not return")
        (chords if len(struck) == CHORD else notes).append(1000 * (max(ends) - began))
    return notes, chords
