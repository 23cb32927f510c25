"""`segued status` and `segued reload`: asking a running daemon through its control socket."""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

from ..errors import ConfigError, PortError
from ..settings.config import Config
from . import runtime_dirs
from .state_file import BROKEN, Reader
from .status_text import Status, page, status_of

PATIENCE = 5.0  # seconds for an answer
LONGEST_RELOAD = 30.0  # seconds; a model may be large
LOOK_AGAIN = 0.05
LONGEST_ANSWER = 1 << 20  # bytes


def status(config: Config, json_wanted: bool, metrics: bool) -> int:
    """Print what the running daemon says of itself. PortError when none runs."""
    where = find(config.ports.name)
    if metrics:
        sys.stdout.write(ask(where, "/metrics"))
        return 0
    text = ask(where, "/status")
    print(text.strip() if json_wanted else page(json.loads(text)))
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
    counted = _verdicts(before)
    deadline = time.monotonic() + LONGEST_RELOAD
    while time.monotonic() < deadline:
        time.sleep(LOOK_AGAIN)
        try:
            after = about(where)
        except PortError:  # who answers may be replaced, for another service.metrics_port
            continue
        if _verdicts(after) != counted:
            if after["counts"]["refusals"] > before["counts"]["refusals"]:
                raise ConfigError(after["last_reload"])
            print(after["last_reload"])
            return 0
    raise PortError(f"no answer to the reload within {LONGEST_RELOAD:g} s (segued status tells)")


def find(name: str) -> Path:
    """The control socket of the daemon of that name; where no name was set, of the only one.

    PortError says which there are, or how the last one ended.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise PortError("this Python has no Unix sockets on this system: no status here")
    folders = runtime_dirs.searched()
    for folder in folders:
        where = folder / (runtime_dirs.stem(name) + runtime_dirs.SOCKET)
        if _answers(where):
            return where
    others = [s for f in folders for s in _sockets(f) if _answers(s)]
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


def ask(where: Path, path: str) -> str:
    """The daemon's answer; PortError when it gives none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(PATIENCE)
        try:
            _connect(line, where)
            line.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            data = b""
            while (more := line.recv(65536)) and len(data) < LONGEST_ANSWER:
                data += more
        except OSError as error:
            raise PortError(f"{where}: no answer ({error.strerror or error})") from None
    head, _, body = data.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise PortError(f"{where}: {body.decode(errors='replace').strip() or 'no answer'}")
    return body.decode()


def _connect(line: socket.socket, where: Path) -> None:
    """Wait while others stand in the queue, up to `PATIENCE`."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            line.connect(str(where))
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_AGAIN)


def about(where: Path) -> Status:
    """What the daemon at a control socket says of itself; PortError when it says nothing."""
    answer: Status = json.loads(ask(where, "/status"))
    return answer


def _verdicts(status: Status) -> int:
    return int(status["counts"]["reloads"] + status["counts"]["refusals"])


def _answers(where: Path) -> bool:
    """Whether somebody listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(PATIENCE)
        try:
            _connect(line, where)
        except OSError:
            return False
    return True


def _sockets(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)
    except OSError:  # not there, or somebody else's
        return []
    return [folder / name for name in sorted(names) if name.endswith(runtime_dirs.SOCKET)]


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
    """How the last daemon of that name ended, as far as its board tells."""
    for folder in folders:
        try:
            reader = Reader(folder / (runtime_dirs.stem(name) + runtime_dirs.BOARD))
        except (OSError, ValueError):
            continue
        try:
            last = status_of(reader.read(), time.monotonic())
        except ValueError:
            continue
        finally:
            reader.close()
        if last["running"]:
            return f": process {last['process']} lives, but nobody answers for it"
        good = last["state"] == "stopped" and not last["sounding"]
        ended = "in good order" if good else "broken" if last["state"] == BROKEN else "in disorder"
        errors = [error["line"] for error in last["errors"] if error["level"] != "info"]
        return f"; the last one ended {ended}" + (f" ({errors[-1]})" if errors else "")
    return ""
