"""Turn-taking by a silence whose length adapts to the tempo and the phrase (`turns.silence: auto`).

The usual wait is a little more than a beat, either of the MIDI clock or of the performer's playing;
without a pulse it is a fixed time. It is shorter after what sounds like the end of a phrase and
longer after what does not (see `phrase_boundary`). It is not shortened within the first two bars.
After pauses within the performer's phrases, it is a little longer than the longest recent one.

The numbers were fitted to performances (`tests/tools/measure_waits.py`): as few entries as possible
in pauses of less than two beats, and replies about as soon after the end as with 0.7 s.
"""

import math
from collections.abc import Iterable

from ..generation.steering import Steering
from ..timing.clock import Clock
from ..timing.pulse import Pulse
from ..tokens.events import Event
from .options import USUAL_SILENCE
from .phrase import PhraseTracker, Trigger
from .phrase_boundary import PhraseBoundary

BEATS = 1.25  # the usual wait in beats, if there is a pulse
OPEN, CLOSED = 1.5, 0.7  # factors of the usual wait after no close at all, and a perfect one
SHORTEST, LONGEST = 0.5, 2.5  # seconds
BEGUN = 6.4  # usual waits, about two bars: in a shorter phrase a close shortens nothing
OUTLASTED = 1.15  # factor of the longest recent pause, to wait until after the next one
LONGER = 1.5  # the longest such wait, in usual waits


class AdaptiveSilence(Trigger):
    """The model's turn begins after a wait that depends on the tempo and the phrase's end."""

    def __init__(self, clock: Clock, steering: Steering) -> None:
        self._clock, self._steering = clock, steering
        self._boundary = PhraseBoundary()
        self.forget()

    def forget(self) -> None:
        """Forget tempo and phrase."""
        self._pulse: Pulse | None = None
        self._factor = 1.0  # of the usual wait, by how much the phrase's end sounds like a close

    def hear(self, event: Event) -> None:
        """Process an event of the performer."""
        self._boundary.hear(event)

    def pause(self, time: float) -> None:
        """The last key was released. Everything is computed here, so that `deadline` is pure."""
        self._pulse = self._steering.tempo.pulse(time)
        closure = self._boundary.closure(self._steering.tonic)
        self._factor = OPEN * math.pow(CLOSED / OPEN, closure) if self._boundary.known else 1.0

    def deadline(self, turns: PhraseTracker) -> float | None:
        """The end of the phrase plus the wait."""
        quiet = turns.quiet_since
        if quiet is None:
            return None
        usual = self._usual(quiet)
        wait = usual * self._factor
        if turns.phrase.length < BEGUN * usual:
            wait = max(wait, usual)
        if turns.pauses:
            wait = max(wait, self._outlasting(turns.pauses, usual))
        return quiet + min(max(wait, SHORTEST), LONGEST)

    def _outlasting(self, pauses: Iterable[float], usual: float) -> float:
        """The wait that outlasts the longest of some pauses. A pause that would need too long a
        wait asks only for the usual one."""
        waits = [OUTLASTED * pause for pause in pauses]
        return max(wait if wait <= LONGER * usual else usual for wait in waits)

    def _usual(self, quiet: float) -> float:
        """The usual wait in seconds, at the tempo of the MIDI clock or of the performer."""
        if self._clock.synced:
            return self._clock.time_of(self._clock.beat_at(quiet) + BEATS) - quiet
        return USUAL_SILENCE if self._pulse is None else BEATS * self._pulse.beat
