"""Where a moment lies among beats and bars, as the model's input `beat` has it."""

from dataclasses import dataclass

from .pulse import Pulse

Beat = tuple[float, float, float]
"""Beats since the bar began, beats that a step of the vocabulary lasts, beats in a bar (a whole
number; 0: where bars begin is not known). All are 0 where there is no beat."""

UNKNOWN: Beat = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class BeatGrid:
    """Beats at an even tempo: `rate` beats a step; a bar of `bar` beats begins at `downbeat`
    seconds."""

    downbeat: float
    speed: float  # beats a second
    rate: float
    bar: int

    @classmethod
    def of(cls, pulse: Pulse, offset: float, steps_per_second: int) -> "BeatGrid":
        """That of a pulse, in seconds that are `offset` less than those of the pulse."""
        speed = 1.0 / pulse.beat
        return cls(pulse.downbeat - offset, speed, speed / steps_per_second, pulse.bar)

    def at(self, time: float) -> Beat:
        """The beat at a time. It is below `bar`."""
        return (time - self.downbeat) * self.speed % self.bar, self.rate, float(self.bar)
