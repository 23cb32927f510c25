"""Pictures: a MIDI file as a piano roll, the continuation test as bars, the long run as curves."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

from segued.control.knobs import note_name
from segued.errors import DataError
from segued.midi.files import read_tracks
from segued.midi.notes import Note, notes_of

from .longrun import LongRun
from .minutes import CURVES

REPLY, MARK, BAND, BAD = "#e08214", "#888888", "#2a7f9e", "#b2182b"

COLOURS = ("#2a7f9e", "#e08214", "#5e3c99", "#4d9221")
CURVE_UNITS = {"entropy": "nats a token", "surprise": "nats a token", "density": "notes a second"}


def draw_continuation(result: Mapping[str, Mapping[str, float]], title: str, target: Path) -> None:
    """A bar from floor to ceiling for each feature, the reply on it with its interval."""
    rows = {name: row for name, row in result.items() if "floor" in row}
    figure, axes = _canvas(7.0, 0.9 + 0.45 * len(rows))
    for place, row in enumerate(reversed(list(rows.values()))):
        axes.barh(
            place, row["ceiling"] - row["floor"], left=row["floor"], height=0.5, color=BAND,
            alpha=0.3, label="floor to ceiling" if not place else None,
        )  # fmt: skip
        middle = (row["ceiling"] + row["floor"]) / 2
        axes.plot([middle] * 2, [place - 0.25, place + 0.25], color=MARK, linewidth=1)
        spread = [[row["reply"] - row["low"]], [row["high"] - row["reply"]]]
        axes.errorbar(
            row["reply"], place, xerr=spread, fmt="o", color=REPLY, capsize=3,
            label="reply, 95 %" if not place else None,
        )  # fmt: skip
        axes.plot(row["echo"], place, "|", color=BAND, markersize=14,
                  label="echo of what was heard" if not place else None)  # fmt: skip
    axes.set_yticks(range(len(rows)), reversed(list(rows)))
    axes.set(xlabel="overlap with what really came next", title=title)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    _save(figure, target)


def draw_long_run(runs: Mapping[str, LongRun], title: str, target: Path) -> None:
    """A column for each run, a row for each curve; the band is the range of first minutes."""
    rows = [*CURVES, "silence", "new"]
    figure, axes = _canvas(4.0 * len(runs), 1.5 * len(rows), (len(rows), len(runs)))
    for column, (name, run) in enumerate(runs.items()):
        minutes = range(1, len(run.minutes) + 1)
        for row, curve in enumerate(rows):
            plot = axes[row][column]
            plot.plot(minutes, [getattr(m, curve) for m in run.minutes], color=REPLY, linewidth=1)
            if curve in run.ranges:
                plot.axhspan(*run.ranges[curve], color=BAND, alpha=0.2)
            if not column:
                plot.set_ylabel(f"{curve}\n{CURVE_UNITS.get(curve, '')}".strip(), fontsize=8)
            plot.grid(alpha=0.3)
            plot.tick_params(labelsize=8)
        axes[0][column].set_title(
            f"{name}: {'held' if run.held else 'did not hold'}",
            color="black" if run.held else BAD, fontsize=10,
        )  # fmt: skip
        axes[-1][column].set_xlabel("minute", fontsize=8)
    figure.suptitle(title, fontsize=11)
    _save(figure, target)


def draw_file(source: Path, target: Path) -> None:
    """Draw the notes of every track that has any; the format follows the target's suffix."""
    parts = [(name, notes_of(messages)) for name, messages in read_tracks(source)]
    parts = [(name, notes) for name, notes in parts if notes]
    if not parts:
        raise DataError(f"{source}: no notes to draw")
    draw(parts, target)


def draw(parts: list[tuple[str, list[Note]]], target: Path) -> None:
    """Draw named parts over one time line; louder notes are darker."""
    every = [note for _, notes in parts for note in notes]
    low, high = min(n.pitch for n in every), max(n.pitch for n in every)
    seconds = max(n.end for n in every)
    figure, axes = _canvas(min(24, 4 + seconds / 4), 4.5)
    for index, (name, notes) in enumerate(parts):
        colour = COLOURS[index % len(COLOURS)]
        axes.barh(
            [n.pitch for n in notes],
            [n.end - n.start for n in notes],
            left=[n.start for n in notes],
            height=0.9,
            color=[(colour, 0.35 + 0.65 * n.velocity / 127) for n in notes],
            label=name,
        )
    axes.set(xlabel="seconds", ylim=(low - 1, high + 1), xlim=(0, seconds))
    ticks = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    axes.set_yticks(ticks, [note_name(pitch) for pitch in ticks])
    axes.grid(axis="y", alpha=0.3)
    legend = axes.legend(loc="upper left", ncols=len(parts))
    for handle, colour in zip(legend.legend_handles, cycle(COLOURS), strict=False):
        handle.set_color(colour)
    _save(figure, target, 110)


def _canvas(width: float, height: float, grid: tuple[int, int] | None = None) -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows, columns = grid or (1, 1)
    return pyplot.subplots(
        rows, columns, figsize=(width, height), layout="constrained", squeeze=grid is None
    )


def _save(figure: Any, target: Path, dpi: int = 120) -> None:
    from matplotlib import pyplot

    try:
        figure.savefig(target, dpi=dpi)
    except (OSError, ValueError) as error:
        raise DataError(f"{target}: cannot be written: {error}") from None
    finally:
        pyplot.close(figure)
