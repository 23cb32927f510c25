"""`segue-export train`: its options, and from them to a run."""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from segued.errors import UsageError
from segued.model.loading import MODELS

from . import branch
from .corpus import shown
from .dataset import Augmentation
from .options import (
    DEVICES,
    OPTIMIZERS,
    at_least_0,
    fraction,
    natural,
    positive,
    sizes,
    tempo_range,
)
from .settings import MIXED, TrainConfig
from .sources import Music, gather

if TYPE_CHECKING:
    from .distributed import World
    from .from_onnx import Origin

PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
SHIPPED = MODELS / "segue-fp32.onnx"


@dataclass(frozen=True)
class Default:
    """What an option is if it is not given: for a new model, and for one trained further."""

    new: object
    further: object

    def __str__(self) -> str:
        new, further = (
            ",".join(map(str, value)) if isinstance(value, tuple) else value
            for value in (self.new, self.further)
        )
        return f"(default: {new}; with --from {further})"


RATES = {"muon": 6e-3, "adamw": 2e-3, "rmsprop": 1e-3}
OF_THE_OPTIMIZER = "for " + ", ".join(f"{name} {rate:g}" for name, rate in RATES.items())
OF_THE_MODEL, OF_THE_CORPUS = "the model's", "by the size of the corpus"

