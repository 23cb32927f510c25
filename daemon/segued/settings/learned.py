"""Where learned controllers are kept: a small file that a person can read, written all or not.

It has the form of config.yaml, so an entry can be copied from one to the other. `control.learned`
names it; `default` is `learned.yaml` in the first of these that is set: STATE_DIRECTORY (systemd
gives it to a service), `segue` in XDG_STATE_HOME, `segue` in ~/.local/state. Without any of them,
for a user without a home folder, nothing is kept.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..control.mapping import Mapped
from ..control.options import ControlOptions
from ..errors import ConfigError
from ..system.paths import expanded, xdg
from .config import Config, entry_lines
from .yaml_file import load_settings

HEAD = (
    "# What was learned by Segue (docs/control.md). Copy entries to config.yaml or delete them.\n"
)


def path_of(options: ControlOptions) -> Path | None:
    """The file; None where nothing is kept."""
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
    """The settings, and what was learned. Raises ConfigError, status 78, for a broken file."""
    path = path_of(config.control)
    if path is None or not os.path.exists(path):
        return config
    kept = load_settings(path)
    if kept != replace(Config(), control=replace(ControlOptions(), map=kept.control.map)):
        raise ConfigError(f"{path}: holds more than control.map: keep other settings elsewhere")
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
    """An entry of the file, whether or not it says so itself."""
    written = tuple(item for item in mapped.written if item[0] != "learned")
    return replace(mapped, learned=True, written=(*written, ("learned", True)))


def save(path: Path, learned: Sequence[Mapped]) -> None:
    """Keep what was learned: the file is the old one or the new one, never half. OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = HEAD + "\n".join(["control:", *entry_lines("map", learned), ""])
    file, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
