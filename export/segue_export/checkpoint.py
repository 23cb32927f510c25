"""What a run keeps on disk so that it can be resumed, and which options may not change then.

`run.json` says what was asked, `last.pt` holds everything needed to go on exactly,
`best.safetensors` the weights of the best validation. Each is replaced as a whole or not at all.
"""

import errno
import json
import os
import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from segued.errors import DataError, UsageError
from torch import Tensor

from .corpus.shards import write_with

LAST, BEST, ASKED = "last.pt", "best.safetensors", "run.json"

ROOM = 100_000_000  # bytes; with less of it a file that cannot be written found no room

FIXED = {
    "network": ("layers", "embedding", "dense", "vocabulary", "latches", "beat"),
    "train": ("batch", "optimizer", "seed", "only", "window", "stride", "targets", "input"),
}
"""Options that a run cannot change, by section of `run.json`; some are of one preset only."""

BEGINNINGS = ("from", "init", "branch")
"""Options that say what a run starts from; `run.json` has them in its `about`."""


def save_last(out: Path, everything: dict[str, Any]) -> None:
    """Write the checkpoint: plain values and tensors on the CPU."""
    _save(out / LAST, lambda part: torch.save(everything, part))


def load_last(
    out: Path, wanted: dict[str, Any], trunk: Path | None = None
) -> dict[str, Any] | None:
    """The checkpoint of a run, else that of its trunk, else None.

    Raises UsageError if it was started with other options that cannot be changed later, DataError
    if it is broken.
    """
    if (out / LAST).exists():
        check_fit(out, wanted)
        return read_last(out)
    if trunk is None:
        return None
    check_fit(trunk, wanted, branches=True)
    return read_last(trunk)


def read_last(out: Path) -> dict[str, Any]:
    """The checkpoint of a run. Raises DataError if there is none, or if it is broken."""
    try:
        saved: dict[str, Any] = torch.load(out / LAST, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"{out}: no {LAST} here: give the --out folder of a training run") from None
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise broken(out, error) from None
    if "lanes" not in saved:
        raise DataError(
            f"{out}/{LAST}: written by an earlier version of --preset seed, which this version "
            "cannot resume: give another --out"
        )
    return saved


def broken(out: Path, error: Exception) -> DataError:
    """The error of a checkpoint that cannot be used."""
    why = (str(error).splitlines() or [type(error).__name__])[-1].strip()
    return DataError(f"{out}/{LAST} cannot be resumed ({why}): remove it to start over")


def save_best(out: Path, weights: Mapping[str, Tensor], story: Mapping[str, object]) -> None:
    """Write the best weights so far, with a few figures as metadata."""
    kept = {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
    metadata = {name: str(value) for name, value in story.items()}
    _save(out / BEST, lambda part: save_file(kept, part, metadata=metadata))


def _save(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file atomically. Raises OSError, also for the errors of torch and safetensors."""
    try:
        write_with(path, write)
    except (RuntimeError, SafetensorError):
        if shutil.disk_usage(path.parent).free > ROOM:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None


def save_trunk(out: Path, path: Path) -> tuple[int, int]:
    """Write the current weights of a run as bf16, as initial weights of others (`load_weights`).

    That halves the size; the rounding is far smaller than the change by one update. Returns the
    numbers of updates and tokens that the run has trained for.
    """
    last = read_last(out)
    update, tokens = last["counters"][:2]
    kept = {name: weight.bfloat16().contiguous() for name, weight in last["network"].items()}
    metadata = {"update": str(update), "tokens_seen": str(tokens)}
    write_with(path, lambda part: save_file(kept, part, metadata=metadata))
    return update, tokens


def read_asked(out: Path) -> dict[str, Any]:
    """The content of a run's `run.json`. Raises DataError if there is none, or if it is broken."""
    try:
        asked = json.loads((out / ASKED).read_text())
        if not isinstance(asked, dict) or not isinstance(asked.get("train"), dict):
            raise ValueError("it does not say how to train")
    except FileNotFoundError:
        raise DataError(
            f"{out}: no {ASKED} here: give the --out folder of a training run"
        ) from None
    except ValueError as error:
        raise DataError(f"{out}/{ASKED} is broken ({error}): give another --out") from None
    return asked


def read_best(out: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What `save_best` wrote: the weights and their figures."""
    with safe_open(out / BEST, "pt") as file:
        return load_file(out / BEST), file.metadata()


def load_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a `.safetensors` file, fp32 or bf16. Raises DataError if it has none."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file (expected a run's best.safetensors)") from None
    except SafetensorError as error:
        raise DataError(f"{path}: cannot be used as initial weights: {error}") from None


def check_fit(out: Path, wanted: dict[str, Any], branches: bool = False) -> None:
    """Raise UsageError if the run in `out` was started with options that cannot be changed later.

    `branches`: another run is to start from the weights of this one, whatever its own start was.
    """
    instead = "give the same" if branches else "give another --out"
    try:
        begun = json.loads((out / ASKED).read_text())
        difference = _difference(begun, wanted, branches)
    except FileNotFoundError:
        return  # reading the checkpoint raises the error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{out}/{ASKED} is broken ({error}): give another --out") from None
    if difference:
        raise UsageError(f"{out} {difference}: {instead}")


def _difference(begun: dict[str, Any], wanted: dict[str, Any], branches: bool) -> str | None:
    """The first difference from the options that a run was started with, or None."""
    if begun.get("preset") != wanted.get("preset"):
        return f"is a run with{'' if begun.get('preset') else 'out'} --preset seed"
    if begun.get("symbols") != wanted.get("symbols"):
        return "was started with another vocabulary (other music, --symbols or --transpose)"
    begun["network"] = {"latches": 0, "beat": False} | begun["network"]  # from before they were
    for section, options in FIXED.items():
        for option in options:
            was, now = (run[section].get(option) for run in (begun, wanted))
            if was != now:
                was, now = _shown(option, was), _shown(option, now)
                return f"was started with {was} and cannot continue with {now}"
    was, now = (len(run["about"].get("data", [])) for run in (begun, wanted))
    if was != now:
        return (
            f"was started with {was} --data folders and cannot continue with {now} (a new run may "
            "--init with its best.safetensors)"
        )
    for option in () if branches else BEGINNINGS:
        was, now = (run["about"].get(option) for run in (begun, wanted))
        if option in begun["about"] and was != now:
            was, now = _model(was), _model(now)
            return f"was started with --{option} {was} and cannot continue with {now}"
    return None


def _model(about: object) -> object:
    return about.get("model") if isinstance(about, dict) else about or "nothing"


def _shown(option: str, value: object) -> str:
    if option == "latches":
        return "--latches" if value else "--no-latches"
    return f"--{option} " + (",".join(map(str, value)) if isinstance(value, list) else str(value))


def random_state() -> list[Tensor]:
    """The random state of the CPU, and of the GPU if it was used."""
    used = torch.cuda.is_available() and torch.cuda.is_initialized()
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if used else [])]


def set_random_state(state: list[Tensor]) -> None:
    """Restore what `random_state()` returned."""
    torch.set_rng_state(state[0])
    if len(state) > 1 and torch.cuda.is_available():
        torch.cuda.set_rng_state(state[1])


def cpu(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, on the CPU."""
    return {name: weight.cpu() for name, weight in weights.items()}
