"""`segued connect`: sets the MIDI ports in the settings file and makes the daemon reload it."""

from collections.abc import Mapping
from pathlib import Path

from ..settings.config import Config
from ..settings.edit import with_option
from .settings_file import change_settings


def connect(config: Config, path: Path | None, ports: Mapping[str, str]) -> int:
    """Set `ports` (input, output) in the settings file `path` (None: the user's), and reload.

    Raises ConfigError when the file cannot be changed, or when the daemon cannot open the ports;
    then the file is restored.
    """

    def edit(text: str, file: str) -> str:
        for key, value in ports.items():
            text = with_option(text, file, f"ports.{key}", value)
        return text

    change_settings(config, path, edit)
    return 0
