"""Turn-taking by expectation: the model estimates how surprising the silence is.

After the last event, the model's distribution over time shifts gives the probability that nothing
has happened up to a certain time: the survival function. The longest time shift, a second, may be
followed by another one, so each further second costs one model step. All this is computed when the
last key is released. The performer is taken to have stopped when the probability falls below a
threshold.

If the model were perfect, the threshold would be the share of pauses in which it enters wrongly.
The knob `sensitivity` sets it. It is raised when the last notes sound like a close, and lowered
when the rhythm is free.
"""

from collections import deque

import numpy as np

from ..arrays import Floats
from ..control.knobs import Knobs
from ..generation.context import Context, StepModel
from ..generation.steering import Steering
from ..tokens.events import Event
from ..tokens.vocabulary import TIME_SHIFT
from .phrase import PhraseTracker, Trigger
from .phrase_boundary import PhraseBoundary

WARY, EAGER = 0.0005, 0.2  # thresholds at the two ends of the knob
CLOSE = 4.0  # factor of the threshold after a perfect close
FREE = 0.2  # factor of the threshold in a very free rhythm
LATELY = 128  # recent events from which the end of the phrase is judged


class Expectation(Trigger):
    """The model's turn begins when it is sure enough that the performer has stopped.

    Not before `shortest` seconds without a held key, and not after `longest`.
    """

    def __init__(
        self,
        model: StepModel,
        steering: Steering,
        knobs: Knobs,
        shortest: float,
        longest: float,
    ) -> None:
        self._model, self._steering, self._knobs = model, steering, knobs
        self._shortest, self._longest = shortest, longest
        self._boundary = PhraseBoundary()
        self._new: deque[Event] = deque(maxlen=LATELY)  # events that `_boundary` has not seen yet
        self._search: Search | None = None
        self._known: tuple[float, float] | None = None  # what `_time` was computed from
        self._time: float | None = None

    def apply(self, model: StepModel, shortest: float, longest: float) -> None:
        """Replace the options. For another model, everything is computed again."""
        self._shortest, self._longest = shortest, longest
        if model is not self._model:
            self._model = model
            self.forget()

    def hear(self, event: Event) -> None:
        """Process an event of the performer, which ends the present silence."""
        self._new.append(event)
        self._search = self._known = None

    def forget(self) -> None:
        """Discard what was computed."""
        self._search = self._known = None

    def deadline(self, turns: PhraseTracker) -> float | None:
        """When the silence will be surprising enough; until that is computed, the longest wait."""
        quiet = turns.quiet_since
        if quiet is None:
            return None
        latest = quiet + self._longest
        if self._search is None:
            return latest
        known = (self._search.horizon, self._knobs.sensitivity)
        if known != self._known:
            self._known, self._time = known, self._search.time_below(self.threshold)
        if self._time is None:
            return latest
        return min(max(self._time, quiet + self._shortest), latest)

    def think(self, turns: PhraseTracker, context: Context) -> bool:
        """Compute one second more of the survival function, if the deadline may depend on it."""
        quiet = turns.quiet_since
        if quiet is None or not context.settled or context.logits is None:
            return False
        if self._search is None:
            self._search = Search(self._model, context)
        search = self._search
        if search.horizon > quiet + self._longest or search.survival < self.threshold:
            return False
        search.step()
        return True

    @property
    def threshold(self) -> float:
        """The probability of so long a silence below which the performer has stopped."""
        while self._new:
            self._boundary.hear(self._new.popleft())
        base = WARY * (EAGER / WARY) ** self._knobs.sensitivity
        close = CLOSE ** self._boundary.closure(self._steering.tonic)
        return float(base * close * FREE**self._boundary.freedom)


class Search:
    """The survival function after a context, as far as it was computed."""

    def __init__(self, model: StepModel, context: Context) -> None:
        assert context.logits is not None
        vocabulary = model.vocabulary
        self._model, self._state = model, context.state
        self._shifts = slice(vocabulary.ids(TIME_SHIFT).start, vocabulary.ids(TIME_SHIFT).stop)
        self._per_second = vocabulary.steps_per_second
        self._step = context.encoder.written or 0
        self._curve: list[tuple[int, Floats]] = []  # a step, and the survival after the next ones
        self.survival = 1.0
        """The probability that nothing happens before `horizon`."""
        self._add(context.logits, first=True)

    @property
    def horizon(self) -> float:
        """The time in seconds up to which it was computed."""
        return self._step / self._per_second

    def step(self) -> None:
        """Add one longest time shift, which takes one model step."""
        longest = self._shifts.stop - 1
        logits, self._state = self._model.step((longest,), self._state)
        self._add(logits, first=False)

    def time_below(self, threshold: float) -> float | None:
        """When the survival function falls below a threshold; None: not before the horizon."""
        for step, curve in self._curve:
            if curve[-1] < threshold:
                return (step + 1 + int((curve < threshold).argmax())) / self._per_second
        return None

    def _add(self, logits: Floats, first: bool) -> None:
        """Add the distribution over time shifts in `logits` (vocabulary,).

        `first`: no more events belong to the last step, so a time shift must follow.
        """
        top, likeliest = logits.max(), logits[self._shifts].max()
        shifts = np.exp(logits[self._shifts] - likeliest)  # stable, however unlikely they all are
        total = shifts.sum()
        among_all = total * np.exp(likeliest - top) / np.exp(logits - top).sum()
        going_on = 1.0 if first else float(among_all)
        curve = shifts[::-1].cumsum()[::-1] / total * np.float32(self.survival * going_on)
        self._curve.append((self._step, curve[1:]))
        self.survival = float(curve[-1])
        self._step += len(shifts)
