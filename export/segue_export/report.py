"""Reports for people: a run's `run.json`, `log.csv` and `curves.png`, and progress bars.

matplotlib and tqdm are imported when they are needed.
"""

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import TrainConfig


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file atomically."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=2) + "\n")
    part.replace(path)


def write_validation(out: Path, log: list[dict[str, Any]], unit: str, tokens: int) -> None:
    """Print the newest row of a log, after `tokens` units of training; write log and curves."""
    from tqdm import tqdm

    row = log[-1]
    name = next(iter(row))
    trained = f"train {row['train_nll']:.4f}, " if tokens else ""
    tqdm.write(
        f"{name} {row[name]}: {tokens / 1e6:.1f} M {unit}s, {trained}"
        f"validation {row['valid_nll']:.4f} nats a {unit}"
    )
    write_log(out / "log.csv", log)
    plot(out / "curves.png", log, unit)


def write_log(path: Path, log: list[dict[str, Any]]) -> None:
    """Write a CSV file with one row per validation."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(log[-1]))
        writer.writeheader()
        writer.writerows(log)


def plot(path: Path, log: list[dict[str, Any]], unit: str) -> None:
    """Plot the loss in training and validation, in nats per `unit`, over epochs or units."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    epochs = "epoch" in log[-1]
    places = [row["epoch"] if epochs else row["tokens"] / 1e6 for row in log]
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(places, [row["train_nll"] for row in log], label="training")
    axes.plot(places, [row["valid_nll"] for row in log], label="validation")
    axes.set(xlabel="epoch" if epochs else f"million {unit}s", ylabel=f"nats per {unit}")
    axes.set_title(path.parent.name)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def progress(*arguments: Any, **options: Any) -> Any:
    """A progress bar of tqdm, with its arguments."""
    from tqdm import tqdm

    return tqdm(*arguments, **options)


def training_bar(config: "TrainConfig", update: int, share: float, shown: bool) -> Any:
    """A progress bar of a run: updates, or the share of its time.

    Without a terminal it prints a line every half minute.
    """
    form: dict[str, Any] = {"total": config.updates or None, "initial": update, "unit": "update"}
    if config.minutes:
        line = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        form = {"total": 1.0, "initial": share, "bar_format": line}
    every = 0.1 if sys.stderr.isatty() else 30.0
    return progress(**form, smoothing=0.02, mininterval=every, disable=not shown)
