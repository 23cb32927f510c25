"""Journals as files: locked by the daemon that writes them, and converted to MIDI files.

A journal that a crashed daemon has left is converted by a process of the lowest priority, because
the journal of a month takes half a minute: `python -m segued.recording.journal_file FOLDER`.
"""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError
from ..system import realtime
from .performance import JOURNAL, Recording, decode, read_recording, write_recording

if sys.platform != "win32":
    import fcntl

LOWEST = 19  # nice(2)


def lock(file: BinaryIO) -> bool:
    """Lock a journal until it is closed; return whether no other process has locked it."""
    if sys.platform == "win32":  # an open file cannot be deleted there
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def finish(journal: Path, target: Path, recording: Recording | None = None) -> None:
    """Convert a journal to a MIDI file, atomically, and delete the journal.

    Without `recording` the journal is read, which takes two seconds per million entries. If nothing
    was played, no file is written.
    """
    recording = recording or _read(journal)
    if recording.performed or recording.played:
        unfinished = target.with_suffix(".part")
        write_recording(unfinished, recording)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(target)
    journal.unlink()


def read(path: Path) -> Recording:
    """Read a recording or a journal. Raises DataError."""
    if path.suffix != JOURNAL:
        return read_recording(path)
    try:
        return _read(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as the journal of a recording: {error}") from None


def _read(journal: Path) -> Recording:
    with journal.open("rb") as file:
        about = json.loads(file.readline())
        return Recording.of(about, decode(file.read()))


def abandoned(folder: Path) -> list[Path]:
    """The journals that no daemon writes. Windows: none, because they cannot be told apart."""
    found: list[Path] = []
    for journal in sorted(folder.glob(f"*{JOURNAL}")) if sys.platform != "win32" else ():
        with contextlib.suppress(FileNotFoundError), journal.open("rb") as file:
            if lock(file):
                found.append(journal)
    return found


class Rescue:
    """The process that converts the journals of a folder."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, folder: Path) -> None:
        """Start the process if there are abandoned journals. Raises OSError."""
        self.stop()
        if abandoned(folder):
            command = [sys.executable, "-m", __spec__.name, str(folder)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        """End the process. A journal that it has not finished is kept."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        self._process = None


def main(folder: Path) -> None:
    """Convert all abandoned journals of a folder."""
    realtime.ordinary()
    if hasattr(os, "nice"):
        os.nice(LOWEST)
    for journal in abandoned(folder):
        try:
            with journal.open("rb") as file:
                if lock(file):
                    finish(journal, journal.with_suffix(".mid"))
        except (OSError, ValueError) as error:
            why = f"{journal}: this journal cannot be converted to a recording ({error})"
            print(f"segued: {why}", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
