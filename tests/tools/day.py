"""A day of playing under the virtual clock: does an hour cost at its end what it cost at first?

`python -m tests.tools.day [--hours 24] [--seed 1] [--fake]` plays the shipped phrases, varied,
with pauses, interruptions, pedals and changes of mode, to the player with the shipped model
(`--fake`: a model of the tests, which costs next to nothing, so that all the time is Segue's own).
A row for each hour (times are the processor's, so they bear a busy machine); exit status 1 when a
note hangs, an event or a step becomes dearer, the model's entropy drifts, or memory grows.
"""

import argparse
import gc
import random
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from segued.generation.context import StepModel
from segued.midi.files import read_messages
from segued.model.loading import load_model
from segued.player.active_notes import PERFORMER
from segued.player.player import Player
from segued.settings.yaml_file import load_settings

from tests.support.fakes import FoldingModel, Synth

PHRASES = sorted((Path(__file__).parents[2] / "daemon/segued/phrases").glob("*.mid"))
WARM_UP = 1  # hours that memory may take to settle
MOST_GROWTH = 1.0  # MB after that
DEARER = 1.25  # times the first hours' cost of an event or a step: the noise of a shared machine
DRIFT = 0.1  # share by which the mean entropy of the last hours may differ from the first ones'
MODES = ("duet", "solo", "listen")  # besides "continue", for a phrase at a time
RESTS = (0.05, 0.3, 1.0, 3.0, 6.0, 30.0)  # seconds between phrases
SETTINGS = ("turns.reply_length=phrase", "turns.longest_reply=8", "sampling.candidates=1")


def resident() -> float:
    """MB of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def playing(rng: random.Random) -> Iterator[tuple[float, str, Any]]:
    """(seconds since the last, what, argument) without end: messages, knobs."""
    phrases = [read_messages(path) for path in PHRASES]
    mode = "continue"
    while True:
        if mode != "continue" or rng.random() < 0.15:
            mode = "continue" if mode != "continue" else rng.choice(MODES)
            yield 0.0, "mode", mode
        phrase, shift = rng.choice(phrases), rng.randint(-5, 5)
        tempo, last = rng.uniform(0.5, 1.1), 0.0
        for at, message in phrase:
            if message[0] & 0xE0 == 0x80:
                message = bytes((message[0], min(127, max(0, message[1] + shift)), message[2]))
            yield (at - last) * tempo, "message", message
            last = at
        if rng.random() < 0.2:
            for down in (127, 0):
                yield 0.1, "message", bytes((0xB0, 64, down))
        yield rng.choice(RESTS), "message", b"\xb0\x40\x00"


class Hour(NamedTuple):
    """What an hour came to: microseconds of ours for each event or step, of the model for a step,
    MB, nats."""

    own: float
    step: float
    resident: float
    entropy: float


class Watched:
    """A model that is another one, and keeps the mean entropy, in nats, of what it says next, and
    what a step costs."""

    def __init__(self, model: StepModel) -> None:
        self._model, self.vocabulary = model, model.vocabulary
        self._many: Any = getattr(model, "step_many", None)
        self.initial_state = model.initial_state
        self.sum, self.seconds, self.count = 0.0, 0.0, 0

    def step(self, ids: Any, state: Any) -> Any:
        """As the model itself."""
        began = time.process_time()
        logits, after = self._model.step(ids, state)
        self.seconds += time.process_time() - began
        if self.count % 16 == 0:
            weights = np.exp(logits - logits.max())
            shares = weights / weights.sum()
            self.sum -= float((shares * np.log(shares + 1e-12)).sum()) * 16
        self.count += 1
        return logits, after

    def step_many(self, ids: Any, states: Any) -> Any:
        """As the model itself."""
        return self._many(ids, states)

    def take(self) -> tuple[float, float, int]:
        """Mean nats, seconds, steps since the last call."""
        taken = self.sum / max(1, self.count), self.seconds, self.count
        self.sum, self.seconds, self.count = 0.0, 0.0, 0
        return taken


def main() -> int:
    """Play, print a row an hour; 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fake", action="store_true")
    options = parser.parse_args()
    config, synth = load_settings(None, SETTINGS), Synth(deaf=True)
    model = Watched(FoldingModel() if options.fake else load_model(config))
    counts = {"in": 0, "out": 0, "notes": 0}

    def send(owner: int, message: bytes) -> None:
        counts["out"] += 1
        counts["notes"] += owner != PERFORMER and message[0] & 0xF0 == 0x90
        synth.take(message)

    player = Player(model, config, send, options.seed)
    source = playing(random.Random(options.seed))
    now, total = 0.0, 0
    rows: list[Hour] = []
    print(f"{'hour':>4}{'events':>9}{'steps':>9}{'us own':>8}{'us/step':>9}{'MB':>8}{'notes/s':>9}"
          f"{'nats':>7}", flush=True)  # fmt: skip
    for hour in range(options.hours):
        counts.update(dict.fromkeys(counts, 0))
        began = time.process_time()
        while now < 3600.0 * (hour + 1):
            pause, what, argument = next(source)
            now = _pass(player, now, now + pause)
            if what == "message":
                counts["in"] += 1
                player.receive(now, argument)
            else:
                player.set(now, what, argument)
        spent = time.process_time() - began
        gc.collect()
        events = counts["in"] + counts["out"]
        total += events
        nats, thought, steps = model.take()
        own = 1e6 * (spent - thought) / (events + steps)
        rows.append(Hour(own, 1e6 * thought / max(1, steps), resident(), nats))
        print(f"{hour + 1:4}{events:9}{steps:9}{own:8.1f}{rows[-1].step:9.1f}"
              f"{rows[-1].resident:8.1f}{counts['notes'] / 3600:9.2f}{nats:7.3f}",
              flush=True)  # fmt: skip
    player.set(now, "mode", "continue")
    player.silence(now)
    return _judge(rows, total, len(synth.sounding))


def _pass(player: Player, now: float, end: float) -> float:
    """Let time pass, with all that is due in it."""
    while True:
        while player.think(now):
            pass
        due = player.next_due()
        if due is None or due > end:
            player.tick(end)
            return end
        now = max(now, due)
        player.tick(now)


def _judge(rows: list[Hour], total: int, hanging: int) -> int:
    """What was promised and what came; the exit status."""
    first = Hour(*map(statistics.median, zip(*rows[:3], strict=True)))
    last = Hour(*map(statistics.median, zip(*rows[-3:], strict=True)))
    grown = rows[-1].resident - rows[min(WARM_UP, len(rows) - 1)].resident
    print(f"{total} events; notes hanging: {hanging}; in the first hours and in the last an event "
          f"costs {first.own:.1f} and {last.own:.1f} us of ours, a step {first.step:.1f} and "
          f"{last.step:.1f} us, the entropy is {first.entropy:.3f} and {last.entropy:.3f} nats; "
          f"memory grew by {grown:+.2f} MB")  # fmt: skip
    broken = (
        hanging > 0
        or last.own > DEARER * first.own
        or last.step > DEARER * first.step
        or abs(last.entropy - first.entropy) > DRIFT * first.entropy
        or grown > MOST_GROWTH
    )
    print("a promise is broken" if broken else "all promises kept")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
