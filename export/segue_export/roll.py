"""A MIDI file as a picture: a piano roll with a colour for each track."""

from pathlib import Path

from segued.errors import DataError
from segued.midi.files import read_tracks
from segued.tools.terminal_roll import Note, notes_of, pitch_name

COLOURS = ("#2a7f9e", "#e08214", "#5e3c99", "#4d9221")


def draw_file(source: Path, target: Path) -> None:
    """Draw the notes of every track that has any; the format follows the target's suffix."""
    parts = [(name, notes_of(messages)) for name, messages in read_tracks(source)]
    parts = [(name, notes) for name, notes in parts if notes]
    if not parts:
        raise DataError(f"{source}: no notes to draw")
    draw(parts, target)


def draw(parts: list[tuple[str, list[Note]]], target: Path) -> None:
    """Draw named parts over one time line; louder notes are darker."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    every = [note for _, notes in parts for note in notes]
    low, high = min(n.pitch for n in every), max(n.pitch for n in every)
    seconds = max(n.end for n in every)
    figure, axes = pyplot.subplots(figsize=(min(24, 4 + seconds / 4), 4.5), layout="constrained")
    for index, (name, notes) in enumerate(parts):
        colour = COLOURS[index % len(COLOURS)]
        axes.barh(
            [n.pitch for n in notes],
            [n.end - n.start for n in notes],
            left=[n.start for n in notes],
            height=0.9,
            color=[_shade(matplotlib.colors.to_rgb(colour), n.velocity) for n in notes],
            label=name,
        )
    axes.set(xlabel="seconds", ylim=(low - 1, high + 1), xlim=(0, seconds))
    ticks = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    axes.set_yticks(ticks, [pitch_name(pitch) for pitch in ticks])
    axes.grid(axis="y", alpha=0.3)
    handles = [
        pyplot.Rectangle((0, 0), 1, 1, color=COLOURS[i % len(COLOURS)]) for i in range(len(parts))
    ]
    axes.legend(handles, [name for name, _ in parts], loc="upper left", ncols=len(parts))
    try:
        figure.savefig(target, dpi=110)
    except (OSError, ValueError) as error:
        raise DataError(f"{target}: cannot be written: {error}") from None
    finally:
        pyplot.close(figure)


def _shade(colour: tuple[float, float, float], velocity: int) -> tuple[float, ...]:
    return (*colour, 0.35 + 0.65 * velocity / 127)
