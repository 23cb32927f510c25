"""Commands from another process to a running daemon: datagrams, each a JSON list.

    ["set", "density", 0.5]       set a knob
    ["do", "panic"]               do an action
    ["model", "folk"]             play this model, as listed by `segued models`, or `default`
    ["receive", [144, 60, 80]]    handle a MIDI message as if it had arrived at the input
    ["hear", [60, 307, 188]]      add music from a MIDI file, as token ids, to the repertoire
    ["hear_preset", "calm"]       add the music of this preset's files to the repertoire
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
from typing import NamedTuple

from ..player.commands import PANIC, Do, Hear, Receive, Set
from ..player.player import Command
from .command_check import checked
from .command_sender import LONGEST

LONGEST_WATCH = 10.0  # seconds


class Watch(NamedTuple):
    """A request to write events for `seconds`; `restate`: the whole current state first."""

    seconds: float
    restate: bool = False


class UseModel(NamedTuple):
    """A request to play the model of this name."""

    name: str


class HearPreset(NamedTuple):
    """A request to hear the files of the preset of this name."""

    name: str


Request = Command | Watch | UseModel | HearPreset


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

    def receive(self) -> "Request | None":
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


def command_of(data: bytes) -> "Request | None":
    """The command in a datagram; None when it is not a valid one."""
    try:
        parts = json.loads(data)
    except (ValueError, RecursionError):
        return None
    match parts:
        case ["watch", int() | float() as seconds] if _is_number(seconds):
            return Watch(min(max(float(seconds), 0.0), LONGEST_WATCH))
        case ["restate"]:
            return Watch(0.0, restate=True)
    try:
        name, *values = checked(parts)
    except ValueError:
        return None
    if name == "receive":
        return Receive(bytes(values[0]))
    if name == "set":
        return Set(*values)
    if name == "model":
        return UseModel(*values)
    if name == "hear_preset":
        return HearPreset(*values)
    if name == "hear":
        return Hear(*values)
    return PANIC if values == ["panic"] else Do(*values)


def _is_number(value: float) -> bool:
    return not isinstance(value, bool) and value == value
