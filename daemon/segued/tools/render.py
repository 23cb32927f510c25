"""`segued render`: plays a file to the player under a virtual clock, faster than real time."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..generation.context import StepModel
from ..midi.files import Timed, Warn, closed, ignore, read_performance, write_messages
from ..player.active_notes import MODEL
from ..player.commands import Hear
from ..player.player import Player
from ..settings.config import Config
from ..settings.repertoire import joined, read_music

LONGEST = 3600.0  # seconds after the performance at which an endless reply is ended


def repeatable(config: Config) -> Config:
    """The settings with the CPU instead of the device `auto`, which depends on timing."""
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
    """The messages that the model plays to a performance: (seconds, message) in order.

    It ends with the last reply, or after `seconds` in all. The same arguments give the same result.
    """
    played: list[Timed] = []
    now = 0.0

    def send(owner: int, message: bytes) -> None:
        if owner == MODEL:
            played.append((now, message))

    if config.sync.clock == "send":  # a file has no clock messages
        config = replace(config, sync=replace(config.sync, clock="ignore"))
    player = Player(model, config, send, seed, heard)
    music = read_music(config)
    if music.pieces:
        player.perform(0.0, Hear(joined(music.pieces)))
    last = performance[-1][0] if performance else 0.0
    end = last + LONGEST if seconds is None else seconds
    waiting = list(reversed([timed for timed in performance if timed[0] <= end]))
    while True:
        while player.think(now):
            pass
        due = player.next_due()
        coming = waiting[-1][0] if waiting else None
        settles = player.improviser.context.encoder.settles  # planning can begin then
        times = [time for time in (due, coming, settles) if time is not None]
        if not times or min(times) > end:
            break
        now = max(now, min(times))
        player.tick(now)
        while waiting and waiting[-1][0] <= now:
            player.receive(now, waiting.pop()[1])
        music.hear_wanted(player, now)
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
    """Play `source` to the player, write both parts to `target` as two tracks, and return them.

    `warn(line)` is called if only a part of `source` can be read.
    """
    performance = read_performance(source, warn)
    if seconds is not None:
        performance = closed([timed for timed in performance if timed[0] <= seconds], seconds)
    played = perform(model, config, performance, seed, seconds)
    write_messages(target, [("Performer", performance), ("Segue", played)])
    return performance, played
