"""Takes: the MIDI files in record.folder, listed, shown, starred and deleted.

A requested name must be that of a file in the folder at that moment. So no name can become a path
outside of it.
"""

from pathlib import Path
from typing import Any

from ..midi.files import read_tracks
from ..midi.notes import notes_of
from ..recording.performance import JOURNAL, MODEL_TRACK
from ..recording.stars import set_star, starred

MOST = 500  # takes that are listed, the newest of them
LARGEST = 16_000_000  # bytes of one that is looked at
YOU, SEGUE = 1, 2


class NoSuchTake(LookupError):
    """There is no take of that name, or it is still being written."""


class Starred(ValueError):
    """A take with a star cannot be deleted."""


class Takes:
    """The takes in a folder; None: nothing is recorded."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def listed(self) -> dict[str, Any]:
        """The newest first: name, seconds since 1970 of its end, bytes, whether it is being
        written, whether it has a star. Raises OSError where the folder cannot be read."""
        if self._folder is None:
            return {"recording": False, "takes": []}
        takes, stars = [], starred(self._folder)
        for path in self._files():
            about = path.stat()
            takes.append({
                "name": path.with_suffix(".mid").name,
                "ended": about.st_mtime,
                "bytes": about.st_size,
                "writing": path.suffix == JOURNAL,
                "star": path.name in stars,
            })  # fmt: skip
        takes.sort(key=lambda take: (take["writing"], take["ended"]), reverse=True)
        return {"recording": True, "takes": takes[:MOST]}

    def path(self, name: str) -> Path:
        """The file of a complete take. Raises NoSuchTake."""
        for path in self._files():
            if path.name == name and path.suffix != JOURNAL:
                return path
        raise NoSuchTake(name)

    def notes(self, name: str) -> dict[str, Any]:
        """Its notes: [owner, pitch, velocity, begin, end]. Raises NoSuchTake, DataError."""
        path = self.path(name)
        if path.stat().st_size > LARGEST:
            raise NoSuchTake(name)
        notes: list[list[float]] = []
        for track, messages in read_tracks(path):
            owner = SEGUE if track == MODEL_TRACK else YOU
            for n in notes_of(messages):
                notes.append([owner, n.pitch, n.velocity, round(n.start, 4), round(n.end, 4)])
        notes.sort(key=lambda note: note[3])
        return {"notes": notes, "seconds": max((note[4] for note in notes), default=0.0)}

    def star(self, name: str, on: bool) -> None:
        """Give a take a star, or take it away. Raises NoSuchTake, OSError."""
        path = self.path(name)
        set_star(path.parent, path.name, on)

    def delete(self, name: str) -> None:
        """Delete a take for good. Raises NoSuchTake, OSError, and Starred for one with a star."""
        path = self.path(name)
        if path.name in starred(path.parent):
            raise Starred("it has a star: remove that first")
        path.unlink()

    def _files(self) -> list[Path]:
        """All that are files of the folder's own, whole or being written."""
        if self._folder is None or not self._folder.is_dir():
            return []
        return [
            path
            for path in self._folder.iterdir()
            if path.suffix in (".mid", JOURNAL) and path.is_file() and not path.is_symlink()
        ]
