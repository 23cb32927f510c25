"""`segued connect`: sets the MIDI ports in the settings file and makes the daemon reload it."""

from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError, PortError
from ..service.status import reload
from ..settings.config import Config
from ..settings.edit import save_text, with_option
from ..settings.folders import NAME, user_settings


def connect(config: Config, path: Path | None, ports: Mapping[str, str]) -> int:
    """Set `ports` (input, output) in the settings file `path` (None: the user's), and reload.

    Raises ConfigError when the file cannot be changed, or when the daemon cannot open the ports;
    then the file is restored.
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
        raise ConfigError(
            "this user has no home folder for a settings file: give one with --config"
        )
    return folder / NAME


def _read(path: Path) -> str | None:
    """The text of the file; None when there is no file."""
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
