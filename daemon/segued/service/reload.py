"""Hot reload: new settings and a new model are loaded in a thread and applied between two notes.

It is requested by a signal, for all settings, or by a preset or a command that names a model
(`Controller.wanted_model`), for the model alone.

    idle -> loading -> waiting -> catching up -> done -> idle
               |                      |  `-> reopening ports -> done
               `--------- refused ----+-----------'

While there are no ports nobody plays, so nothing is waited for, and the settings of other ports are
applied at once, whether these ports exist or not.

A thread does everything that takes time or can fail (see `loader`). If that fails, it logs a line,
and the old settings stay. The hot loop only checks attributes, applies what is ready, and returns
to the thread a line for the log and the objects that are no longer used.
"""

from collections.abc import Callable
from enum import Enum

from ..generation.context import Context
from ..model.options import DEFAULT
from ..player.commands import Apply, Hear
from ..recording.journal import hand_over
from ..recording.recorder import Recordings
from ..settings.config import Config
from ..settings.repertoire import Music
from .engine import Engine
from .loader import ContextSnapshot, Loaded, Loader, refusal
from .log import say
from .setup import CONNECTION, NAME, Setup, changes
from .state_file import StateFile

HEARD = "memory.hear"
GRACE = 2.0  # seconds that new settings wait for a moment in which nobody plays; a model does not


class State(Enum):
    """The state of a reload."""

    IDLE = "no reload was requested"
    LOADING = "the thread reads the settings and loads what they name"
    WAITING = "waits for a moment in which nobody plays"
    CATCHING_UP = "the new model is fed what was played in the meantime"
    REOPENING = "the main loop opens other ports, outside of the hot loop"
    DONE = "applied or refused: the thread logs that and frees what is no longer used"


class Reload:
    """Loads new settings on request and applies them to the engine.

    `changed(setup, now)` is called after settings were applied. `applied` counts the reloads that
    were applied, `refused` those that were not.
    """

    def __init__(
        self,
        setup: Setup,
        reread: Callable[[], Config],
        recordings: Recordings,
        state_file: StateFile,
        changed: Callable[[Setup, float], None],
    ) -> None:
        self._setup, self._reread, self._recordings = setup, reread, recordings
        self._state_file, self._changed = state_file, changed
        self.state = State.IDLE
        self.applied = self.refused = 0
        self._asked = False
        self._wanted_model = ""
        self._loader: Loader | None = None
        self._deadline = 0.0
        self._until = 0  # the context's count up to which the new model must be fed

    def ask(self) -> None:
        """Request a reload. Safe in a signal handler."""
        self._asked = True

    @property
    def under_way(self) -> bool:
        """Whether a reload was requested or is in progress."""
        return self._asked or bool(self._wanted_model) or self.state is not State.IDLE

    @property
    def loaded(self) -> Loaded:
        """What will be applied, in any state from WAITING on."""
        assert self._loader is not None and self._loader.loaded is not None
        return self._loader.loaded

    @property
    def music(self) -> Music:
        """What the settings that are in use name to be heard."""
        return self._setup.music

    def advance(self, engine: Engine, now: float) -> None:
        """Go on as far as possible without waiting. For the hot loop, between two notes."""
        control = engine.player.control
        if control.wanted_model:
            self._wanted_model, control.wanted_model = control.wanted_model, ""
        while True:
            before = self.state
            self.state = self._next(engine, now)
            if self.state is before:
                return

    def refuse(self, why: str) -> None:
        """Refuse the whole reload, because the new ports cannot be opened."""
        assert self._loader is not None
        self._loader.finish(refusal(why), refused=True)
        self.state = State.DONE

    def apply(self, engine: Engine, now: float) -> None:
        """Apply what was loaded."""
        assert self._loader is not None
        loaded, setup, old = self.loaded, self._setup, engine.player
        names, unused = changes(setup.config, loaded.config), (setup.model, old)
        setup.apply(loaded.config, loaded.stamp, loaded.model, loaded.own_path)
        old.perform(now, Apply(setup.config, loaded.primed))
        if loaded.recorder is not None or loaded.config.record.folder is None:
            setup.recorder = loaded.recorder
        if loaded.recorder is not None:
            engine.change_player(setup.player)
            hand_over(old, engine.player, now)
        setup.music = loaded.music
        if loaded.hears:
            engine.player.perform(now, Hear(loaded.hears))
        if setup.recorder is loaded.recorder:
            self._recordings.use(loaded.recorder)
            old.journal = None
        self._changed(setup, now)
        line = _chosen(loaded) if self._loader.wanted_model else _line(names, loaded)
        self._loader.finish(line, *unused)
        self.state = State.DONE

    def _next(self, engine: Engine, now: float) -> State:
        """The next state, or the same when it must be waited for."""
        loader, context = self._loader, engine.player.improviser.context
        if loader is None:
            return self._begin(context)
        if loader.over:
            self.refused += bool(loader.refused)
            self.applied += not loader.refused
            self._loader = None
            return State.IDLE
        if self.state is State.LOADING and loader.loaded is not None:
            self._deadline = now + (0.0 if loader.wanted_model else GRACE)
            return State.WAITING
        idle = engine.lost or not engine.player.busy
        if self.state is State.WAITING and (idle or now >= self._deadline):
            primed = self.loaded.primed
            self._until = context.count
            if primed is not None and primed.count != self._until:
                loader.feed(ContextSnapshot.by(context, primed.count))
            return State.CATCHING_UP
        if self.state is State.CATCHING_UP:
            primed = self.loaded.primed
            if primed is None or primed.count == self._until:
                return self._apply_or_reopen(engine, now)
        elif self.state is State.REOPENING and engine.lost:  # the old ports were lost just now
            self.apply(engine, now)
            return State.DONE
        return self.state

    def _begin(self, context: Context) -> State:
        """Load what was asked for, if anything: settings first, then the last wanted model."""
        wanted = ""
        if self._asked:
            self._asked = False
        else:
            wanted, self._wanted_model = self._wanted_model, ""
            if not wanted or wanted == self._setup.config.model.path != DEFAULT:
                return State.IDLE
        snapshot = ContextSnapshot.by(context)
        self._loader = Loader(
            self._setup, self._reread, self._recordings, snapshot, self._say, wanted
        )
        return State.LOADING

    def _apply_or_reopen(self, engine: Engine, now: float) -> State:
        """Apply what was loaded; if it names other ports, leave the hot loop to open them first."""
        if engine.lost or CONNECTION.isdisjoint(changes(self._setup.config, self.loaded.config)):
            self.apply(engine, now)
            return State.DONE
        engine.leave()
        return State.REOPENING

    def _say(self, line: str, priority: int) -> None:
        say(line, priority)
        self._state_file.tell(last_reload=line)


def _chosen(loaded: Loaded) -> str:
    if loaded.model is None:
        return f"the model {loaded.stamp.name} plays already"
    return f"the model {loaded.stamp.name} plays now ({loaded.model.info['precision']})"


def _line(names: list[str], loaded: Loaded) -> str:
    what = [name for name in names if name != NAME]
    if loaded.model is not None:
        what.append(f"the model ({loaded.model.info['precision']})")
    if loaded.hears and HEARD not in what:
        what.append(f"new music in the files of {HEARD}")
    line = "reloaded: " + (", ".join(what) or "nothing has changed")
    return line + (f"; {NAME} needs a restart" if NAME in names else "")
