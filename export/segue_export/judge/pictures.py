"""Pictures of what was measured: the continuation test as bars, the long run as curves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segued.errors import DataError

from .longrun import CURVES, Run

REPLY, MARK, BAND, BAD = "#e08214", "#888888", "#2a7f9e", "#b2182b"

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


def draw_long_run(runs: Mapping[str, Run], title: str, target: Path) -> None:
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


def _canvas(width: float, height: float, grid: tuple[int, int] | None = None) -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows, columns = grid or (1, 1)
    return pyplot.subplots(
        rows, columns, figsize=(width, height), layout="constrained", squeeze=grid is None
    )


def _save(figure: Any, target: Path) -> None:
    from matplotlib import pyplot

    try:
        figure.savefig(target, dpi=120)
    except (OSError, ValueError) as error:
        raise DataError(f"{target}: cannot be written: {error}") from None
    finally:
        pyplot.close(figure)
