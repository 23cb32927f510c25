"""The section `sampling` of the settings."""

from dataclasses import dataclass

from ..control.options import knob_option
from ..fields.options import integer, number, option


@dataclass(frozen=True)
class SamplingOptions:
    """Sampling: how notes are drawn from the network's probabilities."""

    temperature: float = knob_option("temperature")
    top_p: float = knob_option("top_p")
    lowest_pitch: int = option(
        21, integer(0, 127), "the lowest note that Segue plays (21 is a piano's lowest A)"
    )
    highest_pitch: int = option(
        108, integer(0, 127), "the highest note that Segue plays (108 is a piano's highest C)"
    )
    longest_note: float = option(
        8.0, number(0.1, 600), "seconds after which a note is released in any case"
    )
    candidates: int = option(
        4,
        integer(1, 16),
        "best of n: Segue generates this many candidates and plays the best, by its likelihood and "
        "its similarity to your phrase; 1: no choice",
    )
    max_notes_per_second: int = option(
        50, integer(1, 1000), "the most notes that Segue begins in a second"
    )
    seed: int | str = option(
        "random",
        integer(0, 2**63 - 1, "random"),
        "the same seed and the same playing give the same reply",
    )
