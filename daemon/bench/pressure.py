"""What real-time priority brings: how late the daemon sends while other programs take every core.

Taken from the daemon's own account (its board): a client would be starved itself.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

from .. import places
from ..board import Reader
from ..rehearsal import Rehearsal
from .report import Figure

SECONDS = 10.0
NAME = "Segue Bench"
PHRASE = ((0.0, b"\x90\x3c\x50"), (0.1, b"\x80\x3c\x40"))
ENDLESS = ("turns.silence=0.15", "turns.reply_length=endless")

Say = Callable[[str], None]


def measure(settings: Sequence[str], say: Say) -> list[Figure]:
    """One figure; its floor is the same with normal priority."""
    say("all cores busy ...")
    scheduling, late = lateness(settings)
    _, ordinary = lateness([*settings, "service.priority=0"])
    return [
        Figure("sent late, all cores busy", "ms", late, ordinary, 1.0, "p99",
               note=f"with {scheduling}; floor: with normal priority")
    ]  # fmt: skip


def lateness(settings: Sequence[str]) -> tuple[str, list[float]]:
    """How it was scheduled, and by how many milliseconds each planned message was late."""
    with Rehearsal([*settings, *ENDLESS], NAME) as stage:
        with busy_cores():
            stage.play(PHRASE, seconds=SECONDS)
        reader = Reader(stage.runtime / (places.stem(NAME) + places.BOARD))
        try:
            seen = reader.read()
        finally:
            reader.close()
    late = [1000 * value for value in seen.rings["lateness"]]
    if not late:
        raise RuntimeError("nothing was played")
    return str(seen.facts["scheduling"]).split(",")[0], late


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """A process for each core that does nothing but compute."""
    with contextlib.ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            burner = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while 1: pass"]))
            stack.callback(burner.kill)
        yield
