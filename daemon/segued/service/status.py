"""`segued status` and `segued reload`: both read the running daemon's state file."""

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from ..errors import ConfigError, PortError
from ..settings.config import Config
from . import runtime_dirs
from .command_sender import ENDING, CommandSender
from .connections import State
from .state_file import BROKEN
from .state_reader import Reader, Reading
from .status_text import Status, metrics_of, page, status_of

LONGEST_RELOAD = 30.0  # seconds; a model may be large
POLL_EVERY = 0.05  # seconds


def status(config: Config, json_wanted: bool, metrics: bool) -> int:
    """Print the running daemon's status. Raises PortError when none runs."""
    reading, now = _read(find(config.ports.name)), time.perf_counter()
    if metrics:
        sys.stdout.write(metrics_of(reading, now))
        return 0
    shown, token = status_of(reading, now), reading.facts.get("page_token")
    if token:  # a user who may read the state file may know it
        shown["page"] += f"?token={token}"
    print(json.dumps(shown) if json_wanted else page(shown))
    return 0


def page_of(config: Config) -> tuple[str, str]:
    """The address of the running daemon's page and its token; each may be "".

    Raises PortError when none runs.
    """
    facts = _read(find(config.ports.name)).facts
    return facts.get("page", ""), facts.get("page_token", "")


def reload(config: Config) -> int:
    """Make the running daemon reload its settings and its model, and wait for the result.

    Raises ConfigError with the daemon's line when it refuses them, PortError when none runs.
    """
    if not hasattr(signal, "SIGHUP"):
        raise PortError("this operating system has no SIGHUP: restart segued instead")
    where = find(config.ports.name)
    before = about(where)
    try:
        os.kill(before["process"], signal.SIGHUP)
    except (ProcessLookupError, PermissionError) as error:
        raise PortError(f"cannot signal process {before['process']}: {error.strerror}") from None
    return _await_result(where, before)


def use_model(config: Config, name: str) -> int:
    """Make the running daemon play the model of this name, or `default`, and wait for the result.

    A daemon that takes no commands only knows the default: it reloads. Raises ConfigError with the
    daemon's line when it refuses it, PortError when none runs.
    """
    if os.name != "posix":
        return reload(config)
    where = find(config.ports.name)
    before = about(where)
    with contextlib.closing(CommandSender(where.with_suffix(ENDING))) as sender:
        sent = sender.send("model", name)
    return _await_result(where, before) if sent else reload(config)


def _await_result(where: Path, before: Status) -> int:
    """Wait until a requested reload is over, and print its line."""
    deadline = time.monotonic() + LONGEST_RELOAD
    while time.monotonic() < deadline:
        time.sleep(POLL_EVERY)
        after = about(where)
        if after["counts"]["refusals"] > before["counts"]["refusals"]:
            raise ConfigError(after["last_reload"])
        if after["counts"]["reloads"] > before["counts"]["reloads"]:
            print(after["last_reload"])
            if after["state"] != State.CONNECTED.value:
                print(*after["why"], sep="\n")
            return 0
        if not after["running"]:
            raise PortError(f"process {before['process']} ended during the reload")
    raise PortError(
        f"the reload was not finished within {LONGEST_RELOAD:g} s; segued status shows its result"
    )


def find(name: str) -> Path:
    """The state file of the running daemon with this name. The default name finds the only one.

    Raises PortError, which lists the running daemons or says how the last one ended.
    """
    folders = runtime_dirs.searched()
    for folder in folders:
        where = folder / (runtime_dirs.stem(name) + runtime_dirs.STATE_SUFFIX)
        if _runs(where):
            return where
    others = [path for folder in folders for path in _state_files(folder) if _runs(path)]
    if len(others) == 1 and name == Config().ports.name:
        return others[0]
    if others:
        names = ", ".join(f"'{about(other)['name']}'" for other in others)
        raise PortError(f"no segued runs as '{name}'; running: {names} (--set ports.name=...)")
    closed = [folder for folder in folders if _closed(folder)]
    if closed:
        raise PortError(f"no segued of yours runs as '{name}'; {closed[0]} is closed to you: ask "
                        "as its owner, for example with sudo")  # fmt: skip
    raise PortError(f"no segued runs as '{name}'{_last_end(name, folders)}")


def about(where: Path) -> Status:
    """The present or last status in this state file. Raises PortError when it cannot be read."""
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
    """Whether the daemon of this state file runs; False also when it cannot be read."""
    try:
        return _read(where).running
    except PortError:
        return False


def _state_files(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)
    except OSError:  # it does not exist or is closed to this user
        return []
    return [folder / name for name in sorted(names) if name.endswith(runtime_dirs.STATE_SUFFIX)]


def _closed(folder: Path) -> bool:
    """Whether the folder exists and is closed to this user."""
    try:
        os.listdir(folder)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _last_end(name: str, folders: list[Path]) -> str:
    """How the last daemon of that name ended, by its state file; "" when it left none."""
    for folder in folders:
        try:
            last = about(folder / (runtime_dirs.stem(name) + runtime_dirs.STATE_SUFFIX))
        except PortError:
            continue
        clean = last["state"] == "stopped" and not last["sounding"]
        ended = "was stopped" if clean else "failed" if last["state"] == BROKEN else "crashed"
        errors = [error["line"] for error in last["errors"] if error["level"] != "info"]
        return f"; the last one {ended}" + (f" ({errors[-1]})" if errors else "")
    return ""
