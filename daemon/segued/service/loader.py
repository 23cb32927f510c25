"""The thread of a reload: it reads the settings and loads what they name.

It does everything that takes time or can fail: it reads the file, loads the model, feeds it the
recent context and opens the recording. When the new settings are in use, or refused, it logs the
result and frees what is no longer used.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

from ..errors import SegueError
from ..generation.context import Context, PrimedModel
from ..model.chord_model import ChordModel
from ..model.loading import load_model
from ..model.session import Model
from ..recording.recorder import Recorder, Recordings, model_facts
from ..settings.config import Config
from ..settings.repertoire import Music, Piece, joined, read_music
from ..system import realtime
from .log import ERROR, INFO, WARNING
from .setup import Setup, Stamp, stamp_of

SWITCH = 0.0005  # seconds after which the thread releases the interpreter lock when asked


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


def refusal(why: str) -> str:
    """The line that says that nothing was applied, and why."""
    return f"reload refused, the old settings stay: {why}"
