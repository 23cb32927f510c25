"""The rule of turn-taking that the settings ask for (`turns.by`)."""

from collections.abc import Callable

from ..control.knobs import Knobs
from ..settings.config import TurnOptions
from ..timing.clock import Clock
from .expectation import Expectation
from .memory import StepModel
from .steering import Steering
from .turns import Bars, Rule, Silence


def rule_of(
    options: TurnOptions, model: StepModel, clock: Clock, steering: Steering, knobs: Knobs
) -> Rule:
    """A new rule, which has heard nothing."""
    rules: dict[str, Callable[[], Rule]] = {
        "silence": lambda: Silence(options.silence, clock),
        "expectation": lambda: Expectation(
            model, steering, knobs, options.shortest_wait, options.longest_wait
        ),
        "bars": lambda: Bars(options.bars, clock),
        "hand": Rule,
    }
    return rules[options.by]()
