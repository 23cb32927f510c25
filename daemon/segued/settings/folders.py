"""Which file of settings is taken where none is named."""

import os
from pathlib import Path

from ..system.paths import xdg

PACKAGE = Path(__file__).resolve().parents[1]
SYSTEM = Path("/etc")
NAME = "config.yaml"
DEFAULTS = "built-in defaults"


def user_settings() -> Path | None:
    """The user's own folder of settings."""
    folder = xdg("XDG_CONFIG_HOME", ".config")
    return folder / "segue" if folder is not None else None


def candidates() -> list[Path]:
    """Files of settings, the first that is there being taken where none is named.

    ./config.yaml counts in the checkout of the running package alone: in any other folder a file of
    that name is somebody else's.
    """
    found = [Path(NAME)] if _in_own_checkout() else []
    own = user_settings()
    if own is not None:
        found.append(own / NAME)
    if os.name == "posix":
        found.append(SYSTEM / "segue" / NAME)
    return found


def find_settings() -> Path | None:
    """The file of settings where none is named; None: there is none, and the defaults count."""
    return next((path for path in candidates() if os.path.exists(path)), None)


def told(path: Path | None) -> str:
    """Where the settings come from, for people."""
    if path is not None:
        return str(path)
    return f"{DEFAULTS} (there is no {' or '.join(map(str, candidates()))})"


def _in_own_checkout() -> bool:
    try:
        return os.path.samefile(Path("daemon", "segued"), PACKAGE)
    except OSError:
        return False
