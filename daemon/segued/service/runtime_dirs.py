"""The runtime folder, in which a running daemon keeps its state file.

It is the first of these that is set: RUNTIME_DIRECTORY (systemd sets it for a service), `segue` in
XDG_RUNTIME_DIR (the user's session), /run/segue (root, and the system's service), and `segue-USER`
in the folder for temporary files. Only its owner may enter it.
"""

import os
import re
import stat
import tempfile
import zlib
from pathlib import Path

STATE_SUFFIX = ".board"
SYSTEM = Path("/run/segue")
LONGEST_STEM = 40  # characters


def own() -> Path:
    """The runtime folder of a daemon with this user and environment."""
    return _folders()[0]


def searched() -> list[Path]:
    """The folders in which a running daemon may be found, `own` first."""
    folders = _folders()
    if folders[-1] != SYSTEM and os.name == "posix":
        folders.append(SYSTEM)
    return folders


def _folders() -> list[Path]:
    given = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    folders = [Path(given)] if given else []
    if session:
        folders.append(Path(session) / "segue")
    if not folders and os.name == "posix" and os.getuid() == 0:
        folders.append(SYSTEM)
    if not folders:
        user = os.getuid() if os.name == "posix" else os.environ.get("USERNAME", "user")
        folders.append(_temporary() / f"segue-{user}")
    return folders


def _temporary() -> Path:
    """The folder for temporary files, also when it is not writable (`make` will then fail)."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return Path("/tmp")


def make(folder: Path) -> Path:
    """Make the folder, if it does not exist, and let only its owner enter it.

    Raises OSError, also when it belongs to another user: in the folder for temporary files anybody
    may have made it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix":
        about = folder.stat(follow_symlinks=folder.parent != _temporary())
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
            raise PermissionError(1, "it belongs to another user", str(folder))
        if about.st_mode & 0o077:
            folder.chmod(0o700)
    return folder


def stem(name: str) -> str:
    """A daemon's name (ports.name) as a file name without suffix, unique for each name."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:LONGEST_STEM]
    return plain if plain == name else f"{plain}-{zlib.crc32(name.encode()):08x}"
