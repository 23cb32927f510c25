"""The section `sync` of the settings."""

from dataclasses import dataclass

from ..fields.options import choice, integer, number, option
from .clock import AUTO, GRID, GRIDS


@dataclass(frozen=True)
class SyncOptions:
    """Time: the DAW's or its own (docs/daw.md)."""

    clock: str = option(
        "follow",
        choice("follow", "ignore", "send"),
        "follow or ignore incoming MIDI clock, Start, Stop and Song Position, or send them",
    )
    stopped: str = option(
        "silent",
        choice("silent", "free"),
        "while the DAW is stopped, silent: it does not play until Start or Continue; free: its "
        "notes end at Stop, but it goes on answering you",
    )
    beats_per_bar: int = option(4, integer(1, 32), "MIDI clock does not say")
    launch_quantize: str = option(
        AUTO,
        choice(*GRIDS, AUTO),
        "a reply begins now, on the next beat, or on the next bar; auto: on the next beat of the "
        "MIDI clock or, without one, of your own playing, and at once where that has no pulse",
    )
    grid: str = option(
        "sixteenth",
        choice(*GRID),
        "the grid that steering.quantize_strength moves notes to",
    )
    output_latency_ms: float = option(
        0.0,
        number(-500, 500),
        "how late your synth sounds: notes are sent so much earlier (below 0: later)",
    )
    late_notes: str = option(
        "shift",
        choice("shift", "drop", "shorten"),
        "when the machine was too slow for a note: shift it and all after it, drop it, or play it "
        "late and end it on time",
    )
    late_after_ms: float = option(
        20.0, number(1, 1000), "from how many milliseconds on a note counts as late"
    )
