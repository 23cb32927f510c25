"""A branch of a trunk: what a run with a constant rate has learned, brought to rest.

Nobody knows beforehand how long a training will be gone on with, and a rate that has fallen cannot
be raised again without losing what the fall had gained. So there is one run that never falls, the
trunk, and a short one that only falls for each model that is wanted of it.
"""

import argparse

from segued.errors import UsageError

SHARE = 4  # a branch is a quarter as long as its trunk, a fifth of both
OF_THE_TRUNK = "the trunk's"


def take_options(options: argparse.Namespace) -> None:
    """A branch begins as its trunk is, and has no rate but one that falls."""
    given = [name for name in ("origin", "init", "warmup", "decay")
             if getattr(options, name) is not None]  # fmt: skip
    if given:
        name = "from" if given[0] == "origin" else given[0]
        raise UsageError(f"--{name} cannot be given with --branch")
    options.warmup, options.decay = 0, 1.0
    if options.updates is None:
        options.updates = OF_THE_TRUNK
    if options.learning_rate is None:
        options.learning_rate = OF_THE_TRUNK


def take_from_trunk(options: argparse.Namespace) -> None:
    """What a branch takes from its trunk: its rate, and a length; once begun it keeps them."""
    from .checkpoint import LAST, read_asked, read_last

    begun = (options.out / LAST).exists()
    train = read_asked(options.out if begun else options.branch)["train"]
    if options.learning_rate == OF_THE_TRUNK:
        options.learning_rate = train["learning_rate"]
    if options.updates == OF_THE_TRUNK:
        heard = read_last(options.branch)["counters"][0] if not begun else 0
        options.updates = train["updates"] if begun else max(1, heard // SHARE)
