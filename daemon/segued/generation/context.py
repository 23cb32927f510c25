"""The model's memory of what was heard, and only of that.

Everything that sounded, whoever played it, is one sequence of ids. The memory is the recurrent
state after that sequence. What is merely planned never enters it, so going back after an
interruption is nothing but forgetting the plan.
"""

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..arrays import Floats
from ..recall.quoting import Quotes
from ..tokens.events import MODEL_PART, Event, NoteOff, NoteOn
from ..tokens.tokenizer import Encoder
from ..tokens.vocabulary import NOTE_ON, Vocabulary

CHUNK = 2  # ids in one model call when catching up: what is due waits no longer than that
RECENT = 2048  # ids of which another model hears before it takes over: some minutes of music
MAX_BACKLOG = 1024  # ids; beyond that the oldest are skipped, the model has fallen too far behind


class StepModel(Protocol):
    """What the musician needs of a model: see `segued.model.session.Model`."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary whose ids it takes and gives."""

    def initial_state(self) -> Floats:
        """The state (S,) before anything was heard."""

    def step(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        """Logits (V,) after the last of `ids`, and the new state (S,), a fresh array."""


@dataclass(slots=True)
class PrimedModel:
    """A model that has heard what the memory held lately, up to the id number `count`.

    `ids`: all that it heard, in order. `about`: by which a recording finds the model again.
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
        """Have a model hear ids up to the number `count`, after what it heard `before`."""
        state, logits = model.initial_state(), None
        if before is not None:
            state, logits = before.state, before.logits
        for start in range(0, len(ids), CHUNK):
            logits, state = model.step(ids[start : start + CHUNK], state)
        heard = ids if before is None else [*before.ids, *ids]
        return cls(model, state, logits, count, heard, about)


class Recent:
    """The last `RECENT` ids that were heard, in memory of fixed size."""

    def __init__(self) -> None:
        self._ids = array("i", bytes(4 * RECENT))
        self._count = 0

    def __len__(self) -> int:
        return min(self._count, RECENT)

    def add(self, id: int) -> None:
        """One more, in place of the oldest."""
        self._ids[self._count % RECENT] = id
        self._count += 1

    def last(self, count: int = RECENT) -> list[int]:
        """The last so many, or all there are."""
        count = min(count, len(self))
        return [self._ids[i % RECENT] for i in range(self._count - count, self._count)]

    def clear(self) -> None:
        """None."""
        self._count = 0


class Context:
    """State and logits after all that was heard, and the ids that still wait to be taken in."""

    def __init__(self, model: StepModel, heard: list[int] | None = None) -> None:
        self._model = model
        self._heard = heard
        self._note_ons = model.vocabulary.ids(NOTE_ON)
        self._begun: deque[int] = deque()  # steps of the last second in which the model struck
        self.encoder = Encoder(model.vocabulary)
        self.quotes = Quotes(model.vocabulary)
        self.state = model.initial_state()
        self.logits: Floats | None = None
        self.backlog: deque[int] = deque()
        self.skipped = 0
        self.recent = Recent()
        self.count = 0
        """Goes up with each id that is heard; the last of them are in `recent`."""

    def change_model(self, primed: PrimedModel) -> None:
        """Go on with another model of the same vocabulary. What was heard since it was taught is
        taken in as time allows."""
        self._model = primed.model
        since = self.count - primed.count
        self.state, self.logits = primed.state, primed.logits
        if since > len(self.recent):  # some of it is no longer known
            self.state, self.logits = primed.model.initial_state(), None
        self.backlog = deque(self.recent.last(since))

    @property
    def settled(self) -> bool:
        """Whether the state stands for all that was heard: nothing waits, no step is open."""
        return not self.backlog and not self.encoder.holds

    def hear(self, event: Event) -> bool:
        """Take in one event; whether it changed what was heard (or will, when its step is over)."""
        ids = self.encoder.feed(event)
        self._add(ids)
        if event.part != MODEL_PART:
            self.quotes.hear(event)
        elif isinstance(event, NoteOn):
            self.quotes.answered(self._note_ons.start + event.pitch)
            self._began(self.encoder.vocabulary.step_of(event.time))
        return bool(ids) or self.encoder.holds

    def advance(self, time: float) -> None:
        """Time passes in silence."""
        self._add(self.encoder.advance(time))

    def cut(self, time: float) -> None:
        """The model's own notes were silenced at `time`."""
        for pitch in self.encoder.sounding_of(MODEL_PART):
            self._add(self.encoder.feed(NoteOff(time, pitch, MODEL_PART)))

    def silence(self, time: float) -> None:
        """Everything that sounded was silenced at `time`."""
        self._add(self.encoder.silence(time))
        self.quotes.silence(time)

    def forget(self) -> None:
        """Nothing was ever heard; what sounds now is known to sound."""
        self.encoder.forget()
        self.quotes.forget()
        self.state, self.logits = self._model.initial_state(), None
        self.backlog.clear()
        self.recent.clear()
        self.count += RECENT + 1  # whoever was taught what was heard before is out of date
        if self._heard is not None:
            self._heard.clear()

    def adopt(self, id: int, state: Floats | None, logits: Floats | None) -> None:
        """A planned token has sounded; `state` is the state after it where it is known already."""
        self.encoder.follow(id)
        self.quotes.answered(id)
        if id in self._note_ons:
            self._began(self.encoder.written or 0)
        if state is None:
            self._add([id])
            return
        self._remember((id,))
        self.state, self.logits = state, logits
        self.backlog.clear()

    def ages(self, step: int) -> list[int]:
        """How many steps before `step` the model's notes of the last second began."""
        second = self.encoder.vocabulary.steps_per_second
        return [max(0, step - begun) for begun in self._begun if step - begun < second]

    def _began(self, step: int) -> None:
        """A note of the model's began."""
        while self._begun and step - self._begun[0] >= self.encoder.vocabulary.steps_per_second:
            self._begun.popleft()
        self._begun.append(step)

    def step(self) -> bool:
        """Take in a few of the waiting ids; whether there were any."""
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
