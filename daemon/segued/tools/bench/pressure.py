"""Measures how late the daemon sends under load, and while models are swapped.

The load of other programs on every core shows the benefit of real-time priority.

Read from the state file: a client would itself be starved of CPU time.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ...midi.messages import note_off, note_on
from ...model.loading import SHIPPED_FOR_GPU, SHIPPED_MODEL
from ...service import runtime_dirs
from ...service.state_reader import Reader, Reading
from ..live_session import LiveSession
from .report import Figure

SECONDS = 10.0
SWAPS, SWAP_EVERY = 4, 5.0  # seconds: priming takes one or two, and the reload waits for two
NAME = "Segue Bench"
PHRASE = ((0.0, note_on(0, 60, 80)), (0.1, note_off(0, 60)))
ENDLESS = ("turns.silence=0.15", "turns.reply_length=endless")

Say = Callable[[str], None]


def measure(settings: Sequence[str], say: Say) -> list[Figure]:
    """Both figures. Their floors: with normal priority; without swapping models."""
    say("all cores busy ...")
    scheduling, late = under_load(settings)
    _, ordinary = under_load([*settings, "service.priority=0"])
    say("models swapped ...")
    swapping, staying = while_swapped(settings)
    return [
        Figure("sent late, all cores busy", "ms", late, ordinary, 1.0, "p99",
               note=f"with {scheduling}; floor: with normal priority"),
        Figure("sent late, models swapped", "ms", swapping, staying, 1.0, "p99",
               note="another model every 5 s; floor: without"),
    ]  # fmt: skip


def under_load(settings: Sequence[str]) -> tuple[str, list[float]]:
    """The daemon's scheduling, and the lateness of each planned message in milliseconds."""
    with LiveSession([*settings, *ENDLESS], NAME) as stage:
        with busy_cores():
            stage.play(PHRASE, seconds=SECONDS)
        seen = _state_file(stage)
    return str(seen.facts["scheduling"]).split(",")[0], _late(seen)


def while_swapped(settings: Sequence[str]) -> tuple[list[float], list[float]]:
    """The lateness in milliseconds of a reply with models swapped, and of one without."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        results = []
        for swaps in (SWAPS, 0):
            config.write_text("{}")
            with LiveSession([*settings, *ENDLESS], NAME, config) as stage:
                stage.play(PHRASE, seconds=SWAP_EVERY)
                for swap in range(SWAPS):
                    if swaps:
                        model = (SHIPPED_FOR_GPU, SHIPPED_MODEL)[swap % 2]
                        config.write_text(f"model:\n  path: {json.dumps(str(model))}\n")
                        stage.process.send_signal(signal.SIGHUP)
                    stage.play(seconds=SWAP_EVERY)
                seen = _state_file(stage)
                if seen.numbers["reloads"] != swaps:
                    raise RuntimeError(f"{seen.facts.get('last_reload') or 'it did not reload'}")
                results.append(_late(seen))
    return results[0], results[1]


def _state_file(stage: LiveSession) -> Reading:
    reader = Reader(stage.runtime / (runtime_dirs.stem(NAME) + runtime_dirs.STATE_SUFFIX))
    try:
        return reader.read()
    finally:
        reader.close()


def _late(seen: Reading) -> list[float]:
    late = [1000 * value for value in seen.rings["lateness"]]
    if not late:
        raise RuntimeError("nothing was played")
    return late


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """Keep every core busy with a process."""
    with contextlib.ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            burner = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while 1: pass"]))
            stack.callback(burner.kill)
        yield
