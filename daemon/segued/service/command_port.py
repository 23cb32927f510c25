"""Commands from another process to a running daemon: datagrams, each a JSON list.

    ["set", "density", 0.5]       set a knob
    ["do", "panic"]               do an action
    ["receive", [144, 60, 80]]    handle a MIDI message as if it had arrived at the input
    ["watch", 3.0]                write to the event ring for this many seconds
    ["restate"]                   write the whole current state to the event ring once

The socket is a file in the daemon's runtime folder, which only its owner may enter. Anything else
is ignored: the sender is expected to check its commands.
"""

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import Any, NamedTuple

from ..control.knobs import ACTIONS, BY_NAME
from ..midi.messages import SYSTEM, is_message
from ..player.commands import PANIC, Do, Receive, Set
from ..player.player import Command
from .command_sender import LONGEST

LONGEST_WATCH = 10.0  # seconds


class Watch(NamedTuple):
    """A request to write events for `seconds`; `restate`: the whole current state first."""

    seconds: float
    restate: bool = False


class CommandPort:
    """Receives commands on a Unix socket at `path`.

    Raises OSError when it cannot be made, for example when `path` is too long for a socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with contextlib.suppress(FileNotFoundError):  # a killed daemon leaves one behind
            path.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.bind(str(path))
            os.chmod(path, 0o600)
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)

    def receive(self) -> "Command | Watch | None":
        """The next command; None when there is none. For the hot loop: that takes 2 µs."""
        while True:
            try:
                data = self._socket.recv(LONGEST)
            except OSError:  # BlockingIOError: no command is waiting
                return None
            command = command_of(data)
            if command is not None:
                return command

    def close(self) -> None:
        """Idempotent."""
        if self._socket.fileno() >= 0:
            self._socket.close()
            with contextlib.suppress(OSError):
                self._path.unlink()


def command_of(data: bytes) -> "Command | Watch | None":
    """The command in a datagram; None when it is not a valid one."""
    try:
        parts = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parts, list) or not parts or not isinstance(parts[0], str):
        return None
    name, values = parts[0], parts[1:]
    if name == "set" and len(values) == 2:
        return _set(*values)
    if name == "do" and len(values) == 1 and isinstance(values[0], str) and values[0] in ACTIONS:
        return PANIC if values[0] == "panic" else Do(values[0])
    if name == "receive" and len(values) == 1:
        return _received(values[0])
    if name == "watch" and len(values) == 1 and _is_number(values[0]):
        return Watch(min(max(float(values[0]), 0.0), LONGEST_WATCH))
    if name == "restate" and not values:
        return Watch(0.0, restate=True)
    return None


def _set(name: Any, value: Any) -> Set | None:
    if not isinstance(name, str) or name not in BY_NAME:
        return None
    try:
        return Set(name, BY_NAME[name].check(value))
    except (ValueError, TypeError, OverflowError):
        return None


def _received(values: Any) -> Receive | None:
    """A channel message. System messages are refused: the page has no use for them."""
    if not isinstance(values, list) or not 2 <= len(values) <= 3:
        return None
    if not all(type(value) is int and 0 <= value <= 255 for value in values):
        return None
    message = bytes(values)
    return Receive(message) if message[0] < SYSTEM and is_message(message) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
