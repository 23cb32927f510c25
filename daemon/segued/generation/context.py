"""The model's context: the state after everything that has sounded, and nothing else.

Everything that sounded, played by the performer or the model, is one sequence of ids. The context
is the recurrent state after it. Planned tokens are not part of it, so a rollback after an
interruption only discards the plan.
"""

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..arrays import Floats
from ..recall.motif_memory import MotifMemory
from ..recall.quoting import Quotes
from ..timing.beat_grid import UNKNOWN, Beat
from ..tokens.events import MODEL_PART, Event, NoteOff, NoteOn
from ..tokens.tokenizer import Encoder
from ..tokens.vocabulary import NOTE_ON, Vocabulary

CHUNK = 2  # ids per model call when catching up, to bound the delay of due messages
RECENT = 2048  # ids that another model is primed with: some minutes of music
MAX_BACKLOG = 1024  # ids; if the model falls further behind, the oldest are skipped


class StepModel(Protocol):
    """What the improviser needs of a model: see `segued.model.session.Model`."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of its inputs and outputs."""

    def initial_state(self) -> Floats:
        """The state (S,) before any token."""

    def step(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        """Logits (V,) after the last of `ids`, and the new state (S,) as a new array."""


@runtime_checkable
class BeatModel(StepModel, Protocol):
    """A model file whose format has an input for the beat; whether it `takes_beat` it tells."""

    takes_beat: bool

    def step(
        self, ids: Sequence[int], state: Floats, beat: Beat = UNKNOWN
    ) -> tuple[Floats, Floats]:
        """The same, `beat` being that after the last of `ids`."""


@dataclass(slots=True)
class PrimedModel:
    """A model that was fed the recent ids of a context, up to the context's count `count`.

    `ids`: all ids that it was fed, in order. `about`: identifies the model in a recording.
    """

    model: StepModel
    state: Floats
    logits: Floats | None
    count: int
    ids: Sequence[int]
    about: Mapping[str, str]

    @classmethod
    def by(
        cls,
        model: StepModel,
        ids: Sequence[int],
        count: int,
        about: Mapping[str, str],
        before: "PrimedModel | None" = None,
    ) -> "PrimedModel":
        """Feed ids up to the number `count` to a model, continuing from `before` if given."""
        state, logits = model.initial_state(), None
        if before is not None:
            state, logits = before.state, before.logits
        for start in range(0, len(ids), CHUNK):
            logits, state = model.step(ids[start : start + CHUNK], state)
        heard = ids if before is None else [*before.ids, *ids]
        return cls(model, state, logits, count, heard, about)


class Recent:
    """The last `RECENT` ids, in memory of fixed size."""

    def __init__(self) -> None:
        self._ids = array("i", bytes(4 * RECENT))
        self._count = 0

    def __len__(self) -> int:
        return min(self._count, RECENT)

    def add(self, id: int) -> None:
        """Store an id in place of the oldest."""
        self._ids[self._count % RECENT] = id
        self._count += 1

    def last(self, count: int = RECENT) -> list[int]:
        """The last `count` ids, or as many as there are."""
        count = min(count, len(self))
        return [self._ids[i % RECENT] for i in range(self._count - count, self._count)]

    def clear(self) -> None:
        """Drop all ids."""
        self._count = 0


class Context:
    """State and logits after everything that sounded, except for the ids in `backlog`.

    `heard`, if given, collects all ids.
    """

    def __init__(self, model: StepModel, heard: list[int] | None = None) -> None:
        self._model = model
        self._heard = heard
        self._note_ons = model.vocabulary.ids(NOTE_ON)
        self._begun: deque[int] = deque()  # steps of the model's note-ons in the last second
        self.encoder = Encoder(model.vocabulary)
        self.quotes = Quotes(model.vocabulary)
        self.motifs = MotifMemory()
        self.state = model.initial_state()
        self.logits: Floats | None = None
        self.backlog: deque[int] = deque()
        self.skipped = 0
        self.recent = Recent()
        self.count = 0
        """The number of ids so far; the last of them are in `recent`."""

    def change_model(self, primed: PrimedModel) -> None:
        """Replace the model by another one of the same vocabulary.

        The ids since it was primed are put into the backlog.
        """
        self._model = primed.model
        since = self.count - primed.count
        self.state, self.logits = primed.state, primed.logits
        if since > len(self.recent):  # some of these ids are no longer stored
            self.state, self.logits = primed.model.initial_state(), None
        self.backlog = deque(self.recent.last(since))

    @property
    def settled(self) -> bool:
        """Whether the state includes everything: the backlog is empty and no step is open."""
        return not self.backlog and not self.encoder.holds

    def hear(self, event: Event) -> bool:
        """Add an event; return whether it changes the ids (now or at its step's end)."""
        ids = self.encoder.feed(event)
        self._add(ids)
        if event.part != MODEL_PART:
            self.quotes.hear(event)
            self.motifs.hear(event)
        elif isinstance(event, NoteOn):
            self.quotes.answered(self._note_ons.start + event.pitch)
            self._began(self.encoder.vocabulary.step_of(event.time))
            self.motifs.answered(event.time, event.pitch)
        return bool(ids) or self.encoder.holds

    def advance(self, time: float) -> None:
        """Advance the time without an event."""
        self._add(self.encoder.advance(time))

    def end_model_notes(self, time: float) -> None:
        """Add that the model's notes were ended at `time`."""
        for pitch in self.encoder.sounding_of(MODEL_PART):
            self._add(self.encoder.feed(NoteOff(time, pitch, MODEL_PART)))

    def silence(self, time: float) -> None:
        """Add that all notes were ended at `time`."""
        self._add(self.encoder.silence(time))
        self.quotes.silence(time)
        self.motifs.silence()

    def forget(self) -> None:
        """Forget everything, except which notes sound now."""
        self.encoder.forget()
        self.quotes.forget()
        self.motifs.forget()
        self.state, self.logits = self._model.initial_state(), None
        self.backlog.clear()
        self.recent.clear()
        self.count += RECENT + 1  # makes models primed before this out of date
        if self._heard is not None:
            self._heard.clear()

    def commit(self, id: int, state: Floats | None, logits: Floats | None) -> None:
        """Add a planned token that has sounded; `state`: the state after it, if already known."""
        self.encoder.follow(id)
        self.quotes.answered(id)
        if id in self._note_ons:
            step = self.encoder.written or 0
            self._began(step)
            self.motifs.answered(self.encoder.vocabulary.time_of(step), id - self._note_ons.start)
        if state is None:
            self._add([id])
            return
        self._remember((id,))
        self.state, self.logits = state, logits
        self.backlog.clear()

    def ages(self, step: int) -> list[int]:
        """The ages, in steps before `step`, of the model's note-ons in the last second."""
        second = self.encoder.vocabulary.steps_per_second
        return [max(0, step - begun) for begun in self._begun if step - begun < second]

    def _began(self, step: int) -> None:
        """Enter a note-on of the model."""
        while self._begun and step - self._begun[0] >= self.encoder.vocabulary.steps_per_second:
            self._begun.popleft()
        self._begun.append(step)

    def step(self) -> bool:
        """Feed a few ids of the backlog to the model; return whether there were any."""
        if not self.backlog:
            return False
        ids = [self.backlog.popleft() for _ in range(min(CHUNK, len(self.backlog)))]
        self.logits, self.state = self._model.step(ids, self.state)
        return True

    def _remember(self, ids: Sequence[int]) -> None:
        for id in ids:
            self.recent.add(id)
        self.count += len(ids)
        if self._heard is not None:
            self._heard.extend(ids)

    def _add(self, ids: Sequence[int]) -> None:
        self._remember(ids)
        self.backlog.extend(ids)
        while len(self.backlog) > MAX_BACKLOG:
            self.backlog.popleft()
            self.skipped += 1
