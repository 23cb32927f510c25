"""Logs the player's notices and saves learned mappings in a background thread.

So neither a slow disk nor a slow terminal delays a note.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

from ..control.controller import Controller
from ..control.mapping import Mapped
from ..control.midi_learn import MidiLearn
from ..player.player import Player
from ..settings import learned
from ..system import realtime
from . import log
from .log import say, warn

CLOSE_TIMEOUT = 2.0  # seconds that `close` waits for the remaining work
NO_HOME = (
    "learned mappings will be lost at the end: this user has no home folder (set control.learned "
    "to a writable file)"
)


class BackgroundWriter:
    """`collect` is quick and may be called from the hot loop; the thread does the rest."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def collect(self, player: Player) -> None:
        """Queue the player's notices and its learned mappings, if these have changed."""
        while player.notices:
            line = player.notices.popleft()
            self._work.put(lambda line=line: say(line))  # type: ignore[misc]
        if player.control.learning.changed:
            self._queue_learned(player.control)

    def close(self) -> None:
        """Finish the queued work and end the thread."""
        self._work.put(None)
        self._thread.join(CLOSE_TIMEOUT)

    def _queue_learned(self, control: Controller) -> None:
        control.learning.changed = False
        path, mapped = learned.path_of(control.options), control.learning.learned
        if path is not None:
            self._work.put(lambda: _save(path, mapped, control.learning))
        elif control.options.learned is not None:
            self._work.put(lambda: warn(NO_HOME))

    def _run(self) -> None:
        realtime.background()
        while (work := self._work.get()) is not None:
            try:
                work()
            except Exception as error:  # a bug must not end the thread
                log.broken(error, "the music continues")


def _save(path: Path, mapped: tuple[Mapped, ...], learning: MidiLearn) -> None:
    try:
        learned.save(path, mapped)
    except OSError as error:
        warn(
            f"learned mappings will be lost at the end: {error.filename or path}: "
            f"{error.strerror} (set control.learned to a writable file)"
        )
    else:
        learning.kept = mapped
        say(f"saved the learned mappings in {path}")
