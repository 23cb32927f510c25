"""From a model and a few pieces to weights that know them, and do not forget the rest.

The model is trained further for a time that is given. Little music is soon known by heart, so
how far to follow it is chosen afterwards: the weights that are kept lie on the line between the old
ones and the new ones (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022), where the
pieces that choose are predicted best, what is lost elsewhere counted against it.

What is lost elsewhere is measured without any corpus: the old model plays, by chance as it
predicts, and the new one is asked how surprising it finds that. What more it pays than the old one
is the divergence between the two, in nats a token. Half of such music is heard again in training.
"""

import mmap
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from segued.model.session import Model
from torch import Tensor

from ..augment import Augmentation, Component
from ..config import NetworkConfig, TrainConfig
from ..corpus.pieces import Pieces, join
from ..network import Network
from ..onnx_export.exporter import sample
from ..onnx_export.reader import PretrainedModel
from ..task import PerformanceTask
from ..train import Trainer
from ..validation import validate

ROWS, LENGTH = 32, 1500  # of what the old model plays, the first half to be heard again
REHEARSED = 0.3  # share of what is heard
PASSES, FEWEST = 12, 60  # over the pieces, if validation goes on improving; updates
BATCH, TIME, RATE, PATIENCE, LOOKS = 16, 128, 3e-4, 4, 12
DROPOUT = 0.1
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the way from the old weights to the new
WORTH = 0.5  # nats of gain that a nat lost elsewhere costs
WHOLE = 1 << 40  # tokens of a piece that are validated: all


@dataclass(frozen=True)
class Lesson:
    """What a run learns from: pieces to learn, pieces to choose by, what the old model plays."""

    train: Pieces
    valid: Pieces
    rehearsed: Pieces
    elsewhere: Pieces

    @classmethod
    def of(cls, train: Pieces, valid: Pieces, old: Model) -> "Lesson":
        """With what the old model plays by itself, the same whenever it is asked."""
        played = sample(old, ROWS, LENGTH).astype(np.uint16)
        halves = [join([str(i) for i in range(len(part))], [*part]) for part in np.split(played, 2)]
        return cls(train, valid, *halves)


@dataclass(frozen=True)
class Blend:
    """Weights between the old and the new: how far, and what validation found there."""

    share: float
    valid: float  # nats a token
    elsewhere: float  # nats a token more than the old weights


def may_compile() -> bool:
    """Whether memory may be written and executed, as the kernels need that oneDNN compiles.

    In a systemd service with MemoryDenyWriteExecute it may not.
    """
    if sys.platform != "linux":
        return True
    try:
        mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
    except PermissionError:
        return False
    return True


def config_of(tokens: int, valid_tokens: int, minutes: float, seed: int) -> TrainConfig:
    """How to train on so many tokens, for so many minutes at most.

    Torch's own kernels, without oneDNN's, are quick in fp32 only.
    """
    heard = BATCH * TIME * (1 - REHEARSED)
    updates = max(FEWEST, round(PASSES * tokens / heard))
    every = max(updates // LOOKS, round(2 * valid_tokens / (BATCH * TIME)), 1)
    return TrainConfig(
        updates=updates, minutes=minutes, batch=BATCH, time=TIME, optimizer="adamw",
        learning_rate=RATE, decay=0.5, validate_every=every, checkpoint_every=min(every, 20),
        valid_tokens=WHOLE, valid_piece=WHOLE, patience=PATIENCE, seed=seed,
        precision="auto" if torch.backends.mkldnn.is_available() and may_compile() else "fp32",
    )  # fmt: skip


def train(
    out: Path, lesson: Lesson, origin: PretrainedModel, config: TrainConfig,
    about: dict[str, object], waits: Callable[[float], bool],
) -> int:  # fmt: skip
    """Train a model further, or go on, in the folder `out`; the exit status of `Trainer.run`."""
    components = [Component(lesson.train, 1 - REHEARSED), Component(lesson.rehearsed, REHEARSED)]
    task = PerformanceTask(
        replace(origin.network, dropout=DROPOUT), config, Augmentation(), components,
        lesson.valid, lesson.valid,
    )  # fmt: skip
    trainer = Trainer(out, task, config, about)
    trainer.waits = waits
    if not trainer.tokens:
        trainer.begin_from(origin.weights)
    return trainer.run()


def blended(
    old: Mapping[str, Tensor], new: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Weights at a share of the way from the old to the new."""
    return {name: torch.lerp(old[name], new[name], share) for name in old}


def choose(
    lesson: Lesson, old: Mapping[str, Tensor], new: Mapping[str, Tensor], network: NetworkConfig
) -> list[Blend]:
    """What validation finds along the way from the old weights to the new, the best first."""
    asked, found = Network(network), []
    base = 0.0
    for share in SHARES:
        asked.load_state_dict(blended(old, new, share))
        valid, elsewhere = (validate(asked, p, WHOLE).nll for p in (lesson.valid, lesson.elsewhere))
        base = base or elsewhere
        found.append(Blend(share, valid, elsewhere - base))
    return sorted(found, key=lambda blend: blend.valid + WORTH * blend.elsewhere)
