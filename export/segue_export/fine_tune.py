"""A model of the player's own: how to train further on little music, and whether it helped."""

import math
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from .checkpoint import read_best
from .task import PerformanceTask
from .train import Trainer
from .validation import GAIN, Verdict, some_of, validate

PASSES = 6  # over the corpus, if validation goes on improving
FEWEST, MOST = 60, 1500  # updates: a handful of pieces, minutes on a laptop
LOOKS = 12  # validations in a run


def length(tokens: int, batch: int, time: int) -> int:
    """Updates for a corpus of so many tokens."""
    return max(FEWEST, min(MOST, math.ceil(PASSES * tokens / (batch * time))))


def judge(trainer: Trainer, task: PerformanceTask, weights: Mapping[str, Tensor]) -> Verdict:
    """Compare the run's best weights with those that it began with, once, on the `test` pieces.

    The better ones are what the run keeps.
    """
    if trainer.verdict is not None:
        return trainer.verdict
    assert task.test is not None
    processes, config = trainer.processes, trainer.config
    best, story = processes.call_once(lambda: read_best(trainer.out))
    test = some_of(task.test, config.valid_piece, config.valid_tokens)
    network, results = task.new_network().to(processes.device), []
    for tried in (weights, best):
        network.load_state_dict(dict(tried))
        results.append(validate(network, test, config.valid_piece, processes=processes))
    verdict = Verdict.of(*results)
    if not verdict.better:
        best, story = dict(weights), story | {"update": "0", "tokens_seen": "0"}
    story |= {"valid_nll_before": str(verdict.before), "valid_nll": str(verdict.after)}
    trainer.settle(verdict, best, story)
    return verdict


def message(verdict: Verdict, model: str, run: Path) -> str:
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
