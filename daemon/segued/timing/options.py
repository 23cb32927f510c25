"""The section `sync` of the settings."""

from dataclasses import dataclass

from ..fields.options import choice, integer, number, option
from .clock import AUTO, GRID, GRIDS


@dataclass(frozen=True)
class SyncOptions:
    """Tempo and clock (docs/daw.md)."""

    clock: str = option(
        "follow",
        choice("follow", "ignore", "send"),
        "follow incoming MIDI clock, Start, Stop and Song Position, ignore them, or send them",
    )
    stopped: str = option(
        "silent",
        choice("silent", "free"),
        "while the DAW is stopped: silent, Segue does not play until Start or Continue; free, its "
        "notes end at Stop, but it goes on answering you",
    )
    beats_per_bar: int = option(
        4, integer(1, 32), "beats per bar (MIDI clock does not transmit the time signature)"
    )
    launch_quantize: str = option(
        AUTO,
        choice(*GRIDS, AUTO),
        "when a reply begins: now, on the next beat or on the next bar; auto: on the next beat of "
        "the MIDI clock or, without one, of your playing, or at once if that has no pulse",
    )
    grid: str = option(
        "sixteenth",
        choice(*GRID),
        "the grid to which steering.quantize_strength moves notes",
    )
    output_latency_ms: float = option(
        0.0,
        number(-500, 500),
        "the latency of your synth: notes are sent earlier by this much (negative: later)",
    )
    late_notes: str = option(
        "shift",
        choice("shift", "drop", "shorten"),
        "what happens to notes for which the machine was too slow: shift them and all later notes, "
        "drop them, or shorten them (play them late and end them on time)",
    )
    late_after_ms: float = option(
        20.0, number(1, 1000), "the delay in milliseconds from which on a note counts as late"
    )
