"""Hot reload: new settings and a new model are loaded in a thread and applied between two notes.

It is requested by a signal, for all settings, or by a preset or a command that names a model
(`Controller.wanted_model`), for the model alone.

    idle -> loading -> waiting -> catching up -> done -> idle
               |                      |  `-> reopening ports -> done
               `--------- refused ----+-----------'

While there are no ports nobody plays, so nothing is waited for, and the settings of other ports are
applied at once, whether these ports exist or not.

The thread does everything that takes time or can fail: it reads the file, loads the model, feeds it
the recent context and opens the recording. If that fails, it logs a line, and the old settings
stay. The hot loop only checks attributes, applies what is ready, and returns to the thread a line
for the log and the objects that are no longer used.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from queue import SimpleQueue
from typing import Any

from ..errors import SegueError
from ..generation.context import Context, PrimedModel
from ..model.chord_model import ChordModel
from ..model.loading import load_model
from ..model.options import DEFAULT
from ..model.session import Model
from ..player.commands import Apply, Hear
from ..recording.journal import hand_over
from ..recording.recorder import Recorder, Recordings, model_facts
from ..settings.config import Config
from ..settings.repertoire import Music, Piece, joined, read_music
from ..system import realtime
from .engine import Engine
from .log import ERROR, INFO, WARNING, say
from .setup import CONNECTION, NAME, Setup, Stamp, changes, stamp_of
from .state_file import StateFile

SWITCH = 0.0005  # seconds after which the thread releases the interpreter lock when asked
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


@dataclass(frozen=True, slots=True)
class ContextSnapshot:
    """The last ids of a context at one moment, and its `count` of ids at that moment.

    `since`: the count after which these ids came; None: they are all that the context still has.
    """

    ids: Sequence[int]
    count: int
    since: int | None = None

    @classmethod
    def by(cls, context: Context, since: int | None = None) -> "ContextSnapshot":
        """The ids that came after the count was `since`, if the context still has all of them.

        Otherwise, or without `since`, all ids that it has.
        """
        if since is None or context.count - since > len(context.recent):
            return cls(context.recent.last(), context.count)
        return cls(context.recent.last(context.count - since), context.count, since)

    def feed(self, primed: PrimedModel) -> PrimedModel:
        """The model, primed up to `since`, after these ids."""
        before = None if self.since is None else primed
        return PrimedModel.by(primed.model, self.ids, self.count, primed.about, before)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Valid settings, and the objects they name that are not in use already.

    `own_path`, `music`: see Setup. `hears`: the ids of the files of `memory.hear` whose music was
    not among them before. `recorder`: of a new recording, which is empty so far.
    """

    config: Config
    stamp: Stamp
    own_path: str
    music: Music
    hears: Piece
    model: Model | ChordModel | None = None
    primed: PrimedModel | None = None
    recorder: Recorder | None = None


class Loader:
    """The thread of one reload. It sets `loaded`, or `refused` to the reason why it cannot.

    `wanted_model`: the model to change to, with the settings as they are; "": all is read again.
    `over`: the result was logged by `say(line, priority)`, and the thread has ended.
    """

    def __init__(
        self,
        setup: Setup,
        reread: Callable[[], Config],
        recordings: Recordings,
        snapshot: ContextSnapshot,
        say: Callable[[str, int], None],
        wanted_model: str = "",
    ) -> None:
        self.loaded: Loaded | None = None
        self.refused = ""
        self.over = False
        self.wanted_model = wanted_model
        self._reread, self._recordings, self._say = reread, recordings, say
        self._snapshot = snapshot
        self._playing = replace(setup)  # a copy of what is in use now
        self._result: list[Any] = []
        self._to_feed: SimpleQueue[ContextSnapshot | None] = SimpleQueue()  # None: see `_result`
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        self._thread = threading.Thread(target=self._work, name="reload", daemon=True)
        self._thread.start()

    def feed(self, snapshot: ContextSnapshot) -> None:
        """Feed these ids to the new model. Until that is done, `loaded` must not be used."""
        self._to_feed.put(snapshot)

    def finish(self, line: str, *unused: Any, refused: bool = False) -> None:
        """End the thread with the result. It also frees what is `unused`: that takes time."""
        self.refused = line if refused else ""
        self._result = [line, *unused]
        self._to_feed.put(None)

    def _work(self) -> None:
        realtime.background()
        try:
            self.loaded = self._load()
            while (more := self._to_feed.get()) is not None:
                if self.loaded.primed is not None:
                    self.loaded = replace(self.loaded, primed=more.feed(self.loaded.primed))
            self._say(self._result[0], WARNING if self.refused else INFO)
        except SegueError as error:
            self._refuse(str(error), WARNING)
        except Exception as error:  # a bug must not end the music
            self._refuse(f"{type(error).__name__}: {error}", ERROR)
        finally:
            if self.refused and self.loaded is not None and self.loaded.recorder is not None:
                self.loaded.recorder.end()
            self._result.clear()
            sys.setswitchinterval(self._interval)
            self.over = True

    def _refuse(self, why: str, priority: int) -> None:
        self.refused = f"the model stays: {why}" if self.wanted_model else refusal(why)
        self._say(self.refused, priority)

    def _load(self) -> Loaded:
        playing = self._playing
        if self.wanted_model:
            config, own_path = playing.with_model(self.wanted_model), playing.own_path
            music = playing.music
        else:
            config = self._reread()
            config, own_path = playing.reread(config), config.model.path
            music = read_music(config)
        hears = joined([piece for piece in music.pieces if piece not in playing.music.pieces])
        loaded = Loaded(config, stamp_of(config), own_path, music, hears)
        if loaded.stamp != playing.stamp:
            model = load_model(config)
            records = config.record.folder is not None
            about = model_facts(config, model) if records else {}
            primed = PrimedModel.by(model, self._snapshot.ids, self._snapshot.count, about)
            loaded = replace(loaded, model=model, primed=primed)
        goes_on = playing.recorder is not None and not playing.recorder.ended
        if goes_on and config.record.folder == playing.config.record.folder:
            return loaded
        playing.apply(config, loaded.stamp, loaded.model, own_path)
        recorder = self._recordings.open(config, playing.model, playing.seed)
        return replace(loaded, recorder=recorder)


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


def refusal(why: str) -> str:
    """The line that says that nothing was applied, and why."""
    return f"reload refused, the old settings stay: {why}"


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
