"""Turn-taking by expectation: the model itself says how surprising the silence is.

After the last thing that was heard, the model's own distribution over time shifts tells how likely
it is that nothing would have come by now: the survival function. A time shift of the longest kind
is followed by another or by something that happens, so each such second of silence costs one step
of the model. All of it is worked out as soon as the last key is up, while the silence has only just
begun; when the probability falls below a threshold, the performer has stopped.

The threshold is the share of pauses at which the model would come in wrongly, if it knew all about
music. It is set by the knob `sensitivity`, raised where the last notes sound like a close, lowered
where time is free.
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
CLOSE = 4.0  # times the threshold after a perfect close
FREE = 0.2  # times the threshold where time is very free
LATELY = 128  # events that may tell how the last phrase ends


class Expectation(Trigger):
    """The floor passes when the model is sure enough that the performer has stopped.

    Not before `shortest` seconds without a key held, and not after `longest`.
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
        self._cadence = PhraseBoundary()
        self._new: deque[Event] = deque(maxlen=LATELY)  # what it has not taken in yet
        self._search: Search | None = None
        self._known: tuple[float, float] | None = None  # what `_time` was worked out from
        self._time: float | None = None

    def apply(self, model: StepModel, shortest: float, longest: float) -> None:
        """Go on with other options; what another model expects is worked out anew."""
        self._shortest, self._longest = shortest, longest
        if model is not self._model:
            self._model = model
            self.forget()

    def hear(self, event: Event) -> None:
        """What was expected until now counts no more."""
        self._new.append(event)
        self._search = self._known = None

    def forget(self) -> None:
        """Nothing is expected."""
        self._search = self._known = None

    def deadline(self, turns: PhraseTracker) -> float | None:
        """The longest wait until it is worked out."""
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
        """Look a second further into the silence, as long as that may tell the deadline."""
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
            self._cadence.hear(self._new.popleft())
        base = WARY * (EAGER / WARY) ** self._knobs.sensitivity
        close = CLOSE ** self._cadence.closure(self._steering.tonic)
        return float(base * close * FREE**self._cadence.freedom)


class Search:
    """The survival function from the state of a memory on, as far as it was worked out."""

    def __init__(self, model: StepModel, context: Context) -> None:
        assert context.logits is not None
        vocabulary = model.vocabulary
        self._model, self._state = model, context.state
        self._shifts = slice(vocabulary.ids(TIME_SHIFT).start, vocabulary.ids(TIME_SHIFT).stop)
        self._per_second = vocabulary.steps_per_second
        self._step = context.encoder.written or 0
        self._curve: list[tuple[int, Floats]] = []  # step, survival after each step from there on
        self.survival = 1.0
        """The probability that nothing has come up to `horizon`."""
        self._add(context.logits, first=True)

    @property
    def horizon(self) -> float:
        """Seconds: how far it was worked out."""
        return self._step / self._per_second

    def step(self) -> None:
        """One more longest time shift: one step of the model."""
        longest = self._shifts.stop - 1
        logits, self._state = self._model.step((longest,), self._state)
        self._add(logits, first=False)

    def time_below(self, threshold: float) -> float | None:
        """When the survival function falls below a threshold; None: not within the horizon."""
        for step, curve in self._curve:
            if curve[-1] < threshold:
                return (step + 1 + int((curve < threshold).argmax())) / self._per_second
        return None

    def _add(self, logits: Floats, first: bool) -> None:
        """`first`: the step of the last event is over, so what comes next is a time shift."""
        top, likeliest = logits.max(), logits[self._shifts].max()
        shifts = np.exp(logits[self._shifts] - likeliest)  # they may all be next to impossible
        total = shifts.sum()
        among_all = total * np.exp(likeliest - top) / np.exp(logits - top).sum()
        going_on = 1.0 if first else float(among_all)
        curve = shifts[::-1].cumsum()[::-1] / total * np.float32(self.survival * going_on)
        self._curve.append((self._step, curve[1:]))
        self.survival = float(curve[-1])
        self._step += len(shifts)
