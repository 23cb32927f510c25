"""What settings do to the texture, the pace and the register of replies, beside the performer's.

    python -m tests.tools.measure_texture [--seeds N] [--only REGEX] [SETTING[,SETTING...] ...]

The performances of `segue-export duet`, each answered by the shipped model. A row for each group of
settings: means over the replies, and how many times the performer's each is.
"""

import argparse
import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from segue_export.judge.duet import events_of
from segue_export.judge.duet_measures import Part, time
from segue_export.judge.duet_prompts import Prompt, prompts
from segue_export.judge.session import messages
from segued.generation.context import StepModel
from segued.midi.notes import notes_of
from segued.model.loading import load_model
from segued.settings.yaml_file import load_settings
from segued.tools.render import perform

MEASURES: Mapping[str, Callable[[Part], float]] = {
    "keys at once": lambda part: part.polyphony,
    "onsets/s": lambda part: max(1, len(part.times) - 1) / part.seconds,
    "notes/s": lambda part: part.rate,
}
Answered = tuple[Prompt, Part, Part]
"""A performance, and both sides of the duet."""
HEAD = "".join(f"{name:>20}" for name in (*MEASURES, "semitones off", "own pulse", "no reply"))


def replies(
    model: StepModel, every: Sequence[Prompt], settings: Sequence[str], seeds: int
) -> tuple[list[Answered], int]:
    """Each performance with the reply to it, and how many got none."""
    config, answered, silent = load_settings(None, settings), [], 0
    for prompt in every:
        heard, end = messages(events_of(prompt.heard)), max(note.end for note in prompt.heard)
        for seed in range(1, seeds + 1):
            notes = [n for n in notes_of(perform(model, config, heard, seed)) if n.start >= end]
            if len(notes) > 1:
                answered.append((prompt, Part(prompt.heard), Part(notes)))
            else:
                silent += 1
    return answered, silent


def times(answered: Sequence[Answered]) -> dict[str, float]:
    """How many times the performers' the replies' are, in the geometric mean, by measure."""
    found = {}
    for name, of in MEASURES.items():
        octaves = [math.log2(of(reply) / of(heard)) for _, heard, reply in answered]
        found[name] = 2.0 ** (sum(octaves) / len(octaves))
    return found


def row(answered: Sequence[Answered], silent: int) -> str:
    """One row of the table."""
    cells = [
        f"{np.mean([of(reply) for _, _, reply in answered]):.2f} ({times(answered)[name]:.2f})"
        for name, of in MEASURES.items()
    ]
    off = np.mean([abs(reply.pitch.mean() - heard.pitch.mean()) for _, heard, reply in answered])
    pulse = np.nanmean([time(prompt, heard, reply)["pulse"] for prompt, heard, reply in answered])
    cells += [f"{off:.1f}", f"{pulse:.2f}", f"{silent}"]
    return "".join(f"{cell:>20}" for cell in cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("settings", nargs="*", metavar="SETTING[,SETTING...]")
    parser.add_argument("--seeds", type=int, default=1, metavar="N")
    parser.add_argument("--only", default="", metavar="REGEX", help="of the performances' names")
    arguments = parser.parse_args()
    model = load_model(load_settings(None, ()))
    every = [prompt for prompt in prompts() if re.search(arguments.only, prompt.name)]
    print(f"{'':32}{HEAD}")
    for line in ("", *arguments.settings):
        answered = replies(model, every, [s for s in line.split(",") if s], arguments.seeds)
        print(f"{line or 'as you':32}{row(*answered)}", flush=True)


if __name__ == "__main__":
    main()