DEFAULTS = {
    "valid_share": Default(0.05, 0.3),
    "layers": Default((256, 512, 256), OF_THE_MODEL),
    "embedding": Default(128, OF_THE_MODEL),
    "dense": Default(256, OF_THE_MODEL),
    "latches": Default(True, OF_THE_MODEL),
    "dropout": Default(0.0, 0.1),
    "updates": Default(20_000, OF_THE_CORPUS),
    "batch": Default(24, 16),
    "time": Default(512, 128),
    "optimizer": Default("muon", "adamw"),
    "learning_rate": Default(OF_THE_OPTIMIZER, 3e-4),
    "warmup": Default(20, 20),
    "decay": Default(0.2, 0.5),
    "validate_every": Default(250, OF_THE_CORPUS),
    "valid_tokens": Default(100_000, 60_000),
    "patience": Default(0, 4),
    "threads": Default(1, min(4, PROCESSORS or 1)),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `train` takes."""
    add = _adder(parser, "corpus")
    add("--data", action="append", required=True, metavar="DIR[,weight=W][,jitter=MS][,normalise]",
        help="a folder of MIDI files (or what `prepare` made of it), its share of what is heard "
        "(default: its size), timing noise for quantized music (the deviation of its onsets is "
        "drawn for each playing, from 0 to twice MS), velocities brought to a common "
        "mean; may be given again")  # fmt: skip
    add("--valid", action="append", default=[], type=Path, metavar="DIR",
        help="a folder to validate on; may be given again (default: DIR/train and DIR/valid where "
        "DIR has both, otherwise whole compositions kept out of DIR)")  # fmt: skip
    add("--valid-share", type=fraction, metavar="X",
        help="share of the tokens to keep out where there is no validation folder")  # fmt: skip
    add_preparation(add)
    add = _adder(parser, "augmentation, drawn anew for every playing")
    add("--transpose", type=natural, default=5, metavar="N", help="semitones up or down")
    add("--tempo", type=tempo_range, default="0.85-1.18", metavar="LOW-HIGH",
        help="factors on durations")  # fmt: skip
    add("--velocity", type=natural, default=10, metavar="N", help="velocities up or down")
    add("--uneven", type=at_least_0, default=14.0, metavar="N",
        help="velocities spread note by note, by a deviation of up to N that is drawn for each "
        "playing")  # fmt: skip
    add("--fixed", type=fraction, default=0.06, metavar="X",
        help="share of playings at one velocity")  # fmt: skip
    add("--drift", type=fraction, default=0.03, metavar="X",
        help="tempo that wanders, by a deviation of up to X, where there is jitter")  # fmt: skip
    add = _adder(parser, "network")
    add(
        "--from",
        dest="origin",
        type=Path,
        nargs="?",
        const=SHIPPED,
        metavar="MODEL.onnx",
        help="train this model further, with music of your own (no file: the shipped one)",
    )
    add("--layers", type=sizes, metavar="N,N,...", help="LSTM layers")
    add("--embedding", type=positive, metavar="N", help="size of a token's embedding")
    add("--dense", type=positive, metavar="N", help="size of the dense layer")
    add("--dropout", type=fraction, metavar="X", help="after each layer")
    add("--latches", action=argparse.BooleanOptionalAction,
        help="tell it at each token which notes sound, and what cannot come next")  # fmt: skip
    add("--init", type=Path, metavar="FILE",
        help="begin with the weights of a run (.safetensors, fp32 or bf16) or a model (.onnx), "
        "widened if its network is smaller")  # fmt: skip
    add = _adder(parser, "training")
    add("--out", required=True, type=Path, metavar="RUN", help="the folder of the run")
    add("--branch", type=Path, metavar="TRUNK",
        help="begin with all that another run has (give its --data and options, too) and only let "
        "the rate fall to 0, over --updates (default: a quarter of its, a fifth of both)",
    )  # fmt: skip
    add("--updates", type=natural, metavar="N",
        help="length of the whole run; 0: a trunk, until it is stopped")  # fmt: skip
    add("--batch", type=positive, metavar="N", help="lanes, shared by all processes")
    add("--time", type=positive, metavar="N", help="tokens of a lane in an update")
    add("--optimizer", choices=OPTIMIZERS, help="muon learns most from a token")
    add("--learning-rate", type=at_least_0, metavar="X", help="the highest")
    add("--warmup", type=natural, metavar="N", help="updates in which the rate rises to it")
    add("--decay", type=fraction, metavar="X",
        help="last share of the run, in which it falls to 0; 0: it stays, and the run is a trunk, "
        "which can go on for as long as there is music; --branch makes a model of it at any time",
    )  # fmt: skip
    add("--weight-decay", type=at_least_0, default=0.01, metavar="X", help="of the optimiser")
    add("--clip", type=at_least_0, default=1.0, metavar="X", help="largest norm of a gradient")
    add("--ema", type=fraction, default=0.0, metavar="X",
        help="validate and keep a moving average of the weights that holds so much of itself in "
        "each update, as 0.999; 0: the weights as they are")  # fmt: skip
    add("--validate-every", type=positive, metavar="N", help="updates")
    add("--valid-tokens", type=positive, metavar="N", help="that a validation hears at most")
    add("--checkpoint-every", type=positive, default=250, metavar="N",
        help="updates that a kill may cost")  # fmt: skip
    add("--patience", type=natural, metavar="N",
        help="stop after so many validations without a better one; 0: never")  # fmt: skip
    add("--seed", type=natural, default=1, metavar="N", help="of weights, order and augmentation")
    add("--device", choices=DEVICES, default="auto", help="auto: a GPU if there is one")
    add("--precision", choices=("auto", "fp32", *MIXED), default="auto",
        help="auto: half where the processor multiplies it, otherwise fp32")  # fmt: skip
    add("--bf16", dest="precision", action="store_const", const="bf16",
        default=argparse.SUPPRESS, help="the same as --precision bf16")  # fmt: skip
    add("--threads", type=positive, metavar="N", help="threads of torch")


def add_preparation(add: Callable) -> None:
    """Options of everything that reads folders into a cache."""
    add("--cache", type=Path, default=Path("prepared"), metavar="DIR", help="keeps encoded corpora")
    add("--workers", type=positive, default=PROCESSORS, metavar="N",
        help="processes that read MIDI files")  # fmt: skip


def _adder(parser: argparse.ArgumentParser, title: str) -> Callable:
    """`add_argument` of a group, which tells the defaults of DEFAULTS."""
    group = parser.add_argument_group(title)

    def add(name: str, **about: object) -> None:
        default = DEFAULTS.get(name[2:].replace("-", "_"))
        if default:
            about["help"] = f"{about['help']} {default}"
        group.add_argument(name, **about)

    return add


def train(options: argparse.Namespace) -> int:
    """`train`: corpus to checkpoint, in as many processes as torchrun started."""
    import torch

    from .distributed import World, is_first

    origin = _prepared(options)
    music = gather(options, print if is_first() else _silently)
    torch.set_num_threads(options.threads)
    with World.join(options.device) as world:
        digests = set(world.gather(music.digest))
        if len(digests) > 1:
            raise UsageError("the processes read different corpora: --data must be the same")
        status = _run(options, music, origin, world)
    return world.leave(status)


def _prepared(options: argparse.Namespace) -> "Origin | None":
    """Fill in what was not given, and read the model that is trained further, if there is one."""
    further = options.origin is not None
    if further:
        given = [f"--{name}" for name in ("layers", "embedding", "dense", "latches", "init")
                 if getattr(options, name) is not None]  # fmt: skip
        if given:
            raise UsageError(f"{given[0]} cannot be given with --from: the model has its own")
    if options.branch is not None:
        branch.take_options(options)
    for name, default in DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, default.further if further else default.new)
    if not further:
        return None
    from .from_onnx import read_model

    return read_model(options.origin)


def _run(options: argparse.Namespace, music: Music, origin: "Origin | None", world: "World") -> int:
    from .fine_tune import judge, told
    from .latches import COUNT
    from .network import NetworkConfig
    from .train import Trainer

    if origin:
        network = replace(origin.network, dropout=options.dropout)
        music.about["from"] = origin.about
    else:
        network = NetworkConfig(
            embedding=options.embedding, layers=options.layers, dense=options.dense,
            dropout=options.dropout, latches=COUNT if options.latches else 0,
        )  # fmt: skip
    for beginning in ("init", "branch"):
        path = getattr(options, beginning)
        music.about[beginning] = path and shown(str(path))
    config = world.share(lambda: _config(options, music))
    limits = Augmentation(
        options.transpose, options.tempo, options.velocity, options.uneven, options.fixed,
        options.drift,
    )  # fmt: skip
    trainer = Trainer(
        options.out, network, config, limits, music.streams, music.valid, music.about, world,
        options.branch, music.judges if origin else None,
    )  # fmt: skip
    if options.init and not trainer.tokens:
        trainer.begin_with(options.init)
    if origin and not trainer.tokens:
        trainer.begin_from(origin.weights)
    status = trainer.run()
    if origin and not status:
        verdict = judge(trainer, origin.weights)
        if world.first:
            print(told(verdict, origin.path.name, trainer.out))
    return status


def _config(options: argparse.Namespace, music: Music) -> TrainConfig:
    from .fine_tune import LOOKS, length

    if options.learning_rate == OF_THE_OPTIMIZER:
        options.learning_rate = RATES[options.optimizer]
    if options.branch is not None:
        branch.take_from_trunk(options)
    if options.updates == OF_THE_CORPUS:
        options.updates = length(music.about["tokens"], options.batch, options.time)
    if options.validate_every == OF_THE_CORPUS:
        options.validate_every = max(1, options.updates // LOOKS)
    if not options.updates and options.decay:
        raise UsageError("--updates 0 is without end: give --decay 0, too")
    whole = {"valid_piece": options.valid_tokens} if options.origin else {}
    names = set(TrainConfig.__dataclass_fields__) & set(vars(options))
    return TrainConfig(**{name: getattr(options, name) for name in names}, **whole)


def _silently(line: str) -> None:
    """Only the first of several processes speaks."""
