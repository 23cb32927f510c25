"""The home folder, XDG's folders, and paths as the settings give them.

No home folder (a user without an entry in the password file, and HOME not set) is no error here:
what would be there is not there.
"""

import os
from pathlib import Path

from ..errors import ConfigError


def home() -> Path | None:
    """The user's home folder; None where there is none."""
    path = os.path.expanduser("~")
    return Path(path) if os.path.isabs(path) else None


def xdg(variable: str, otherwise: str) -> Path | None:
    """The folder that `variable` names, or `otherwise` below the home folder."""
    given = Path(os.environ.get(variable, ""))
    if given.is_absolute():  # the standard has a relative one ignored
        return given
    at_home = home()
    return at_home / otherwise if at_home is not None else None


def expanded(path: str, option: str) -> Path:
    """A path of the settings, "~" and "~name" being home folders. ConfigError without one."""
    full = os.path.expanduser(path)
    if full.startswith("~"):
        raise ConfigError(f"{option}: no home folder for {path!r}: write the whole path")
    return Path(full)
