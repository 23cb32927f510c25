"""Says and saves what the player leaves for it, in a thread of its own: neither a slow disk nor a
slow terminal holds a note up."""

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

PATIENCE = 2.0  # seconds that the end waits for what is still to be written
NO_HOME = (
    "what was learned is forgotten at the end: this user has no home folder (set control.learned "
    "to a file that can be written)"
)


class BackgroundWriter:
    """`look` is quick and may be called from the hot loop; the rest happens in the thread."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def look(self, player: Player) -> None:
        """Take over the player's notices and what it has learned."""
        while player.notices:
            line = player.notices.popleft()
            self._work.put(lambda line=line: say(line))  # type: ignore[misc]
        if player.control.learning.changed:
            self._take_over(player.control)

    def close(self) -> None:
        """Finish what there is to do."""
        self._work.put(None)
        self._thread.join(PATIENCE)

    def _take_over(self, control: Controller) -> None:
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
            except Exception as error:  # a mistake of ours: what comes after it is written
                log.broken(error, "it plays on")


def _save(path: Path, mapped: tuple[Mapped, ...], learning: MidiLearn) -> None:
    try:
        learned.save(path, mapped)
    except OSError as error:
        warn(
            f"what was learned is forgotten at the end: {error.filename or path}: "
            f"{error.strerror} (set control.learned to a file that can be written)"
        )
    else:
        learning.kept = mapped
        say(f"saved in {path}")
