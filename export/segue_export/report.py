"""What people see: a run's `run.json`, `log.csv` and `curves.png`, and bars while they wait.

matplotlib and tqdm are imported when there is something to show.
"""

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import TrainConfig


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write atomically."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=2) + "\n")
    part.replace(path)


def write_log(path: Path, log: list[dict[str, Any]]) -> None:
    """One row a validation."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(log[-1]))
        writer.writeheader()
        writer.writerows(log)


def plot(path: Path, log: list[dict[str, Any]], unit: str) -> None:
    """Loss in training and validation, in nats per `unit`, over epochs or over what was seen."""
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
    """A bar of tqdm's, with what tqdm takes."""
    from tqdm import tqdm

    return tqdm(*arguments, **options)


def training_bar(config: "TrainConfig", update: int, share: float, shown: bool) -> Any:
    """A bar of a run's updates, or of the share of its time, from where it is; on one that is not
    a terminal a line every half minute."""
    form: dict[str, Any] = {"total": config.updates or None, "initial": update, "unit": "update"}
    if config.minutes:
        line = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        form = {"total": 1.0, "initial": share, "bar_format": line}
    every = 0.1 if sys.stderr.isatty() else 30.0
    return progress(**form, smoothing=0.02, mininterval=every, disable=not shown)
