"""New settings and another model while it plays: read beside the music, taken between two notes.

A thread reads the file, loads the model and has it take in what was heard last, so that it knows
where the music is; and before it is taken, what was heard meanwhile. What is wrong ends there, with
its line, and the old settings stay. The hot loop only looks at attributes, and hands back a line
for the log and what is no longer used.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from queue import SimpleQueue
from typing import Any

from ..control.knobs import BY_NAME, IN_SAMPLING
from ..errors import SegueError
from ..inference.loading import load_model, model_path
from ..inference.model import Model
from ..music.vocabulary import Vocabulary
from ..musician.memory import CHUNK, Memory, Taught
from ..musician.note_model import NoteModel
from ..recording.recorder import NOWHERE, checksum
from ..settings.config import SECTIONS, Config
from . import priority
from .log import ERROR, INFO, WARNING

SWITCH = 0.0005  # seconds after which the reading thread gives the interpreter back when asked

NAME = "ports.name"
"""The one option that a running daemon keeps: its board goes by it."""
CONNECTION = {f"ports.{key}" for key in ("backend", "input", "output", "tcp_host", "tcp_port")}
"""Options that take new ports."""
APART = {"service.priority", "service.lock_memory", "service.metrics_port"}
"""Options that are no concern of the music."""
STEERING = {f"{'sampling' if name in IN_SAMPLING else 'steering'}.{name}" for name in BY_NAME}
"""Options that are the start values of knobs."""

Stamp = tuple[Any, ...]
Say = Callable[[str, int], None]


def changes(old: Config, new: Config) -> list[str]:
    """Names (section.key) of the options that differ."""
    names = []
    for section in SECTIONS:
        before, after = getattr(old, section), getattr(new, section)
        if not is_dataclass(before):
            names += [section] * (before != after)
            continue
        names += [
            f"{section}.{f.name}"
            for f in fields(before)
            if getattr(before, f.name) != getattr(after, f.name)
        ]
    return names


def stamp_of(config: Config) -> Stamp:
    """What tells one model that is loaded from another: its settings and the state of its files."""
    files: list[Any] = []
    for path in (model_path(config, "cpu"), model_path(config, "cuda")):
        try:
            about = path.stat()
        except OSError:  # loading it says what is wrong
            continue
        files.append((str(path), about.st_mtime_ns, about.st_size, about.st_ino))
    return (*files, config.inference, config.sampling.candidates)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a memory held at a moment: the last ids, and its count of them.

    `since` is the count that the ids follow; None: they are all that it held.
    """

    vocabulary: Vocabulary
    ids: Sequence[int]
    count: int
    since: int | None = None

    @classmethod
    def by(cls, memory: Memory, vocabulary: Vocabulary, since: int | None = None) -> "Heard":
        """Now, or what came since its count was `since`, if it still holds all of that."""
        if since is None or memory.count - since > len(memory.recent):
            return cls(vocabulary, memory.recent.last(), memory.count)
        return cls(vocabulary, memory.recent.last(memory.count - since), memory.count, since)

    def teach(self, model: Model | NoteModel, taught: Taught | None = None) -> Taught:
        """`model` takes it in, after what it was `taught` up to `since`."""
        state, logits = model.initial_state(), None
        if taught is not None and self.since is not None:
            state, logits = taught.state, taught.logits
        for start in range(0, len(self.ids), CHUNK):
            logits, state = model.step(self.ids[start : start + CHUNK], state)
        return Taught(model, state, logits, self.count)


@dataclass(frozen=True, slots=True)
class Found:
    """Settings that are right, and the model that they name where it is not the one that plays.

    `taught` is None for a model that speaks another vocabulary: it begins anew.
    """

    config: Config
    stamp: Stamp
    model: Model | NoteModel | None = None
    taught: Taught | None = None


class Reload:
    """One reload: at some time `found` is there to be taken, or `refused` tells why nothing is.

    `say` (line, priority) is for the log, in a thread of its own. `over`: all is said.
    """

    def __init__(self, reread: Callable[[], Config], stamp: Stamp, heard: Heard, say: Say) -> None:
        self.found: Found | None = None
        self.refused = ""
        self.over = False
        self._reread, self._stamp, self._heard, self._say = reread, stamp, heard, say
        self._answer: list[Any] = []
        self._answered = False
        self._until: int | None = None  # the count up to which it was told more
        self._told: SimpleQueue[Heard | None] = SimpleQueue()  # None: it was answered
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        self._thread = threading.Thread(target=self._work, name="reload", daemon=True)
        self._thread.start()

    @property
    def answered(self) -> bool:
        """Whether it was taken, or refused after all."""
        return self._answered

    def up_to_date(self, memory: Memory) -> bool:
        """Whether the model that was found has heard what `memory` holds, but for the last moment.

        If not it is told now, once, and must be left alone until this says yes.
        """
        taught = self.found.taught if self.found is not None else None
        if taught is None or taught.count == memory.count:
            return True
        if self._until is None:
            self._until = memory.count
            self._told.put(Heard.by(memory, self._heard.vocabulary, taught.count))
        return taught.count == self._until

    def answer(self, line: str, *unused: Any, refused: bool = False) -> None:
        """What became of it. What is `unused` is let go of beside the music: that takes time."""
        self.refused = line if refused else ""
        self._answer = [line, *unused]
        self._answered = True
        self._told.put(None)

    def _work(self) -> None:
        priority.background()
        try:
            self.found = self._find()
            while (more := self._told.get()) is not None:
                self._catch_up(self.found, more)
            self._say(self._answer[0], WARNING if self.refused else INFO)
            self._answer.clear()
        except SegueError as error:
            self._refuse(str(error), WARNING)
        except Exception as error:  # a mistake of ours must not end the music
            self._refuse(f"{type(error).__name__}: {error}", ERROR)
        finally:
            sys.setswitchinterval(self._interval)
            self.over = True

    def _catch_up(self, found: Found, more: Heard) -> None:
        if found.model is not None:
            self.found = replace(found, taught=more.teach(found.model, found.taught))

    def _refuse(self, why: str, priority: int) -> None:
        self.refused = f"reload refused, the old settings stay: {why}"
        self._say(self.refused, priority)

    def _find(self) -> Found:
        config = self._reread()
        stamp = stamp_of(config)
        if stamp == self._stamp:
            return Found(config, stamp)
        model = load_model(config)
        if config.record.folder != NOWHERE:
            checksum(model_path(config, model.device))  # so that the hot loop need not
        if model.vocabulary.fingerprint != self._heard.vocabulary.fingerprint:
            return Found(config, stamp, model)
        return Found(config, stamp, model, self._heard.teach(model))
