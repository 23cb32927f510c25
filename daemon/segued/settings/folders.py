"""Where Segue looks for its settings file when --config does not name one."""

import os
from pathlib import Path

from ..system.paths import xdg

PACKAGE = Path(__file__).resolve().parents[1]
SYSTEM = Path("/etc")
NAME = "config.yaml"
DEFAULTS = "built-in defaults"


def user_settings() -> Path | None:
    """The user's settings folder; None when the user has no home folder."""
    folder = xdg("XDG_CONFIG_HOME", ".config")
    return folder / "segue" if folder is not None else None


def candidates() -> list[Path]:
    """The settings files to look for, in order; the first that exists is used.

    ./config.yaml is one of them only in the checkout of the running package: in any other folder a
    file of that name belongs to another program.
    """
    found = [Path(NAME)] if _in_own_checkout() else []
    own = user_settings()
    if own is not None:
        found.append(own / NAME)
    if os.name == "posix":
        found.append(SYSTEM / "segue" / NAME)
    return found


def find_settings() -> Path | None:
    """The settings file to use when none is named; None when no file exists: use the defaults."""
    return next((path for path in candidates() if os.path.exists(path)), None)


def source_of(path: Path | None) -> str:
    """Where the settings come from, as text for the user."""
    if path is not None:
        return str(path)
    return f"{DEFAULTS} (there is no {' or '.join(map(str, candidates()))})"


def _in_own_checkout() -> bool:
    try:
        return os.path.samefile(Path("daemon", "segued"), PACKAGE)
    except OSError:
        return False
