"""Makes the phrases in daemon/segued/phrases, which `segued demo` plays.

Two are in the public domain (Petzold's minuet of 1725, Beethoven's theme of 1824), one is our own.
The timing is a little human, from a fixed seed: chords are not struck by a machine.

    python tests/tools/make_phrases.py
"""

import random
from pathlib import Path

from segued.midi.files import write_messages

FOLDER = Path(__file__).parents[2] / "daemon" / "segued" / "phrases"
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

# (pitches or "-" for a rest, beats), melody and bass of each phrase
MINUET = (
    "D5:1 G4:.5 A4:.5 B4:.5 C5:.5 D5:1 G4:1 G4:1 E5:1 C5:.5 D5:.5 E5:.5 F#5:.5 G5:1 G4:1 G4:1 "
    "C5:1 D5:.5 C5:.5 B4:.5 A4:.5 B4:1 C5:.5 B4:.5 A4:.5 G4:.5 F#4:1 G4:.5 A4:.5 B4:.5 G4:.5 A4:3",
    "G3+B3+D4:2 A3:1 B3:3 C4:3 B3:3 A3:3 G3:3 D4:1 B3:1 G3:1 D4:1 D3:1 C4:1",
)
ODE = (
    "E4:1 E4:1 F4:1 G4:1 G4:1 F4:1 E4:1 D4:1 C4:1 C4:1 D4:1 E4:1 E4:1.5 D4:.5 D4:2 "
    "E4:1 E4:1 F4:1 G4:1 G4:1 F4:1 E4:1 D4:1 C4:1 C4:1 D4:1 E4:1 D4:1.5 C4:.5 C4:2",
    "C3+G3:4 G2+B3:4 A2+E3:4 G2+G3:2 G2+F3:2 C3+G3:4 G2+B3:4 A2+E3:2 F2+C3:2 G2+B2+F3:2 C3+E3:2",
)
BALLAD = (
    "-:2 E5:1 D5:.5 C5:.5 A4:3 -:1 C5:1 B4:.5 A4:.5 F4:2 G4:1.5 A4:.5 G4:1 E4:1 D4:1 E4:3",
    "A2:.5 E3:.5 A3:.5 C4:.5 E4:1 C4:1 F2:.5 C3:.5 F3:.5 A3:.5 C4:1 A3:1 C3:.5 G3:.5 C4:.5 E4:.5 "
    "G3:1 E3:1 G2:.5 D3:.5 G3:.5 B3:.5 D4:1 B3:1 A2+E3+C4:3",
)


def pitch(name: str) -> int:
    """C4 is 60."""
    letter, octave = name[0], int(name[-1])
    return 12 * (octave + 1) + STEPS[letter] + name.count("#")


def part(score: str, beat: float, velocity: int, rng: random.Random) -> list[tuple[float, bytes]]:
    """A line of a score as timed messages, with human unevenness."""
    messages, position = [], 0.0
    for item in score.split():
        names, _, beats = item.partition(":")
        length = float(beats) * beat
        accent = 6 if position % (4 * beat) < 1e-6 else 0
        for name in names.split("+") if names != "-" else []:
            start = max(0.0, position + rng.gauss(0.0, 0.009))
            end = start + length * rng.uniform(0.82, 0.95)
            loud = min(127, max(1, velocity + accent + rng.randint(-6, 6)))
            messages.append((start, bytes((0x90, pitch(name), loud))))
            messages.append((end, bytes((0x80, pitch(name), 64))))
        position += length
    return messages


def pedal(every: float, count: int) -> list[tuple[float, bytes]]:
    """The sustain pedal, changed at regular intervals."""
    messages = []
    for i in range(count):
        messages.append((i * every + 0.08, bytes((0xB0, 64, 127))))
        messages.append(((i + 1) * every - 0.03, bytes((0xB0, 64, 0))))
    return messages


def main() -> None:
    """Write the three phrases."""
    FOLDER.mkdir(exist_ok=True)
    for name, (melody, bass), beat, pedalled in (
        ("petzold-minuet", MINUET, 0.48, False),
        ("beethoven-ode", ODE, 0.42, False),
        ("own-ballad", BALLAD, 0.6, True),
    ):
        rng = random.Random(name)
        messages = part(melody, beat, 74, rng) + part(bass, beat, 58, rng)
        if pedalled:
            messages += pedal(4 * beat, 4)
        messages.sort(key=lambda timed: timed[0])
        write_messages(FOLDER / f"{name}.mid", [(name, messages)])


if __name__ == "__main__":
    main()
