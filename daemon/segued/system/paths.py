"""The home folder, XDG's folders, and paths in the settings.

A missing home folder (HOME is not set, and the user is not in the password file) is no error here.
"""

import os
from pathlib import Path

from ..errors import ConfigError


def home() -> Path | None:
    """The user's home folder; None when there is none."""
    path = os.path.expanduser("~")
    return Path(path) if os.path.isabs(path) else None


def xdg(variable: str, otherwise: str) -> Path | None:
    """The folder that `variable` names, or `otherwise` below the home folder; None without one."""
    given = Path(os.environ.get(variable, ""))
    if given.is_absolute():  # relative ones must be ignored (XDG Base Directory Specification)
        return given
    at_home = home()
    return at_home / otherwise if at_home is not None else None


def expanded(path: str, option: str) -> Path:
    """A path in the settings with "~" and "~name" expanded. Raises ConfigError if that fails."""
    full = os.path.expanduser(path)
    if full.startswith("~"):
        raise ConfigError(f"{option}: no home folder for {path!r}: write the full path")
    return Path(full)
