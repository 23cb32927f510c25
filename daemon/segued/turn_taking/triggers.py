"""The turn-taking rule for each value of `turns.by`."""

from ..control.knobs import Knobs
from ..generation.context import StepModel
from ..generation.steering import Steering
from ..timing.clock import Clock
from .adaptive_silence import AdaptiveSilence
from .expectation import Expectation
from .options import AUTO, TurnOptions
from .phrase import Bars, Silence, Trigger


class Triggers:
    """One rule of each kind.

    `listeners`: those that depend on what was played. They get all events, so that a reload can
    switch to them at any time.
    """

    def __init__(
        self,
        options: TurnOptions,
        model: StepModel,
        clock: Clock,
        steering: Steering,
        knobs: Knobs,
    ) -> None:
        self._fixed_silence = Silence(options.fixed_silence, clock)
        self._adaptive_silence = AdaptiveSilence(clock, steering)
        self._expectation = Expectation(
            model, steering, knobs, options.shortest_wait, options.longest_wait
        )
        self._bars = Bars(options.bars, clock)
        self._manual = Trigger()
        self.listeners = (self._adaptive_silence, self._expectation, self._bars)

    def rule(self, options: TurnOptions) -> Trigger:
        """The rule that the options name."""
        silence = self._adaptive_silence if options.silence == AUTO else self._fixed_silence
        rules = {"silence": silence, "expectation": self._expectation, "bars": self._bars}
        return rules.get(options.by, self._manual)

    def apply(self, options: TurnOptions, model: StepModel) -> Trigger:
        """Replace the options and the model; return the rule that the options name."""
        self._fixed_silence.span = options.fixed_silence
        self._bars.bars = options.bars
        self._expectation.apply(model, options.shortest_wait, options.longest_wait)
        return self.rule(options)
