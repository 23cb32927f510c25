"""The other end of a command port (see `command_port`): for a process beside the daemon."""

import json
import socket
from pathlib import Path
from typing import Any

ENDING = ".commands"
"""Of the socket's name, which is the state file's but for that."""

LONGEST = 256  # bytes of a command


class CommandSender:
    """Sends commands. A port that is full or gone loses them; nobody waits."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, *parts: Any) -> bool:
        """Send a command; whether it went."""
        try:
            self._socket.sendto(json.dumps(parts).encode(), self._path)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Idempotent."""
        self._socket.close()
