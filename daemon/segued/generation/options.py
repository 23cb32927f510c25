"""The section `sampling` of the settings."""

from dataclasses import dataclass

from ..control.options import knob_option
from ..fields.options import integer, number, option


@dataclass(frozen=True)
class SamplingOptions:
    """How notes are drawn from the network's probabilities."""

    temperature: float = knob_option("temperature")
    top_p: float = knob_option("top_p")
    lowest_pitch: int = option(21, integer(0, 127), "no note below (21 is a piano's lowest A)")
    highest_pitch: int = option(108, integer(0, 127), "no note above (108 is a piano's highest C)")
    longest_note: float = option(
        8.0, number(0.1, 600), "seconds after which a note is released, whatever comes"
    )
    candidates: int = option(
        4,
        integer(1, 16),
        "best of n: it begins this many replies and plays the one most like your phrase; 1 takes "
        "the first",
    )
    max_notes_per_second: int = option(
        50, integer(1, 1000), "the most notes that it begins in a second"
    )
    seed: int | str = option(
        "random",
        integer(0, 2**63 - 1, "random"),
        "the same number and the same playing give the same reply",
    )
