"""`segued models forget`: deletes all of the user's models and what was learned, and takes if asked
to."""

import shutil
import sys
from pathlib import Path

from ..errors import DataError, UsageError
from ..model import own_models
from ..recording.deletion import recordings_in
from ..recording.recorder import folder_of
from ..recording.stars import STARS, starred
from ..settings.config import Config


def forget(config: Config, takes: bool, yes: bool) -> str:
    """Delete all of the user's models and the data of learning; with `takes` also all recordings.

    Returns a line that says what was deleted; "" when the user does not want it. Raises UsageError
    when it must ask but there is no terminal, DataError when there is nothing or it cannot be done.
    """
    data = own_models.data_folder()
    folders = [data / name for name in ("models", "learn")] if data is not None else []
    folders = [path for path in folders if path.exists()]
    try:
        recordings, told = _recordings(config) if takes else ([], [])
        if not folders and not recordings:
            raise DataError("nothing was learned here: there is nothing to forget")
        names = ", ".join([*map(str, folders), *told])
        if not yes and not asked(f"delete {names} with all that was learned?"):
            return ""
        for folder in folders:
            shutil.rmtree(folder)
        for path in recordings:
            path.unlink()
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be deleted: {error.strerror}") from None
    return f"deleted {names}"


def _recordings(config: Config) -> tuple[list[Path], list[str]]:
    """The takes in `record.folder` with the file of their stars; and their number, in words."""
    folder = folder_of(config)
    if folder is None:
        raise UsageError("record.folder is not set: which takes are to be deleted?")
    found, written = recordings_in(folder)
    if not found:
        return [], []
    stars = starred(folder) & {path.name for path in found}
    told = f"{len(found)} {'take' if len(found) == 1 else 'takes'} in {folder}"
    told += f" ({len(stars)} with a star)" if stars else ""
    told += " (not the one that is being recorded)" if written else ""
    return [*found, *folder.glob(STARS)], [told]


def asked(question: str) -> bool:
    """Ask a yes-no question at the terminal. Raises UsageError when there is none."""
    if not sys.stdin.isatty():
        raise UsageError(f"{question} There is no terminal to ask on: confirm with --yes")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
