"""The repertoire: music from MIDI files, as token ids, that Segue has heard before you begin.

Files are read where that may take time and fail: at the start, in the thread of a reload, and in
the command `segued hear`. The player only gets ids.
"""

import os
import stat
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ..errors import ConfigError, DataError
from ..midi.files import read_events
from ..player.commands import Hear
from ..player.player import Player
from ..recall.options import MOST_FILES
from ..recall.quoting import LONGEST_REPERTOIRE
from ..system.paths import expanded
from ..tokens.tokenizer import encode
from ..tokens.vocabulary import PERFORMANCE, TIME_SHIFT
from .config import Config

ENDINGS = (".mid", ".midi", ".smf")
LARGEST = 1 << 22  # bytes of a file
REST = 2  # of the longest time shifts (1 s each) after each file

Piece: TypeAlias = "array[int]"
"""The token ids of one file."""


@dataclass(frozen=True)
class Music:
    """The music that the settings name. `pieces`: of `memory.hear`; `presets`: of presets by name.

    Presets without files to hear are not in it.
    """

    pieces: Sequence[Piece] = ()
    presets: Mapping[str, Piece] = field(default_factory=dict)

    def hear_wanted(self, player: Player, now: float) -> None:
        """Make the player hear the files of the preset recalled last, unless it knows them."""
        control = player.control
        if control.wanted_music:
            ids, control.wanted_music = self.presets.get(control.wanted_music), ""
            if ids and ids.tobytes() not in array("H", player.repertoire).tobytes():
                player.perform(now, Hear(ids))


def read_music(config: Config) -> Music:
    """The music that the settings name. Raises ConfigError."""
    presets = {
        preset.name: joined(_named(preset.hear, f"{preset.where}: control.presets: hear"))
        for preset in config.control.presets
        if preset.hear
    }
    return Music(_named(config.memory.hear, "memory.hear"), presets)


def _named(paths: Sequence[str], where: str) -> tuple[Piece, ...]:
    """The music of paths that are named in the settings at `where`."""
    try:
        return pieces_of([expanded(path, where) for path in paths])
    except DataError as error:
        raise ConfigError(f"{where}: {error}: correct or remove this path") from None


def pieces_of(paths: Iterable[Path]) -> tuple[Piece, ...]:
    """The music of MIDI files, and of the MIDI files directly in folders.

    Raises DataError when one cannot be read, or when they are too many or too long.
    """
    files = [file for path in paths for file in _files(path)]
    if len(files) > MOST_FILES:
        raise DataError(f"{files[MOST_FILES]}: at most {MOST_FILES} files can be heard")
    pieces: list[Piece] = []
    left = LONGEST_REPERTOIRE
    for file in files:
        pieces.append(_piece(file))
        left -= len(pieces[-1])
        if left < 0:
            raise DataError(
                f"{file}: too long: up to here it is {LONGEST_REPERTOIRE - left} tokens, and "
                f"{LONGEST_REPERTOIRE} (about 45 minutes of playing) can be heard"
            )
    return tuple(pieces)


def joined(pieces: Sequence[Piece]) -> Piece:
    """The ids of several pieces, one after another."""
    ids = array("H")
    for piece in pieces:
        ids.extend(piece)
    return ids


def _files(path: Path) -> list[Path]:
    """The file, or the MIDI files in the folder by name."""
    if not os.path.isdir(path):  # also when it cannot be known: reading it gives the reason
        return [path]
    try:
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if not found:
        raise DataError(f"{path}: no MIDI file in this folder")
    return found


def _piece(path: Path) -> Piece:
    with suppress(OSError):  # reading it gives the reason
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # reading a device or a pipe might never end
            raise DataError(f"{path}: not a file")
        if about.st_size > LARGEST:
            raise DataError(f"{path}: larger than {LARGEST >> 20} MiB")
    longest = PERFORMANCE.id(TIME_SHIFT, PERFORMANCE.max_shift())
    return array("H", [*encode(read_events(path)), *[longest] * REST])
