"""The rules of turn-taking, by the values of `turns.by`."""

from ..control.knobs import Knobs
from ..generation.context import StepModel
from ..generation.steering import Steering
from ..timing.clock import Clock
from .expectation import Expectation
from .options import TurnOptions
from .phrase import Bars, Silence, Trigger


class Triggers:
    """One rule of each kind, of which one is followed. Those that go by what is played hear all of
    it, so that they can be followed at any time: `listeners`."""

    def __init__(
        self,
        options: TurnOptions,
        model: StepModel,
        clock: Clock,
        steering: Steering,
        knobs: Knobs,
    ) -> None:
        self._silence = Silence(options.silence, clock)
        self._expectation = Expectation(
            model, steering, knobs, options.shortest_wait, options.longest_wait
        )
        self._bars = Bars(options.bars, clock)
        self.by_name: dict[str, Trigger] = {
            "silence": self._silence,
            "expectation": self._expectation,
            "bars": self._bars,
            "manual": Trigger(),
        }
        self.listeners = (self._expectation, self._bars)

    def apply(self, options: TurnOptions, model: StepModel) -> Trigger:
        """Go on with other options, and perhaps another model; the rule to follow."""
        self._silence.span = options.silence
        self._bars.bars = options.bars
        self._expectation.apply(model, options.shortest_wait, options.longest_wait)
        return self.by_name[options.by]
