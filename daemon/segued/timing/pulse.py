"""The performer's beat and bar, as they are found or told. Pure."""

import math
from dataclasses import dataclass, replace

import numpy as np

from .metre import Floats
from .swing import Swing

HASTE = 0.15  # of probability that a beat is one, which a second of waiting is worth


@dataclass(frozen=True, slots=True)
class Pulse:
    """The performer's beat and bar.

    There is a beat at `time`, in seconds, and another every `beat` seconds; each is divided into
    `division` tatums. A bar has `bar` beats, and one begins at `downbeat`. `steady`: how closely
    the onsets keep to the tatums, 1 perfectly, 0 by chance. `swing`: None if the halves of a beat
    are even, or it is not known. In swung beats the tatums are uneven halves. `chances`: how likely
    each tatum from `time` on is a beat in any metre, until they repeat; empty: unknown.
    """

    time: float
    beat: float
    division: int
    bar: int
    downbeat: float
    steady: float
    swing: Swing | None = None
    chances: tuple[float, ...] = ()

    @property
    def tempo(self) -> float:
        """Beats per minute."""
        return 60.0 / self.beat

    @property
    def certainty(self) -> float:
        """`steady` as a share, 0 to 1."""
        return min(1.0, max(0.0, self.steady))

    def next_beat(self, now: float) -> float:
        """The first beat at or after `now`."""
        return self.time + math.ceil((now - self.time) / self.beat - 1e-6) * self.beat

    def entry(self, now: float) -> float:
        """A time to come in on a beat at or after `now`, at most a beat after the next one.

        Which tatums are beats may be uncertain. A later one is better if it is likelier a beat in
        every metre that the onsets may have.
        """
        latest = self.next_beat(now) + (self.beat if self.chances else 0.0)
        if not self.chances:
            return latest
        tatum = self.beat / self.division
        first = math.ceil((now - self.time) / tatum - 1e-6)
        last = round((latest - self.time) / tatum)

        def worth(place: int) -> float:
            wait = self.time + place * tatum - now
            return self.chances[place % len(self.chances)] - HASTE * wait

        return self.time + max(range(first, last + 1), key=worth) * tatum


def swung(pulse: Pulse, swing: Swing, times: Floats) -> Pulse:
    """A pulse as that of onsets that swing: its tatums are uneven halves."""
    places = (swing.straight(times) - swing.time) / swing.beat
    agree = abs(np.exp(4j * math.pi * places).mean()) ** 2
    return replace(
        pulse,
        time=swing.time,
        division=2 * round(pulse.beat / swing.beat),
        downbeat=pulse.downbeat + swing.time - pulse.time,
        steady=max(pulse.steady, float(agree)),
        swing=swing,
        chances=(),
    )
