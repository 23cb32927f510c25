"""Draws a piano roll of several parts as text."""

from collections.abc import Sequence

from ..control.knobs import note_name
from ..midi.notes import Note

COLOURS = ("\x1b[36m", "\x1b[33m")  # performer cyan, model yellow
RESET = "\x1b[0m"
MARKS = ("▒", "█")  # performer, model: told apart without colours too
ONSETS = ("▓", "▉")


def draw(parts: Sequence[Sequence[Note]], width: int = 100, colour: bool = False) -> str:
    """A piano roll of all parts over the same time, one line per pitch, the highest first."""
    every = [note for part in parts for note in part]
    if not every:
        return "(silence)"
    start = min(note.start for note in every)
    seconds = max(0.1, max(note.end for note in every) - start)
    low, high = min(n.pitch for n in every), max(n.pitch for n in every)
    cells = [[" "] * width for _ in range(high - low + 1)]
    for index, part in enumerate(parts):
        for note in part:
            first = min(width - 1, int((note.start - start) / seconds * width))
            last = min(width - 1, max(first, int((note.end - start) / seconds * width) - 1))
            row = cells[high - note.pitch]
            for column in range(first, last + 1):
                mark = (ONSETS if column == first else MARKS)[index % 2]
                row[column] = f"{COLOURS[index % 2]}{mark}{RESET}" if colour else mark
    lines = []
    for row, pitch in zip(cells, range(high, low - 1, -1), strict=True):
        if pitch % 12 == 0 or pitch in (low, high):
            lines.append(f"{note_name(pitch):>4} ┤" + "".join(row).rstrip())
        else:
            lines.append("     │" + "".join(row).rstrip())
    return "\n".join([*lines, _ruler(seconds, width)])


def _ruler(seconds: float, width: int) -> str:
    step = next((s for s in (1, 2, 5, 10, 20, 30, 60) if seconds / s <= width / 8), 300)
    marks = [" "] * (width + 8)
    for second in range(0, int(seconds) + 1, step):
        label = f"|{second} s"
        column = int(second / seconds * width)
        marks[column : column + len(label)] = label
    return "     └" + "".join(marks).rstrip()
