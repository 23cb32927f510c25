"""What the steering knobs do to the shipped model's replies: notes a second, pitch, velocity.

    python -m tests.tools.measure_shaping [--seeds N] [SETTING[,SETTING...] ...]

Endless replies to the shipped phrases, four seeds each, 15 seconds of each. The figures in
docs/playing.md and the constants in daemon/segued/generation/shaping.py come from here: without
SETTINGs the last lines say which constants would make up for what is missing. Put them there and
measure again: the model follows its own notes, so the second fit is better than the first. Do that
with each new model.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from segued.generation import shaping
from segued.generation.context import StepModel
from segued.midi.files import read_messages
from segued.model.loading import load_model
from segued.settings.yaml_file import load_settings
from segued.tools.render import perform

PHRASES = Path(__file__).parents[2] / "daemon" / "segued" / "phrases"
SECONDS, TURN = 15.0, 0.7
USUAL = (
    *("", "steering.density=0.5", "steering.density=2", "steering.register=12"),
    *("steering.register=-12", "steering.dynamics=16", "steering.dynamics=-16"),
)


@dataclass(frozen=True)
class Heard:
    """What replies were like: notes a second, mean pitch and mean velocity."""

    notes: float
    pitch: float
    velocity: float


def replies(model: StepModel, settings: Sequence[str], seeds: int) -> Heard:
    """Play to it, and listen."""
    pitches: list[int] = []
    velocities: list[int] = []
    seconds = 0.0
    config = load_settings(None, ["turns.reply_length=endless", *settings])
    for path in sorted(PHRASES.glob("*.mid")):
        performance = read_messages(path)
        for seed in range(1, seeds + 1):
            end = performance[-1][0] + TURN + SECONDS
            for _, message in perform(model, config, performance, seed, end):
                if message[0] & 0xF0 == 0x90:
                    pitches.append(message[1])
                    velocities.append(message[2])
            seconds += SECONDS
    return Heard(len(pitches) / seconds, float(np.mean(pitches)), float(np.mean(velocities)))


def fitted(heard: Mapping[str, Heard]) -> dict[str, float | tuple[float, ...]]:
    """The constants of `segued.generation.shaping` by which the knobs would do what they say.

    A leaning's effect goes with the constants of density, and with the inverse square of a spread.
    What does not move at all, or the wrong way, cannot be made up for: ValueError.
    """
    plain = heard[""]

    def density(asked: float, constants: tuple[float, ...]) -> tuple[float, ...]:
        share = math.log(heard[f"steering.density={asked:g}"].notes / plain.notes) / math.log(asked)
        if share <= 0:
            raise ValueError(f"density {asked:g} does not lead to that direction at all")
        return tuple(round(constant / share, 2) for constant in constants)

    def spread(knob: str, asked: int, part: str, constant: float) -> float:
        up, down = heard[f"steering.{knob}={asked}"], heard[f"steering.{knob}={-asked}"]
        share = (getattr(up, part) - getattr(down, part)) / (2 * asked)
        if share <= 0:
            raise ValueError(f"{knob} does not lead to that direction at all")
        return round(constant * math.sqrt(share), 1)

    return {
        "PITCH_SPREAD": spread("register", 12, "pitch", shaping.PITCH_SPREAD),
        "VELOCITY_SPREAD": spread("dynamics", 16, "velocity", shaping.VELOCITY_SPREAD),
        "MORE_NOTES": density(2.0, shaping.MORE_NOTES),
        "FEWER_NOTES": density(0.5, shaping.FEWER_NOTES),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("settings", nargs="*", metavar="SETTING[,SETTING...]")
    parser.add_argument("--seeds", type=int, default=4, metavar="N")
    arguments = parser.parse_args()
    model = load_model(load_settings(None, ()))
    heard: dict[str, Heard] = {}
    for line in arguments.settings or USUAL:
        heard[line] = one = replies(model, [s for s in line.split(",") if s], arguments.seeds)
        print(
            f"{line or 'as learned':32} {one.notes:6.2f} notes/s, pitch {one.pitch:5.1f}, "
            f"velocity {one.velocity:5.1f}",
            flush=True,
        )
    if not arguments.settings:
        for name, value in fitted(heard).items():
            print(f"{name} = {value}")


if __name__ == "__main__":
    main()
