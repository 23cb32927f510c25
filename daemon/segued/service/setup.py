"""What plays: the settings, the model that they name, the seed, the recording."""

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
"""The one option that a running daemon keeps: its board goes by it."""
CONNECTION = {f"ports.{key}" for key in ("backend", "input", "output", "tcp_host", "tcp_port")}
"""Options that take new ports."""

Stamp = tuple[Any, ...]
"""What tells one model that is loaded from another: its settings and the state of its files."""


@dataclass(slots=True)
class Setup:
    """All that a player is made of. `recorder`: of the recording that goes on, if one does."""

    config: Config
    model: Model | ChordModel
    stamp: Stamp
    seed: int
    recorder: Recorder | None = None

    def player(self, send: Send) -> Player:
        """A new one, which has heard nothing."""
        journal = None if self.recorder is None else Journal(self.recorder.note)
        return Player(self.model, self.config, send, self.seed, journal=journal)

    def take(self, config: Config, stamp: Stamp, model: Model | ChordModel | None) -> None:
        """Go on with other settings and perhaps another model. The name is kept until a restart."""
        ports = replace(config.ports, name=self.config.ports.name)
        self.config, self.stamp = replace(config, ports=ports), stamp
        self.model = model or self.model
        if isinstance(config.sampling.seed, int):
            self.seed = config.sampling.seed


def stamp_of(config: Config) -> Stamp:
    """The stamp of the model that the settings name."""
    files: list[Any] = []
    for path in (model_path(config, "cpu"), model_path(config, "cuda")):
        try:
            about = path.stat()
        except OSError:  # loading it says what is wrong
            continue
        files.append((str(path), about.st_mtime_ns, about.st_size, about.st_ino))
    return (*files, config.inference, config.sampling.candidates)


def changes(old: Config, new: Config) -> list[str]:
    """Names (section.key) of the options that differ."""
    return [
        f"{section}.{f.name}"
        for section in SECTIONS
        for f in fields(getattr(old, section))
        if getattr(getattr(old, section), f.name) != getattr(getattr(new, section), f.name)
    ]
