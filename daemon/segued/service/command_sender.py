"""Sends commands to a running daemon's command port (see `command_port`)."""

import json
import socket
from pathlib import Path
from typing import Any

ENDING = ".commands"
"""The suffix of the socket's name, which is otherwise that of the state file."""

LONGEST = 512  # bytes of a command


class CommandSender:
    """Sends commands without blocking. A command to a full or missing port is lost."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, *parts: Any) -> bool:
        """Send a command; return whether it was sent."""
        try:
            self._socket.sendto(json.dumps(parts).encode(), self._path)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Idempotent."""
        self._socket.close()
