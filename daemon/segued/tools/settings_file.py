"""Changes the settings file that the running daemon reads, and makes the daemon reload it."""

from collections.abc import Callable
from pathlib import Path

from ..errors import ConfigError, PortError
from ..service.status import reload
from ..settings.config import Config
from ..settings.edit import save_text
from ..settings.folders import NAME, user_settings

Edit = Callable[[str, str], str]
"""From the text of a file, and what errors call it, to its new text. Raises SegueError."""


def change_settings(
    config: Config, path: Path | None, edit: Edit, check: Callable[[], None] = lambda: None
) -> None:
    """Edit the settings file `path` (None: the user's), and reload.

    Raises ConfigError when the file cannot be changed, or when the daemon refuses the new settings
    or `check` does after the reload; then the file is restored.
    """
    path = path or _own()
    before = _read(path)
    _save(path, edit(before or "", str(path)))
    try:
        reload(config)
        check()
    except ConfigError:
        if before is None:
            path.unlink()
        else:
            _save(path, before)
        raise
    except PortError as error:
        print(f"saved in {path}; {error}")


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
