"""`segue-export learn`: its options, and from them to takes, a place to learn in, and the steps."""

import argparse
import os
from pathlib import Path

from segued.errors import UsageError
from segued.recording.performance import JOURNAL
from segued.recording.recorder import folder_of
from segued.service.learning import AGAIN, STOPPED, open_folder, telling
from segued.settings.config import Config
from segued.settings.folders import find_settings
from segued.settings.yaml_file import load_known
from segued.system.realtime import idle

from ..options import at_least_0, positive
from .reading import every, read_takes, table, with_a_star
from .sides import divided, told
from .workplace import Listener

MINUTES = 10.0
TAKES = (".mid", JOURNAL)


def add_learn(parser: argparse.ArgumentParser) -> None:
    """What `learn` takes."""
    add = parser.add_argument
    add(
        "folders", type=Path, nargs="*", metavar="DIR",
        help="MIDI files of your own playing; what segued recorded (record.folder) is read anyway",
    )  # fmt: skip
    add("--minutes", type=at_least_0, default=MINUTES, metavar="N", help="to learn for, at most")
    add("--starred", action="store_true", help="of recordings, read only those with a star")
    add("--list", action="store_true", help="only say what would be learned from, and why not")
    add("--idle", action="store_true", help="run when the machine has nothing else to do")
    add("--unless-playing", action="store_true", help="wait while somebody plays with segued here")
    add("--threads", type=positive, default=1, metavar="N", help="threads of torch")
    add("--config", type=Path, metavar="F", help="settings of segued (default: those it takes)")
    add("--set", action="append", metavar="KEY=VALUE", default=[], help="a setting on top of them")


def learn(options: argparse.Namespace) -> int:
    """`learn`: from takes to a model of one's own, which is kept if it is better."""
    config, _ = load_known(options.config or find_settings(), options.set)
    folders = _folders(options.folders, config)
    wanted = with_a_star(folder_of(config)) if options.starred else every
    if options.list:
        takes = read_takes(folders, wanted)
        _, music, sides = divided(takes, {})
        print(table(takes), told(music, sides), sep="\n")
        return 0
    os.umask(0o077)
    if options.idle:
        idle()
    folder = open_folder()
    with telling(folder) as progress:
        listener = Listener() if options.unless_playing else lambda: False
        from .learning import Learning

        learning = Learning(config, folder, options.minutes, options.threads, progress, listener)
        status = learning.run(folders, wanted)
        if status:
            progress.tell(STOPPED, line=AGAIN)
    return status


def _folders(given: list[Path], config: Config) -> list[Path]:
    """Where takes are. UsageError where there is no folder to look in."""
    recorded = folder_of(config)
    there = recorded is not None and any(any(recorded.rglob(f"*{end}")) for end in TAKES)
    folders = [*([recorded] if recorded is not None and there else []), *given]
    if not folders:
        where = "record.folder is not set" if recorded is None else f"{recorded} holds none yet"
        raise UsageError(
            f"no takes to learn from: {where}: set record.folder and play, or name a folder of "
            "MIDI files of your own playing"
        )
    return folders
