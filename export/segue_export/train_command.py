"""`segue-export train`: its options, and from them to a run of Segue's own model.

A branch is what a run with a constant rate has learned, brought to rest. Nobody knows beforehand
how long a training will be gone on with, and a rate that has fallen cannot be raised again without
losing what the fall had gained. So there is one run that never falls, the trunk, and a short one
that only falls for each model that is wanted of it.
"""

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segued.errors import UsageError
from segued.model.loading import MODELS

from .augment import Augmentation
from .config import OF_THE_CORPUS, RATES, MachineConfig, NetworkConfig, TrainConfig
from .latches import COUNT
from .options import add_bf16, add_options, add_reading, fill_in
from .sources import Corpus, SourceConfig, gather, shown

if TYPE_CHECKING:
    from torch import Tensor

    from .onnx_export.reader import PretrainedModel
    from .process_group import ProcessGroup

SHIPPED = MODELS / "segue-fp32.onnx"
BRANCH_SHARE = 4  # a branch is a quarter as long as its trunk, a fifth of both
OF_THE_TRUNK = "the trunk's"
CONFIGS = (SourceConfig, NetworkConfig, TrainConfig, MachineConfig)


def add_train(parser: argparse.ArgumentParser) -> None:
    """What `train` takes."""
    group = parser.add_argument_group("corpus")
    group.add_argument(
        "--data", action="append", required=True, metavar="DIR[,weight=W][,jitter=MS][,normalise]",
        help="a folder of MIDI files (or what `prepare` made of it), its share of the training "
        "(default: its size), timing noise for quantized music (the deviation of its onsets is "
        "drawn for each playing, from 0 to twice MS), velocities brought to a common "
        "mean; may be repeated",
    )  # fmt: skip
    add_options(group, SourceConfig)
    add_reading(group)
    add_options(
        parser.add_argument_group("augmentation, drawn again each time a piece is played"),
        Augmentation,
    )
    group = parser.add_argument_group("network")
    group.add_argument(
        "--from", dest="pretrained", type=Path, nargs="?", const=SHIPPED, metavar="MODEL.onnx",
        help="train this model further, with music of your own (no file: the shipped one)",
    )  # fmt: skip
    add_options(group, NetworkConfig)
    group.add_argument(
        "--init", type=Path, metavar="FILE",
        help="begin with the weights of a run (.safetensors, fp32 or bf16) or a model (.onnx), "
        "widened if its network is smaller",
    )  # fmt: skip
    group = parser.add_argument_group("training")
    group.add_argument("--out", required=True, type=Path, metavar="RUN", help="the run's folder")
    group.add_argument(
        "--branch", type=Path, metavar="TRUNK",
        help="begin with all that another run has (give its --data and options, too) and only let "
        "the rate fall to 0, over --updates (default: a quarter of its, a fifth of both)",
    )  # fmt: skip
    add_options(group, TrainConfig)
    add_options(group, MachineConfig)
    add_bf16(group)


def train(options: argparse.Namespace) -> int:
    """`train`: corpus to checkpoint, in as many processes as torchrun started."""
    import torch

    from .process_group import ProcessGroup, is_main_process

    pretrained = _prepared(options)
    corpus = gather(options, print if is_main_process() else _silently)
    torch.set_num_threads(options.threads)
    with ProcessGroup.join(options.device) as processes:
        digests = set(processes.gather(corpus.digest))
        if len(digests) > 1:
            raise UsageError("the processes read different corpora: --data must be the same")
        status = _run(options, corpus, pretrained, processes)
    return processes.exit(status)


def _silently(line: str) -> None:
    """Only the main one of several processes speaks."""


