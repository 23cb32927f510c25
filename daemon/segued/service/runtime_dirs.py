"""Where a running daemon keeps its state file, for itself and for who asks how it is.

The first of these that is set: RUNTIME_DIRECTORY (systemd gives it to a service), `segue` in
XDG_RUNTIME_DIR (one's own session), /run/segue (root, and the system's service), and `segue-USER`
in the folder for temporary files. Each is open to its owner alone.
"""

import os
import re
import stat
import tempfile
import zlib
from pathlib import Path

BOARD = ".board"
SYSTEM = Path("/run/segue")
LONGEST_STEM = 40  # characters


def own() -> Path:
    """The folder that a daemon of this user and environment keeps its files in."""
    return _folders()[0]


def searched() -> list[Path]:
    """The folders in which a daemon may be found, one's own first."""
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
    """The folder for temporary files, also where none can be written to: then it cannot be made."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return Path("/tmp")


def make(folder: Path) -> Path:
    """The folder, there and open to its owner alone.

    Raises OSError, also when it belongs to somebody else: in a folder for temporary files anyone
    may have made it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix":
        about = folder.stat(follow_symlinks=folder.parent != _temporary())
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
            raise PermissionError(1, "it belongs to somebody else", str(folder))
        if about.st_mode & 0o077:
            folder.chmod(0o700)
    return folder


def stem(name: str) -> str:
    """A daemon's name (ports.name) as the beginning of a file's name; other names, other files."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:LONGEST_STEM]
    return plain if plain == name else f"{plain}-{zlib.crc32(name.encode()):08x}"
