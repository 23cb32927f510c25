"""What the daemon plays with: settings, model, seed and recording."""

from dataclasses import dataclass, fields, replace
from typing import Any

from ..model.chord_model import ChordModel
from ..model.loading import model_path
from ..model.session import Model
from ..player.output_chain import Send
from ..player.player import Player
from ..recording.journal import Journal
from ..recording.recorder import Recorder
from ..settings.config import SECTIONS, Config

NAME = "ports.name"
"""The one option that a reload cannot change: the state file is named after it."""
CONNECTION = {f"ports.{key}" for key in ("backend", "input", "output", "tcp_host", "tcp_port")}
"""Options whose change needs other ports."""

Stamp = tuple[Any, ...]
"""Identifies a loaded model: its settings, and path, size, inode and time of its files."""


@dataclass(slots=True)
class Setup:
    """What a player is made of. `recorder`: of the recording in progress, or None."""

    config: Config
    model: Model | ChordModel
    stamp: Stamp
    seed: int
    recorder: Recorder | None = None

    def player(self, send: Send) -> Player:
        """A new player with an empty context."""
        journal = None if self.recorder is None else Journal(self.recorder.note)
        return Player(self.model, self.config, send, self.seed, journal=journal)

    def apply(self, config: Config, stamp: Stamp, model: Model | ChordModel | None) -> None:
        """Replace settings and, unless None, the model. `ports.name` stays until a restart."""
        ports = replace(config.ports, name=self.config.ports.name)
        self.config, self.stamp = replace(config, ports=ports), stamp
        self.model = model or self.model
        if isinstance(config.sampling.seed, int):
            self.seed = config.sampling.seed


def stamp_of(config: Config) -> Stamp:
    """The stamp of the model that the settings name. Missing files are left out."""
    files: list[Any] = []
    for path in (model_path(config, "cpu"), model_path(config, "cuda")):
        try:
            about = path.stat()
        except OSError:  # loading the model reports the error
            continue
        files.append((str(path), about.st_mtime_ns, about.st_size, about.st_ino))
    return (*files, config.inference, config.sampling.candidates)


def changes(old: Config, new: Config) -> list[str]:
    """The names (section.key) of the options that differ."""
    return [
        f"{section}.{f.name}"
        for section in SECTIONS
        for f in fields(getattr(old, section))
        if getattr(getattr(old, section), f.name) != getattr(getattr(new, section), f.name)
    ]
