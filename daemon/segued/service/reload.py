"""Other settings and another model while it plays: read beside the music, taken between two notes.

    idle -> loading -> waiting -> catching up -> done -> idle
               |                      |  `-> reopening ports -> done
               `--------- refused ----+-----------'

While there are no ports nobody plays: nothing is waited for, and other ports are taken at once,
whether they are there or not.

A thread does all that takes time or can fail: it reads the file, loads the model, has it hear what
was heard last, and opens the recording. What is wrong ends there with its line, and the old
settings stay. The hot loop only looks at attributes, takes what is ready, and hands back a line for
the log and what is no longer used.
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
from ..model.session import Model
from ..player.commands import Apply
from ..recording.journal import hand_over
from ..recording.recorder import Recorder, Recordings, model_facts
from ..settings.config import Config
from ..system import realtime
from .engine import Engine
from .log import ERROR, INFO, WARNING, say
from .setup import CONNECTION, NAME, Setup, Stamp, changes, stamp_of
from .state_file import StateFile

SWITCH = 0.0005  # seconds after which the loading thread gives the interpreter back when asked
GRACE = 2.0  # seconds that new settings wait for a moment in which nobody plays


class State(Enum):
    """Where a reload is."""

    IDLE = "none is asked for"
    LOADING = "the thread reads and loads what is new"
    WAITING = "for a moment in which nobody plays"
    CATCHING_UP = "the new model hears what was played meanwhile"
    REOPENING = "the ports are opened anew, outside of the hot loop"
    DONE = "taken or refused: the thread says so, and lets go of what is no longer used"


@dataclass(frozen=True, slots=True)
class ContextSnapshot:
    """What a memory held at a moment: the last ids, and its count of them.

    `since` is the count that the ids follow; None: they are all that it held.
    """

    ids: Sequence[int]
    count: int
    since: int | None = None

    @classmethod
    def by(cls, context: Context, since: int | None = None) -> "ContextSnapshot":
        """Now, or what came since its count was `since`, if it still holds all of that."""
        if since is None or context.count - since > len(context.recent):
            return cls(context.recent.last(), context.count)
        return cls(context.recent.last(context.count - since), context.count, since)

    def teach(self, primed: PrimedModel) -> PrimedModel:
        """The model that was `taught` up to `since` hears this, too."""
        before = None if self.since is None else primed
        return PrimedModel.by(primed.model, self.ids, self.count, primed.about, before)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings that are right, and what they name where it is not what plays already.

    `recorder`: of another recording, which has begun and holds nothing yet.
    """

    config: Config
    stamp: Stamp
    model: Model | ChordModel | None = None
    primed: PrimedModel | None = None
    recorder: Recorder | None = None


class Loader:
    """The thread of one reload: at some time `found` is there, or `refused` tells why nothing is.

    `over`: it has said what became of it (`say` takes the line and its priority).
    """

    def __init__(
        self,
        setup: Setup,
        reread: Callable[[], Config],
        recordings: Recordings,
        snapshot: ContextSnapshot,
        say: Callable[[str, int], None],
    ) -> None:
        self.loaded: Loaded | None = None
        self.refused = ""
        self.over = False
        self._reread, self._recordings, self._heard, self._say = reread, recordings, snapshot, say
        self._playing = replace(setup)  # as it is now
        self._answer: list[Any] = []
        self._told: SimpleQueue[ContextSnapshot | None] = SimpleQueue()  # None: it was answered
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        self._thread = threading.Thread(target=self._work, name="reload", daemon=True)
        self._thread.start()

    def tell(self, snapshot: ContextSnapshot) -> None:
        """The model that was found is to hear this; `found` is to be left alone until it has."""
        self._told.put(snapshot)

    def answer(self, line: str, *unused: Any, refused: bool = False) -> None:
        """What became of it. What is `unused` is let go of beside the music: that takes time."""
        self.refused = line if refused else ""
        self._answer = [line, *unused]
        self._told.put(None)

    def _work(self) -> None:
        realtime.background()
        try:
            self.loaded = self._find()
            while (more := self._told.get()) is not None:
                if self.loaded.primed is not None:
                    self.loaded = replace(self.loaded, primed=more.teach(self.loaded.primed))
            self._say(self._answer[0], WARNING if self.refused else INFO)
        except SegueError as error:
            self._refuse(str(error), WARNING)
        except Exception as error:  # a mistake of ours must not end the music
            self._refuse(f"{type(error).__name__}: {error}", ERROR)
        finally:
            if self.refused and self.loaded is not None and self.loaded.recorder is not None:
                self.loaded.recorder.end()
            self._answer.clear()
            sys.setswitchinterval(self._interval)
            self.over = True

    def _refuse(self, why: str, priority: int) -> None:
        self.refused = refusal(why)
        self._say(self.refused, priority)

    def _find(self) -> Loaded:
        playing, config = self._playing, self._reread()
        loaded = Loaded(config, stamp_of(config))
        if loaded.stamp != playing.stamp:
            model = load_model(config)
            records = config.record.folder is not None
            about = model_facts(config, model) if records else {}
            primed = PrimedModel.by(model, self._heard.ids, self._heard.count, about)
            loaded = replace(loaded, model=model, primed=primed)
        goes_on = playing.recorder is not None and not playing.recorder.ended
        if goes_on and config.record.folder == playing.config.record.folder:
            return loaded
        playing.take(config, loaded.stamp, loaded.model)
        recorder = self._recordings.open(config, playing.model, playing.seed)
        return replace(loaded, recorder=recorder)


