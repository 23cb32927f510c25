"""What the steering knobs do to the shipped model's replies: notes a second, pitch, velocity.

    python -m tests.tools.measure_shaping [SETTING[,SETTING...] ...]

Endless replies to the shipped phrases, four seeds each, 15 seconds of each. The figures in
docs/playing.md and the constants in daemon/musician/shaping.py come from here.
"""

import sys
from pathlib import Path

import numpy as np

from daemon.inference.loading import load_model
from daemon.music.midi import read_messages
from daemon.musician.memory import StepModel
from daemon.render import perform
from daemon.settings.config_file import load

PHRASES = Path(__file__).parents[2] / "daemon" / "phrases"
SEEDS, SECONDS, TURN = (1, 2, 3, 4), 15.0, 0.7
USUAL = (
    *("", "steering.density=0.5", "steering.density=2", "steering.register=12"),
    *("steering.register=-12", "steering.dynamics=16", "steering.dynamics=-16"),
)


def replies(model: StepModel, settings: list[str]) -> tuple[int, float, list[int], list[int]]:
    """Notes, seconds, pitches and velocities of all replies."""
    pitches: list[int] = []
    velocities: list[int] = []
    seconds = 0.0
    config = load(None, ["turns.reply_length=endless", *settings])
    for path in sorted(PHRASES.glob("*.mid")):
        performance = read_messages(path)
        for seed in SEEDS:
            end = performance[-1][0] + TURN + SECONDS
            for _, message in perform(model, config, performance, seed, end):
                if message[0] & 0xF0 == 0x90:
                    pitches.append(message[1])
                    velocities.append(message[2])
            seconds += SECONDS
    return len(pitches), seconds, pitches, velocities


def main(lines: list[str]) -> None:
    model = load_model(load(None, ()))
    for line in lines or USUAL:
        notes, seconds, pitches, velocities = replies(model, [s for s in line.split(",") if s])
        print(
            f"{line or 'as learned':32} {notes / seconds:6.2f} notes/s, "
            f"pitch {np.mean(pitches):5.1f} ± {np.std(pitches):4.1f}, "
            f"velocity {np.mean(velocities):5.1f} ± {np.std(velocities):4.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
