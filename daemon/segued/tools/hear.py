"""`segued hear`: makes the running daemon hear MIDI files, so that it can quote them.

The files are read here. The daemon gets their token ids through its command port, in parts that do
not delay its music.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import PortError
from ..service.command_sender import ENDING, CommandSender
from ..service.status import find
from ..settings.config import Config
from ..settings.repertoire import Piece, joined, pieces_of

PART = 48  # ids in a command
PATIENCE = 5.0  # seconds for which a command may have to wait until the daemon takes it
PACE = 0.001  # seconds between two commands, so that one turn of the music's loop gets few of them


def hear(config: Config, paths: Sequence[Path]) -> int:
    """Send the music of files and folders. Raises DataError (a file) or PortError (no daemon)."""
    pieces = pieces_of(paths)
    if os.name != "posix":
        raise PortError("a running daemon cannot be told here: name the files in memory.hear")
    port = find(config.ports.name).with_suffix(ENDING)
    sender = CommandSender(port)
    try:
        _send(sender, joined(pieces), port)
    finally:
        sender.close()
    what = "1 file" if len(pieces) == 1 else f"{len(pieces)} files"
    print(f"heard {what}: {sum(map(len, pieces))} tokens")
    return 0


def _send(sender: CommandSender, ids: Piece, port: Path) -> None:
    for start in range(0, len(ids), PART):
        deadline = time.monotonic() + PATIENCE
        while not sender.send("hear", ids[start : start + PART].tolist()):
            if time.monotonic() > deadline:
                raise PortError(f"{port}: the daemon takes no commands: try again, or restart it")
            time.sleep(PACE)
        time.sleep(PACE)