class Reload:
    """Reads new settings when it is asked to, and has the engine go on with them.

    `changed` is told of settings that were taken. `taken` and `refused` count.
    """

    def __init__(
        self,
        setup: Setup,
        reread: Callable[[], Config],
        recordings: Recordings,
        board: StateFile,
        changed: Callable[[Setup, float], None],
    ) -> None:
        self._setup, self._reread, self._recordings = setup, reread, recordings
        self._board, self._changed = board, changed
        self.state = State.IDLE
        self.taken = self.refused = 0
        self._asked = False
        self._loader: Loader | None = None
        self._deadline = 0.0
        self._until = 0  # the count up to which the new model is to have heard

    def ask(self) -> None:
        """There are new settings to read. Safe in a signal handler."""
        self._asked = True

    @property
    def under_way(self) -> bool:
        """Whether one is being read or waits to be taken."""
        return self._asked or self.state is not State.IDLE

    @property
    def loaded(self) -> Loaded:
        """What is to be taken, in any state from WAITING on."""
        assert self._loader is not None and self._loader.loaded is not None
        return self._loader.loaded

    def look(self, engine: Engine, now: float) -> None:
        """Go on as far as that is possible now. For the hot loop, between two notes."""
        while True:
            before = self.state
            self.state = self._next(engine, now)
            if self.state is before:
                return

    def refuse(self, why: str) -> None:
        """The new ports cannot be had; nothing of the rest is taken either."""
        assert self._loader is not None
        self._loader.answer(refusal(why), refused=True)
        self.state = State.DONE

    def take(self, engine: Engine, now: float) -> None:
        """Go on with what was found."""
        assert self._loader is not None
        loaded, setup, old = self.loaded, self._setup, engine.player
        names, unused = changes(setup.config, loaded.config), (setup.model, old)
        setup.take(loaded.config, loaded.stamp, loaded.model)
        old.perform(now, Apply(setup.config, loaded.primed))
        if loaded.recorder is not None or loaded.config.record.folder is None:
            setup.recorder = loaded.recorder
        if loaded.recorder is not None:
            engine.change_player(setup.player)
            hand_over(old, engine.player, now)
        if setup.recorder is loaded.recorder:
            self._recordings.use(loaded.recorder)
            old.journal = None
        self._changed(setup, now)
        self._loader.answer(_line(names, loaded), *unused)
        self.state = State.DONE

    def _next(self, engine: Engine, now: float) -> State:
        """The state that follows, or the same."""
        loader, context = self._loader, engine.player.improviser.context
        if loader is None:
            return self._begin(context) if self._asked else State.IDLE
        if loader.over:
            self.refused += bool(loader.refused)
            self.taken += not loader.refused
            self._loader = None
            return State.IDLE
        if self.state is State.LOADING and loader.loaded is not None:
            self._deadline = now + GRACE
            return State.WAITING
        idle = engine.lost or not engine.player.busy
        if self.state is State.WAITING and (idle or now >= self._deadline):
            primed = self.loaded.primed
            self._until = context.count
            if primed is not None and primed.count != self._until:
                loader.tell(ContextSnapshot.by(context, primed.count))
            return State.CATCHING_UP
        if self.state is State.CATCHING_UP:
            primed = self.loaded.primed
            if primed is None or primed.count == self._until:
                return self._go_on(engine, now)
        elif self.state is State.REOPENING and engine.lost:  # the old ports went away just then
            self.take(engine, now)
            return State.DONE
        return self.state

    def _begin(self, context: Context) -> State:
        self._asked = False
        self._loader = Loader(
            self._setup, self._reread, self._recordings, ContextSnapshot.by(context), self._tell
        )
        return State.LOADING

    def _go_on(self, engine: Engine, now: float) -> State:
        """All is ready: take it, or open the ports that it names first."""
        if engine.lost or CONNECTION.isdisjoint(changes(self._setup.config, self.loaded.config)):
            self.take(engine, now)
            return State.DONE
        engine.leave()
        return State.REOPENING

    def _tell(self, line: str, priority: int) -> None:
        say(line, priority)
        self._board.tell(last_reload=line)


def refusal(why: str) -> str:
    """The line that says that nothing is taken, and why."""
    return f"reload refused, the old settings stay: {why}"


def _line(names: list[str], loaded: Loaded) -> str:
    what = [name for name in names if name != NAME]
    if loaded.model is not None:
        what.append(f"the model ({loaded.model.info['precision']})")
    line = "reloaded: " + (", ".join(what) or "nothing has changed")
    return line + (f"; {NAME} takes a restart" if NAME in names else "")
