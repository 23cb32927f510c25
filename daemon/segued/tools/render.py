"""A performance played to the same player under a virtual clock: thinking takes no time."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..generation.context import StepModel
from ..midi.files import Timed, Warn, closed, ignore, read_performance, write_messages
from ..player.active_notes import MODEL
from ..player.player import Player
from ..settings.config import Config

LONGEST = 3600.0  # seconds after the performance: where a reply that never ends is cut off


def repeatable(config: Config) -> Config:
    """The same settings with a device that no timing chooses: what cannot be late need not race."""
    if config.inference.device != "auto":
        return config
    return replace(config, inference=replace(config.inference, device="cpu"))


def perform(
    model: StepModel,
    config: Config,
    performance: Sequence[Timed],
    seed: int,
    seconds: float | None = None,
    heard: list[int] | None = None,
) -> list[Timed]:
    """What the model plays to a performance: (seconds, message) in order.

    It goes on until the last reply is over, or for `seconds` in all. The same arguments give the
    same result.
    """
    played: list[Timed] = []
    now = 0.0

    def send(owner: int, message: bytes) -> None:
        if owner == MODEL:
            played.append((now, message))

    if config.sync.clock == "send":  # a file keeps no clock, and nobody waits for one
        config = replace(config, sync=replace(config.sync, clock="ignore"))
    player = Player(model, config, send, seed, heard)
    last = performance[-1][0] if performance else 0.0
    end = last + LONGEST if seconds is None else seconds
    waiting = list(reversed([timed for timed in performance if timed[0] <= end]))
    while True:
        while player.think(now):
            pass
        due = player.next_due()
        coming = waiting[-1][0] if waiting else None
        whole = player.improviser.context.encoder.settles  # only then it can be thought about
        times = [time for time in (due, coming, whole) if time is not None]
        if not times or min(times) > end:
            break
        now = max(now, min(times))
        player.tick(now)
        while waiting and waiting[-1][0] <= now:
            player.receive(now, waiting.pop()[1])
    if times or seconds is not None:
        now = max(now, end)
    player.silence(now)
    return played


def render_file(
    model: StepModel,
    config: Config,
    source: Path,
    target: Path,
    seed: int,
    seconds: float | None = None,
    warn: Warn = ignore,
) -> tuple[list[Timed], list[Timed]]:
    """Play SOURCE to the player and write both parts as two tracks; returns them too. `warn` takes
    a line where SOURCE can be read in part."""
    performance = read_performance(source, warn)
    if seconds is not None:
        performance = closed([timed for timed in performance if timed[0] <= seconds], seconds)
    played = perform(model, config, performance, seed, seconds)
    write_messages(target, [("Performer", performance), ("Segue", played)])
    return performance, played
