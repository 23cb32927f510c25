"""What the daemon plays with: settings, model, seed and recording."""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from ..errors import DataError
from ..model.chord_model import ChordModel
from ..model.loading import load_model, model_name, model_path
from ..model.options import DEFAULT, InferenceOptions
from ..model.session import Model
from ..player.output_chain import Send
from ..player.player import Player
from ..recording.journal import Journal
from ..recording.recorder import Recorder
from ..settings.config import SECTIONS, Config
from ..settings.repertoire import Music

NAME = "ports.name"
"""The one option that a reload cannot change: the state file is named after it."""
CONNECTION = {f"ports.{key}" for key in ("backend", "input", "output", "tcp_host", "tcp_port")}
"""Options whose change needs other ports."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Identifies a loaded model: its name (see `model_name`), its files for CPU and CUDA, their
    times, sizes and inodes, and the settings that it was loaded with."""

    name: str
    paths: tuple[Path, Path]
    files: tuple[tuple[int, int, int], ...]
    inference: InferenceOptions
    candidates: int

    def path(self, device: str) -> Path:
        """The file for a device."""
        return self.paths[device != "cpu"]


@dataclass(slots=True)
class Setup:
    """What a player is made of. `recorder`: of the recording in progress, or None.

    `config.model.path` may have been chosen while it plays; `own_path` is that of the settings
    themselves, "" until then. `music`: what the settings name to be heard.
    """

    config: Config
    model: Model | ChordModel
    stamp: Stamp
    seed: int
    recorder: Recorder | None = None
    own_path: str = ""
    music: Music = field(default_factory=Music)

    def __post_init__(self) -> None:
        self.own_path = self.own_path or self.config.model.path

    def player(self, send: Send) -> Player:
        """A new player with an empty context."""
        journal = None if self.recorder is None else Journal(self.recorder.note)
        return Player(self.model, self.config, send, self.seed, journal=journal)

    def with_model(self, name: str) -> Config:
        """The settings with this model, or `default` for the one that the settings file names."""
        path = self.own_path if name == DEFAULT else name
        return replace(self.config, model=replace(self.config.model, path=path))

    def reread(self, config: Config) -> Config:
        """Settings that were read again. A chosen model stays, unless `model.path` was changed."""
        stays = config.model.path == self.own_path
        return replace(config, model=self.config.model) if stays else config

    def apply(
        self, config: Config, stamp: Stamp, model: Model | ChordModel | None, own_path: str
    ) -> None:
        """Replace settings and, unless None, the model. `ports.name` stays until a restart."""
        ports = replace(config.ports, name=self.config.ports.name)
        self.config, self.stamp, self.own_path = replace(config, ports=ports), stamp, own_path
        self.model = model or self.model
        if isinstance(config.sampling.seed, int):
            self.seed = config.sampling.seed


def stamp_of(config: Config) -> Stamp:
    """The stamp of the model that the settings name. Missing files are left out. Raises DataError
    when there is no model of that name."""
    paths = (model_path(config, "cpu"), model_path(config, "cuda"))
    files = []
    for path in paths:
        try:
            about = path.stat()
        except OSError:  # loading the model reports the error
            continue
        files.append((about.st_mtime_ns, about.st_size, about.st_ino))
    candidates = config.sampling.candidates
    return Stamp(model_name(config), paths, tuple(files), config.inference, candidates)


def check_presets(config: Config) -> None:
    """Load the model of each preset. Raises DataError, which names the preset's line."""
    for preset in config.control.presets:
        if preset.model not in ("", DEFAULT):
            try:
                load_model(replace(config, model=replace(config.model, path=preset.model)))
            except DataError as error:
                raise DataError(f"{preset.where}: control.presets: {error}") from None


def changes(old: Config, new: Config) -> list[str]:
    """The names (section.key) of the options that differ."""
    return [
        f"{section}.{f.name}"
        for section in SECTIONS
        for f in fields(getattr(old, section))
        if getattr(getattr(old, section), f.name) != getattr(getattr(new, section), f.name)
    ]
