"""The file of learned mappings: a small YAML file, written atomically.

It has the form of config.yaml, so entries can be copied from one to the other. `control.learned`
names it; `default` is `learned.yaml` in the first of these folders that is set: STATE_DIRECTORY
(systemd sets it for a service), `segue` in XDG_STATE_HOME, `segue` in ~/.local/state. For a user
without a home folder there is no such file.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..control.mapping import Mapped
from ..control.options import ControlOptions
from ..errors import ConfigError
from ..system.paths import expanded, xdg
from .config import Config, entry_lines
from .edit import save_text
from .yaml_file import load_settings

HEAD = (
    "# Mappings made by MIDI learn (docs/control.md). Copy entries to config.yaml or delete them.\n"
)


def path_of(options: ControlOptions) -> Path | None:
    """The path of the file; None when mappings are not saved."""
    if options.learned is None:
        return None
    if options.learned != "default":
        return expanded(options.learned, "control.learned")
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given) / "learned.yaml"
    folder = xdg("XDG_STATE_HOME", ".local/state")
    return folder / "segue" / "learned.yaml" if folder is not None else None


def with_learned(config: Config) -> Config:
    """The settings with the learned mappings added. Raises ConfigError for a broken file."""
    path = path_of(config.control)
    if path is None or not os.path.exists(path):
        return config
    kept = load_settings(path)
    if kept != replace(Config(), control=replace(ControlOptions(), map=kept.control.map)):
        raise ConfigError(f"{path}: only control.map may be set here: move other settings away")
    learned = tuple(_as_learned(mapped) for mapped in kept.control.map)
    same = {(m.source, m.number, channel) for m in learned for channel in m.channels}
    written = tuple(
        mapped
        for mapped in config.control.map
        if not (
            mapped.learned and same & {(mapped.source, mapped.number, c) for c in mapped.channels}
        )
    )
    return replace(config, control=replace(config.control, map=written + learned))


def _as_learned(mapped: Mapped) -> Mapped:
    """An entry of the file, marked as learned even if the file does not say so."""
    written = tuple(item for item in mapped.written if item[0] != "learned")
    return replace(mapped, learned=True, written=(*written, ("learned", True)))


def save(path: Path, learned: Sequence[Mapped]) -> None:
    """Write the mappings to the file atomically. Raises OSError."""
    save_text(path, HEAD + "\n".join(["control:", *entry_lines("map", learned), ""]))
