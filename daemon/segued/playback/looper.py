"""The looper (the knob `hold`): records the model's replies and loops the last one.

Pure: the caller passes the time, starts the loop and says how many notes may sound.
"""

import math
from collections.abc import Callable, Iterator

from ..generation.improviser import Improviser
from ..timing.clock import Clock
from .loop import Loop, Note, Tape

NEVER = math.inf


class Looper:
    """Plays the loop; `tape` holds the last reply and records the present one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop: Loop | None = None
        self.tape = Tape()

    @property
    def running(self) -> bool:
        """Whether a loop is playing."""
        return self._loop is not None

    @property
    def next_due(self) -> float:
        """When the next note is to sound; infinity: there is none."""
        return NEVER if self._loop is None else self._loop.next_due

    def begin(self, now: float) -> None:
        """Start to loop the last reply, if there is one."""
        if self.tape.passage is not None:
            self._loop = Loop(self.tape.passage, now, self._clock)

    def stop(self, now: float) -> None:
        """End the loop, or else the recording of a reply."""
        if self._loop is None:
            self.tape.cut(now)
        self._loop = None

    def due(
        self, now: float, until: float, improviser: Improviser, room: Callable[[], int]
    ) -> Iterator[Note]:
        """The notes of the loop that are to sound by `until`, as they are to be played now.

        They keep to the knobs: only allowed pitches, none that already sounds, and not more notes
        than `room`.
        """
        while self._loop is not None and self._loop.next_due <= until:
            allowed, sounding = improviser.shape.allowed, improviser.context.encoder.sounding
            note = self._loop.take(now, allowed, sounding, room())
            if note is not None:
                yield note
