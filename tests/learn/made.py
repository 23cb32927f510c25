"""Takes that tests make up: sessions in which somebody plays, and Segue answers."""

from pathlib import Path

import numpy as np
from segued.midi.smf import Ticked
from segued.recording.performance import TICKS, Recording, write_recording

Note = tuple[float, float, int]
"""Seconds of its begin and its end, and its pitch."""


def tune(seed: int, begin: float = 0.0, notes: int = 60, low: int = 55) -> list[Note]:
    """A melody that walks at random, four notes a second."""
    rng = np.random.default_rng(seed)
    pitches = low + np.cumsum(rng.integers(-4, 5, notes)) % 24
    return [(begin + 0.25 * i, begin + 0.25 * i + 0.2, int(p)) for i, p in enumerate(pitches)]


def messages(notes: list[Note], velocity: int = 70) -> list[Ticked]:
    """Note-ons and note-offs in ticks of a recording; a note that ends at `inf` has no note-off."""
    found = [(int(on * TICKS), bytes((0x90, pitch, velocity))) for on, _, pitch in notes]
    found += [
        (int(off * TICKS), bytes((0x80, pitch, 64)))
        for _, off, pitch in notes
        if off < float("inf")
    ]
    return sorted(found)


def recording(path: Path, performed: list[Note], played: list[Note] | None = None) -> Path:
    """What segued would have written with `record.folder`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Recording.of({"seed": "1"}, [])
    made.performed, made.played = messages(performed), messages(played or [])
    write_recording(path, made)
    return path
