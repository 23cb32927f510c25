"""`segued status` and `segued reload`: a running daemon is read off its state file."""

import json
import os
import signal
import sys
import time
from pathlib import Path

from ..errors import ConfigError, PortError
from ..settings.config import Config
from . import runtime_dirs
from .connections import State
from .state_file import BROKEN, Reader, Reading
from .status_text import Status, metrics_of, page, status_of

LONGEST_RELOAD = 30.0  # seconds; a model may be large
LOOK_AGAIN = 0.05


def status(config: Config, json_wanted: bool, metrics: bool) -> int:
    """Print how the running daemon is. PortError when none runs."""
    reading, now = _read(find(config.ports.name)), time.perf_counter()
    if metrics:
        sys.stdout.write(metrics_of(reading, now))
        return 0
    shown, token = status_of(reading, now), reading.facts.get("page_token")
    if token:  # who may read the state file may know it
        shown["page"] += f"?token={token}"
    print(json.dumps(shown) if json_wanted else page(shown))
    return 0


def reload(config: Config) -> int:
    """Have the running daemon read its settings and its model again; wait until it has.

    ConfigError with its own line when it refuses them, PortError when none runs.
    """
    if not hasattr(signal, "SIGHUP"):
        raise PortError("this operating system has no SIGHUP: restart segued instead")
    where = find(config.ports.name)
    before = about(where)
    try:
        os.kill(before["process"], signal.SIGHUP)
    except (ProcessLookupError, PermissionError) as error:
        raise PortError(f"cannot signal process {before['process']}: {error.strerror}") from None
    deadline = time.monotonic() + LONGEST_RELOAD
    while time.monotonic() < deadline:
        time.sleep(LOOK_AGAIN)
        after = about(where)
        if after["counts"]["refusals"] > before["counts"]["refusals"]:
            raise ConfigError(after["last_reload"])
        if after["counts"]["reloads"] > before["counts"]["reloads"]:
            print(after["last_reload"])
            if after["state"] != State.CONNECTED.value:
                print(*after["why"], sep="\n")
            return 0
        if not after["running"]:
            raise PortError(f"process {before['process']} ended before it answered the reload")
    raise PortError(f"no answer to the reload within {LONGEST_RELOAD:g} s (segued status tells)")


def find(name: str) -> Path:
    """The state file of the running daemon of that name; where no name was set, of the only one.

    PortError says which there are, or how the last one ended.
    """
    folders = runtime_dirs.searched()
    for folder in folders:
        where = folder / (runtime_dirs.stem(name) + runtime_dirs.BOARD)
        if _runs(where):
            return where
    others = [path for folder in folders for path in _state_files(folder) if _runs(path)]
    if len(others) == 1 and name == Config().ports.name:
        return others[0]
    if others:
        names = ", ".join(f"'{about(other)['name']}'" for other in others)
        raise PortError(f"no segued plays as '{name}'; there are: {names} (--set ports.name=...)")
    closed = [folder for folder in folders if _closed(folder)]
    if closed:
        raise PortError(f"no segued of yours runs here as '{name}'; what {closed[0]} holds is "
                        "closed to you: ask as its owner, such as with sudo")  # fmt: skip
    raise PortError(f"no segued runs here as '{name}'{_last_words(name, folders)}")


def about(where: Path) -> Status:
    """How the daemon with this state file is, or was last. PortError when it cannot be read."""
    return status_of(_read(where), time.perf_counter())


def _read(where: Path) -> Reading:
    try:
        reader = Reader(where)
    except OSError as error:
        raise PortError(f"{where}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise PortError(str(error)) from None
    try:
        return reader.read()
    except ValueError as error:
        raise PortError(f"{where}: {error}") from None
    finally:
        reader.close()


def _runs(where: Path) -> bool:
    """Whether its daemon lives; False, too, where there is no such file or it cannot be read."""
    try:
        return _read(where).running
    except PortError:
        return False


def _state_files(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)
    except OSError:  # not there, or somebody else's
        return []
    return [folder / name for name in sorted(names) if name.endswith(runtime_dirs.BOARD)]


def _closed(folder: Path) -> bool:
    """Whether it is there and somebody else's."""
    try:
        os.listdir(folder)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _last_words(name: str, folders: list[Path]) -> str:
    """How the last daemon of that name ended, as far as its state file tells."""
    for folder in folders:
        try:
            last = about(folder / (runtime_dirs.stem(name) + runtime_dirs.BOARD))
        except PortError:
            continue
        good = last["state"] == "stopped" and not last["sounding"]
        ended = "in good order" if good else "broken" if last["state"] == BROKEN else "in disorder"
        errors = [error["line"] for error in last["errors"] if error["level"] != "info"]
        return f"; the last one ended {ended}" + (f" ({errors[-1]})" if errors else "")
    return ""
