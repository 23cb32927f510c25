"""A model of the player's own: how to train further on little music, and whether it helped."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from .checkpoint import read_best
from .network import Network
from .task import some_of, validate
from .verdict import GAIN, Verdict

if TYPE_CHECKING:
    from .train import Trainer

PASSES = 6  # over the corpus, if validation goes on improving
FEWEST, MOST = 60, 1500  # updates: a handful of pieces, minutes on a laptop
LOOKS = 12  # validations in a run


def length(tokens: int, batch: int, time: int) -> int:
    """Updates for a corpus of so many tokens."""
    return max(FEWEST, min(MOST, math.ceil(PASSES * tokens / (batch * time))))


def judge(trainer: "Trainer", weights: Mapping[str, Tensor]) -> Verdict:
    """Compare the run's best weights with those that it began with, once, on the `judges`.

    The better ones are what the run keeps.
    """
    world, config = trainer.world, trainer.config
    if trainer.verdict is None:
        best, story = world.share(lambda: read_best(trainer.out))
        judges = some_of(trainer.judges, config.valid_piece, config.valid_tokens)
        network, heard = Network(trainer.network.config).to(world.device), []
        for tried in (weights, best):
            network.load_state_dict(dict(tried))
            heard.append(validate(network, judges, config.valid_piece, world=world))
        verdict = Verdict.of(*heard)
        if not verdict.better:
            best, story = dict(weights), story | {"update": "0", "tokens_seen": "0"}
        story |= {"valid_nll_before": str(verdict.before), "valid_nll": str(verdict.after)}
        trainer.settle(verdict, best, story)
    return trainer.verdict


def told(verdict: Verdict, model: str, run: Path) -> str:
    """What the user reads at the end."""
    if not verdict.better:
        why = "too little" if verdict.gain < GAIN else "not more than chance"
        return (
            f"{verdict}\nNOT better than {model}, the gain is {why}: the run keeps the "
            "weights that it began with; go on with the model that you have, or give more music"
        )
    return (
        f"{verdict}\nbetter than {model}; to play with it:\n"
        f"  segue-export onnx {run} {run.name}.onnx --precision int8\n"
        f"  segued run --set model.path={run.name}.onnx"
    )


def origin_of(about: Mapping) -> str | None:
    """One line on the model that a run began from, None if it began from nothing."""
    if "from" not in about:
        return None
    model = about["from"]["model"]
    before, after = about.get("valid_nll_before"), about.get("valid_nll")
    if not about.get("updates") or before is None or after is None:
        return f"NOT better than {model}, which it was trained from: these are {model}'s weights"
    return f"trained further from {model}: validation {before:.4f} before, {after:.4f} after"
