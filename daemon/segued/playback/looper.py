"""The loop pedal (the knob `hold`): what the model plays goes on tape, and the tape goes round.

Pure: it is told the time. Whether a loop is wanted, and how many notes have room, it is told, too.
"""

import math
from collections.abc import Callable, Iterator

from ..generation.improviser import Improviser
from ..timing.clock import Clock
from .loop import Loop, Note, Tape

NEVER = math.inf


class Looper:
    """What plays the loop; `tape` has the last reply, and records this one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop: Loop | None = None
        self.tape = Tape()

    @property
    def running(self) -> bool:
        """Whether the model's part is a loop now."""
        return self._loop is not None

    @property
    def next_due(self) -> float:
        """When its next note is to be heard; infinity: it has none."""
        return NEVER if self._loop is None else self._loop.next_due

    def begin(self, now: float) -> None:
        """Play the last reply again and again, from now on, if there is one."""
        if self.tape.passage is not None:
            self._loop = Loop(self.tape.passage, now, self._clock)

    def stop(self, now: float) -> None:
        """The model plays no more: the loop ends, or the reply on the tape is over."""
        if self._loop is None:
            self.tape.cut(now)
        self._loop = None

    def due(
        self, now: float, until: float, improviser: Improviser, room: Callable[[], int]
    ) -> Iterator[Note]:
        """What of the loop is to be heard by `until`, as it is to be played now.

        It keeps what the knobs promise: pitches that are allowed, none that sounds, and not more
        notes than there is `room` for.
        """
        while self._loop is not None and self._loop.next_due <= until:
            allowed, sounding = improviser.shape.allowed, improviser.context.encoder.sounding
            note = self._loop.take(now, allowed, sounding, room())
            if note is not None:
                yield note
