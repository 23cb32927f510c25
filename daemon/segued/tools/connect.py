"""`segued connect`: MIDI ports are chosen, kept in the settings file and taken by the daemon."""

from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError, PortError
from ..service.status import reload
from ..settings.config import Config
from ..settings.edit import save_text, with_option
from ..settings.folders import NAME, user_settings


def connect(config: Config, path: Path | None, ports: Mapping[str, str]) -> int:
    """Set `ports` (input, output) in the settings file `path`, or in the user's own where there is
    none, and have the running daemon take them.

    ConfigError where the file cannot be changed, or the daemon cannot have the ports: then the file
    is as it was.
    """
    path = path or _own()
    before = _read(path)
    after = before or ""
    for key, value in ports.items():
        after = with_option(after, str(path), f"ports.{key}", value)
    _save(path, after)
    try:
        reload(config)
    except ConfigError:
        if before is None:
            path.unlink()
        else:
            _save(path, before)
        raise
    except PortError as error:
        print(f"saved in {path}; {error}")
    return 0


def _own() -> Path:
    folder = user_settings()
    if folder is None:
        raise ConfigError("this user has no home folder for a settings file: name one (--config)")
    return folder / NAME


def _read(path: Path) -> str | None:
    """The text of the file; None where there is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None


def _save(path: Path, text: str) -> None:
    try:
        save_text(path, text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
