"""Fine-tunes a model on a few pieces without forgetting other music.

A few pieces are soon overfitted. So the final weights are interpolated between the old and the new
ones (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022). The point is chosen by the
loss on the validation pieces plus the loss of quality on other music.

That loss of quality is measured without a corpus: on music sampled from the old model, the increase
in nats per token is the KL divergence between the two models. Half of this music is also used in
training (rehearsal).
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

ROWS, LENGTH = 32, 1500  # of sampled music; the first half is for rehearsal
REHEARSED = 0.3  # share of rehearsal in training
PASSES, MIN_UPDATES = 12, 60  # over the pieces, if validation goes on improving
BATCH, TIME, RATE, PATIENCE, LOOKS = 16, 128, 3e-4, 4, 12
DROPOUT = 0.1
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the new weights in the interpolation
FORGETTING_COST = 0.5  # weight of the loss elsewhere against that on the validation pieces
WHOLE = 1 << 40  # validate all tokens of a piece


@dataclass(frozen=True)
class Lesson:
    """The data of a run: training and validation pieces, and two halves of sampled music."""

    train: Pieces
    valid: Pieces
    rehearsed: Pieces
    elsewhere: Pieces

    @classmethod
    def of(cls, train: Pieces, valid: Pieces, old: Model) -> "Lesson":
        """Add music sampled from the old model, always the same."""
        played = sample(old, ROWS, LENGTH).astype(np.uint16)
        halves = [join([str(i) for i in range(len(part))], [*part]) for part in np.split(played, 2)]
        return cls(train, valid, *halves)


@dataclass(frozen=True)
class Blend:
    """Interpolated weights: the share of the new ones, and the losses of validation."""

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
    """The training configuration for a number of tokens and at most `minutes`.

    Torch's own kernels, without oneDNN's, are quick in fp32 only.
    """
    heard = BATCH * TIME * (1 - REHEARSED)
    updates = max(MIN_UPDATES, round(PASSES * tokens / heard))
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
    """Fine-tune a model, or resume that, in the folder `out`. Returns the exit status."""
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
    """Interpolate between old and new weights; `share`: of the new ones."""
    return {name: torch.lerp(old[name], new[name], share) for name in old}


def choose(
    lesson: Lesson, old: Mapping[str, Tensor], new: Mapping[str, Tensor], network: NetworkConfig
) -> list[Blend]:
    """Validate interpolations between the old and new weights. The best comes first."""
    asked, found = Network(network), []
    base = 0.0
    for share in SHARES:
        asked.load_state_dict(blended(old, new, share))
        valid, elsewhere = (validate(asked, p, WHOLE).nll for p in (lesson.valid, lesson.elsewhere))
        base = base or elsewhere
        found.append(Blend(share, valid, elsewhere - base))
    return sorted(found, key=lambda blend: blend.valid + FORGETTING_COST * blend.elsewhere)
