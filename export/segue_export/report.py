"""What a run leaves for people to read: `run.json`, `log.csv`, `curves.png`."""

import csv
import json
from pathlib import Path


def write_json(path: Path, value: dict) -> None:
    """Write atomically."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=2) + "\n")
    part.replace(path)


def write_log(path: Path, log: list[dict]) -> None:
    """One row a validation."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(log[-1]))
        writer.writeheader()
        writer.writerows(log)


def plot(path: Path, log: list[dict]) -> None:
    """Loss curves over tokens seen, as a picture."""
    plot_over(path, log, [row["tokens"] / 1e6 for row in log], "million tokens", "token")


def plot_over(path: Path, log: list[dict], places: list[float], axis: str, unit: str) -> None:
    """Loss in training and validation at `places` of an axis, in nats per `unit`, as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(places, [row["train_nll"] for row in log], label="training")
    axes.plot(places, [row["valid_nll"] for row in log], label="validation")
    axes.set(xlabel=axis, ylabel=f"nats per {unit}", title=path.parent.name)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