def _prepared(options: argparse.Namespace) -> "PretrainedModel | None":
    """Fill in what was not given, and read the model that is trained further, if there is one."""
    further = options.pretrained is not None
    if further:
        _refuse(options, ("layers", "embedding", "dense", "latches", "init"),
                "cannot be given with --from: the model has its own")  # fmt: skip
    if options.branch is not None:
        _refuse(options, ("pretrained", "init", "warmup", "decay"), "cannot be given with --branch")
        options.warmup, options.decay = 0, 1.0
        options.updates = OF_THE_TRUNK if options.updates is None else options.updates
        if options.learning_rate is None:
            options.learning_rate = OF_THE_TRUNK
    new = options.learning_rate is None and not further
    for config in CONFIGS:
        fill_in(options, config, further)
    options.beat = bool(options.beat) or options.only == "beat"
    if new:
        options.learning_rate = RATES[options.optimizer]
    if not further:
        return None
    from .onnx_export.reader import read_model

    return read_model(options.pretrained)


def _refuse(options: argparse.Namespace, names: tuple[str, ...], why: str) -> None:
    given = [name for name in names if getattr(options, name) is not None]
    if given:
        name = "from" if given[0] == "pretrained" else given[0]
        raise UsageError(f"--{name} {why}")


def _run(
    options: argparse.Namespace, corpus: Corpus, pretrained: "PretrainedModel | None",
    processes: "ProcessGroup",
) -> int:  # fmt: skip
    from .fine_tune import judge, message
    from .task import PerformanceTask
    from .train import Trainer

    if pretrained:
        network = replace(pretrained.network, dropout=options.dropout)
        if options.only == "beat":
            network = replace(network, beat=True)
        corpus.about["from"] = pretrained.about
    else:
        network = _from_options(NetworkConfig, options, latches=COUNT if options.latches else 0)
    for beginning in ("init", "branch"):
        path = getattr(options, beginning)
        corpus.about[beginning] = path and shown(str(path))
    config = processes.call_once(lambda: _config(options, corpus.about["tokens"]))
    limits = _from_options(Augmentation, options)
    task = PerformanceTask(
        network, config, limits, corpus.components, corpus.valid, corpus.test, processes
    )
    trainer = Trainer(options.out, task, config, corpus.about, processes, options.branch)
    if options.init and not trainer.tokens:
        trainer.begin_with(_weights(options.init), options.init)
    if pretrained and not trainer.tokens:
        trainer.begin_from(pretrained.weights)
    status = trainer.run()
    if pretrained and not status:
        verdict = judge(trainer, task, pretrained.weights)
        if processes.is_main:
            print(message(verdict, pretrained.path.name, trainer.out))
    return status


def _from_options(config: type, options: argparse.Namespace, **given: object) -> Any:
    """A dataclass of options from what was given for them."""
    names = {about.name for about in fields(config)} & set(vars(options))
    return config(**({name: getattr(options, name) for name in names} | given))


def _weights(path: Path) -> "dict[str, Tensor]":
    """What a run is to begin with: a model's weights or a run's."""
    if path.suffix == ".onnx":
        from .onnx_export.reader import read_model

        return read_model(path).weights
    from .checkpoint import load_weights

    return load_weights(path)


def _config(options: argparse.Namespace, tokens: int) -> TrainConfig:
    """How to train, once it is known how much music there is and what the trunk has."""
    from .fine_tune import LOOKS, length

    if options.branch is not None:
        _take_from_trunk(options)
    if options.updates == OF_THE_CORPUS:
        options.updates = length(tokens, options.batch, options.time)
    if options.validate_every == OF_THE_CORPUS:
        options.validate_every = max(1, options.updates // LOOKS)
    if not options.updates and not options.minutes and options.decay:
        raise UsageError("--updates 0 never ends: also give --decay 0")
    whole = {"valid_piece": options.valid_tokens} if options.pretrained else {}
    config: TrainConfig = _from_options(TrainConfig, options, **whole)
    return config


def _take_from_trunk(options: argparse.Namespace) -> None:
    """What a branch takes from its trunk: its rate, and a length; once begun it keeps them."""
    from .checkpoint import LAST, read_asked, read_last

    begun = (options.out / LAST).exists()
    train = read_asked(options.out if begun else options.branch)["train"]
    if options.learning_rate == OF_THE_TRUNK:
        options.learning_rate = train["learning_rate"]
    if options.updates == OF_THE_TRUNK:
        updates = read_last(options.branch)["counters"][0] if not begun else 0
        options.updates = train["updates"] if begun else max(1, updates // BRANCH_SHARE)
