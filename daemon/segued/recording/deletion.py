"""Finds the recordings in a folder, so that they can be deleted, and nothing else with them."""

import re
from pathlib import Path

from ..errors import DataError
from ..midi.tracks import read_tracks
from .journal_file import lock
from .performance import JOURNAL, NAME

_NAMED = re.compile(rf"segue-\d{{8}}-\d{{6}}(-\d+)?(\.mid|\.part|{re.escape(JOURNAL)})")
"""The names that Segue gives: to recordings, to those that are being converted, and journals."""


def recordings_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """The recordings in a folder and those below it: complete ones, and those written now.

    Renamed ones and what crashed runs have left are complete. Raises OSError.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    found = [path for path in paths if _is_recording(path)]
    written = [path for path in found if _is_open(path)]
    return [path for path in found if path not in written], written


def _is_recording(path: Path) -> bool:
    if _NAMED.fullmatch(path.name):
        return True
    if path.suffix.lower() != ".mid":
        return False
    try:
        texts = read_tracks(path)[1][0].texts
    except (DataError, IndexError):
        return False
    return any(text.startswith(f"{NAME}: ") for text in texts)


def _is_open(path: Path) -> bool:
    """Whether a daemon writes it now: its journal is locked, also while it is converted."""
    journal = path.with_suffix(JOURNAL)
    if not journal.exists():
        return False
    with journal.open("rb") as file:
        return not lock(file)
