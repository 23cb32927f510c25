"""The hot loop's side of a reload: when new settings are taken, and how the music goes on."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..engine import Engine
from ..inference.model import Model
from ..musician.note_model import NoteModel
from ..player import Player
from ..routing.wire import Send
from ..settings.config import Config
from .board import Board
from .log import say
from .reload import APART, CONNECTION, NAME, STEERING, Found, Heard, Reload, Stamp, changes

GRACE = 2.0  # seconds that new settings wait for a moment in which nobody plays


@dataclass(slots=True)
class Setup:
    """What plays: settings, the model that they name and the state of its file, the seed."""

    config: Config
    model: Model | NoteModel
    stamp: Stamp
    seed: int
    make: Callable[[Model | NoteModel, Config, Send, int], Player]

    def player(self, send: Send) -> Player:
        """A new one."""
        return self.make(self.model, self.config, send, self.seed)


class Takeover:
    """Reads new settings when it is asked to, and has the engine go on with them.

    `changed` is told of settings that were taken. `reconnect` is what still has to be done outside
    of the hot loop: settings that take new ports.
    """

    def __init__(
        self,
        setup: Setup,
        reread: Callable[[], Config],
        board: Board,
        changed: Callable[[Setup, float], None],
    ) -> None:
        self._setup, self._reread, self._board, self._changed = setup, reread, board, changed
        self._asked = False
        self._reload: Reload | None = None
        self._deadline = 0.0
        self.reconnect: Found | None = None
        self.taken = self.refused = 0

    def ask(self) -> None:
        """There are new settings to read. Safe in a signal handler."""
        self._asked = True

    @property
    def under_way(self) -> bool:
        """Whether one is being read or waits to be taken."""
        return self._asked or self._reload is not None

    def look(self, engine: Engine, now: float) -> None:
        """Begin, take or end what is under way. For the hot loop, between two notes."""
        reload = self._reload
        if reload is None:
            if self._asked:
                self._asked, self._deadline = False, 0.0
                memory = engine.player.improviser.memory
                heard = Heard.by(memory, self._setup.model.vocabulary)
                self._reload = Reload(self._reread, self._setup.stamp, heard, self._tell)
        elif reload.over:
            self._reload = None
            self.refused += bool(reload.refused)
            self.taken += not reload.refused
        elif reload.found is not None and not reload.answered and self.reconnect is None:
            self._deadline = self._deadline or now + GRACE
            in_time = now >= self._deadline or not engine.player.busy
            if in_time and reload.up_to_date(engine.player.improviser.memory):
                self._take(engine, now, reload.found)

    def refuse(self, why: str) -> None:
        """The new ports cannot be had; nothing of the rest is taken either."""
        self.reconnect = None
        if self._reload is not None:
            self._reload.answer(f"reload refused, the old settings stay: {why}", refused=True)

    def apply(self, engine: Engine, now: float, found: Found) -> None:
        """Go on with these settings."""
        self.reconnect = None
        setup, old = self._setup, engine.player
        names = changes(setup.config, found.config)
        unused = (setup.model, old)
        ports = replace(found.config.ports, name=setup.config.ports.name)  # until a restart
        setup.config, setup.stamp = replace(found.config, ports=ports), found.stamp
        if found.model is not None:
            setup.model = found.model
        if found.model is None and STEERING.issuperset({*names} - APART - {NAME}):
            old.steer(now, found.config)
        elif found.model is not None and found.taught is None:
            old.silence(now)
            engine.change_player(setup.player)
            engine.player.go_on(now)
        else:
            engine.change_player(setup.player)
            engine.player.inherit(old, now, found.taught)
        self._changed(setup, now)
        if self._reload is not None:
            self._reload.answer(_line(names, found), *unused)

    def _take(self, engine: Engine, now: float, found: Found) -> None:
        if CONNECTION.isdisjoint(changes(self._setup.config, found.config)):
            self.apply(engine, now, found)
        else:
            self.reconnect = found
            engine.leave()

    def _tell(self, line: str, priority: int) -> None:
        say(line, priority)
        self._board.tell(last_reload=line)


def _line(names: list[str], found: Found) -> str:
    what = [name for name in names if name != NAME]
    if found.model is not None:
        what.append(f"the model ({found.model.info['precision']})")
    line = "reloaded: " + (", ".join(what) or "nothing has changed")
    return line + (f"; {NAME} takes a restart" if NAME in names else "")
