"""What a run keeps on disk so that it can be gone on from, and what it may not change on the way.

`run.json` says what was asked, `last.pt` holds everything needed to go on exactly,
`best.safetensors` the weights of the best validation. Each is replaced as a whole or not at all.
"""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from segued.errors import DataError, UsageError
from torch import Tensor

from .corpus.shards import write_with
from .onnx_export.reader import read_model
from .widen import TooSmallError, widened

LAST, BEST, ASKED = "last.pt", "best.safetensors", "run.json"

FIXED = {
    "layers": "network", "embedding": "network", "dense": "network", "vocabulary": "network",
    "latches": "network",
    "batch": "train", "optimizer": "train", "seed": "train",
}  # fmt: skip
"""Options that a run keeps for life, and where `run.json` has them."""

BEGINNINGS = ("from", "init", "branch")
"""Options that say what a run begins with, which `run.json` has in its `about`."""


def save_last(out: Path, everything: dict) -> None:
    """Write the checkpoint: plain values and tensors on the CPU."""
    write_with(out / LAST, lambda part: torch.save(everything, part))


def load_last(out: Path, wanted: dict, trunk: Path | None = None) -> dict | None:
    """The checkpoint of a run; if there is none yet that of its trunk, None if it has none either.

    UsageError if it was begun with options that cannot be changed on the way, DataError if it is
    broken.
    """
    if (out / LAST).exists():
        check_fit(out, wanted)
        return read_last(out)
    if trunk is None:
        return None
    check_fit(trunk, wanted, branches=True)
    return read_last(trunk)


def read_last(out: Path) -> dict:
    """The checkpoint of a run that has one; DataError if it has none or it is broken."""
    try:
        return torch.load(out / LAST, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"{out}: no {LAST} here: give the --out folder of a training run") from None
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise broken(out, error) from None


def broken(out: Path, error: Exception) -> DataError:
    """What to tell when a checkpoint cannot be used."""
    why = (str(error).splitlines() or [type(error).__name__])[-1].strip()
    return DataError(f"{out}/{LAST} cannot be gone on from ({why}): remove it to begin anew")


def save_best(out: Path, weights: Mapping[str, Tensor], story: Mapping[str, object]) -> None:
    """Write the weights that are the best so far, with a few figures as metadata."""
    held = {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
    told = {name: str(value) for name, value in story.items()}
    write_with(out / BEST, lambda part: save_file(held, part, metadata=told))


def save_trunk(out: Path, path: Path) -> tuple[int, int]:
    """Write the weights that a run has now as bf16, to begin others with (`load_weights`): half the
    size, and what is rounded is far below what an update moves.

    Returns the updates and the tokens that it has trained for.
    """
    last = read_last(out)
    update, tokens = last["counters"][:2]
    held = {name: weight.bfloat16().contiguous() for name, weight in last["network"].items()}
    told = {"update": str(update), "tokens_seen": str(tokens)}
    write_with(path, lambda part: save_file(held, part, metadata=told))
    return update, tokens


def read_asked(out: Path) -> dict:
    """What a run's `run.json` says; DataError if it has none or it is broken."""
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


def load_weights(network: torch.nn.Module, path: Path) -> None:
    """Take the weights of another run, fp32 or bf16, or of a model file (`.onnx`), widened if its
    network is smaller (see `widen`).

    DataError when they do not fit.
    """
    try:
        weights = read_model(path).weights if path.suffix == ".onnx" else load_file(path)
        network.load_state_dict(widened(weights, network.state_dict()))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file (a run's best.safetensors is wanted)") from None
    except (SafetensorError, TooSmallError, RuntimeError) as error:
        why = str(error).splitlines()[-1].strip()
        raise DataError(f"{path}: cannot be begun with: {why}") from None


def check_fit(out: Path, wanted: dict, branches: bool = False) -> None:
    """UsageError if the run in `out` was begun with options that cannot be changed on the way.

    `branches`: it is another run that is to begin with what this one has, however that began.
    """
    instead = "give the same" if branches else "give another --out"
    try:
        begun = json.loads((out / ASKED).read_text())
        begun["network"] = {"latches": 0} | begun["network"]  # a run from before there were any
        for option, section in FIXED.items():
            if begun[section][option] != wanted[section][option]:
                was, now = (_shown(option, run[section][option]) for run in (begun, wanted))
                raise UsageError(
                    f"{out} was begun with {was} and cannot go on with {now}: {instead}"
                )
        sources = len(begun["about"]["data"]), len(wanted["about"]["data"])
        began = {} if branches else {
            option: (begun["about"][option], wanted["about"].get(option))
            for option in BEGINNINGS if option in begun["about"]
        }  # fmt: skip
    except FileNotFoundError:
        return  # the checkpoint itself will tell
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{out}/{ASKED} is broken ({error}): give another --out") from None
    if sources[0] != sources[1]:
        raise UsageError(
            f"{out} was begun with {sources[0]} --data folders and cannot go on with {sources[1]}: "
            f"{instead} (and --init its best.safetensors)"
        )
    for option, (was, now) in began.items():
        if was != now:
            was, now = (_model(told) for told in (was, now))
            raise UsageError(
                f"{out} was begun with --{option} {was} and cannot go on with {now}: give another "
                "--out"
            )


def _model(told: object) -> object:
    return told.get("model") if isinstance(told, dict) else told or "nothing"


def _shown(option: str, value: object) -> str:
    if option == "latches":
        return "--latches" if value else "--no-latches"
    return f"--{option} " + (",".join(map(str, value)) if isinstance(value, list) else str(value))


def random_state() -> list[Tensor]:
    """Of the CPU, and of the GPU if it was used."""
    used = torch.cuda.is_available() and torch.cuda.is_initialized()
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if used else [])]


def set_random_state(state: list[Tensor]) -> None:
    """As `random_state` told it."""
    torch.set_rng_state(state[0])
    if len(state) > 1 and torch.cuda.is_available():
        torch.cuda.set_rng_state(state[1])


def cpu(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, on the CPU."""
    return {name: weight.cpu() for name, weight in weights.items()}
