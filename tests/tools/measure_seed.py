"""What each difference between the tutorial's recipe and Segue's default is worth.

    nice -n 10 python -m tests.tools.measure_seed DIR OUT [--windows N] [train options ...]

DIR has `train` and `valid`. Four networks of the same layers learn from the same music, each for as
many steps (N windows of 100): the recipe with the tutorial's own input, with a vector for each
symbol, with every symbol a target, and Segue's default. Then all are set beside each other on the
valid side, as `segue-export compare` does, as a Markdown table. What is in OUT already is gone on
with, so it may be interrupted. Further options, such as `--layers 64,128,64` or `--bf16`, go to
each `train`. Figures in docs/seed.md and README.md come from here.
"""

import argparse
from pathlib import Path

from segue_export.__main__ import main
from segue_export.corpus.store import read_folder
from segue_export.judge.compare import compare
from segue_export.seed.windows import gather

WINDOW, BATCH, EPOCHS = 100, 64, 10
ANEW = ["--dropout", "0.3", "--learning-rate", "1.5e-2", "--warmup", "200", "--decay", "0.45"]
"""How a short run from nothing trains; the defaults are for long ones."""

RECIPES = {
    "number": ("the recipe as in the tutorial", ["--targets", "last", "--input", "number"]),
    "vector": ("a vector for each symbol", ["--targets", "last"]),
    "all": ("every symbol of a window a target", ["--targets", "all"]),
}


def train(data: Path, out: Path, windows: int, more: list[str]) -> list[Path]:
    """A model file of each, trained in turn."""
    cache = ["--cache", str(out / "prepared")]
    pieces = read_folder(data / "train", out / "prepared")
    symbols = sum(map(len, gather(pieces, len(pieces)).pieces))
    stride = {"last": max(1, symbols * EPOCHS // windows), "all": WINDOW}
    epochs = {"last": EPOCHS, "all": max(1, round(windows / (symbols / WINDOW + len(pieces) / 2)))}
    for name, (_, options) in RECIPES.items():
        way = options[1]
        recipe = ["train", "--preset", "seed", "--data", str(data), "--out", str(out / name)]
        length = ["--epochs", str(epochs[way]), "--stride", str(stride[way])]
        _run([*recipe, *cache, *length, *options, *more])
    updates = str(max(1, windows // BATCH))
    length = ["--updates", updates, "--batch", str(BATCH), "--time", str(WINDOW), *ANEW]
    default = ["train", "--data", str(data), "--out", str(out / "default"), *cache, *length]
    _run([*default, "--validate-every", str(max(1, windows // BATCH // EPOCHS)), *more])
    files = []
    for name in (*RECIPES, "default"):
        files.append(out / f"{name}.onnx")
        _run(["onnx", str(out / name), str(files[-1]), "--precision", "int8"])
    return files


def _run(arguments: list[str]) -> None:
    print("$ segue-export", *arguments, flush=True)
    status = main(arguments)
    if status:
        raise SystemExit(status)


def table(files: list[Path], valid: Path, cache: Path) -> None:
    """The comparison as Markdown."""
    rows, scored = compare(files, read_folder(valid, cache))
    print("| | | nats a chord | nats a note | ms a chord |\n|---|---|---|---|---|")
    for row in rows:
        name = RECIPES.get(Path(row.model).stem, ("Segue's default", []))[0]
        figures = f"{row.nats_per_chord:.3f} | {row.nats_per_note:.3f} | {row.milliseconds:.2f}"
        print(f"| {name} | {row.way} | {figures} |")
    print(
        f"{scored['chords']} chords, {scored['notes']} notes, pitches alone; * as the daemon plays"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--windows", type=int, default=40_000)
    chosen, rest = parser.parse_known_args()
    made = train(chosen.data, chosen.out, chosen.windows, rest)
    table(made, chosen.data / "valid", chosen.out / "prepared")
