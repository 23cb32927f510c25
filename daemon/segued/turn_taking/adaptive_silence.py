"""Turn-taking by a silence that is as long as the tempo and the phrase ask for.

The usual wait is a little more than a beat: of the MIDI clock, or else of the performer's own
playing; where that has no pulse, a fixed time. It is shorter after what sounds like the end of a
phrase and longer after what does not (see `phrase_boundary`). Within the first two bars a close
shortens nothing. Who has paused and gone on may do so again: the next pause is waited for a little
longer than the longest of the last ones.

The numbers were fitted to performances (`tests/tools/measure_waits.py`): as few entries as possible
in pauses of less than two beats, and an answer about as soon after the end as with 0.7 s.
"""

import math

from ..generation.steering import Steering
from ..timing.clock import Clock
from ..timing.tempo_follower import Pulse
from ..tokens.events import Event
from .options import USUAL_SILENCE
from .phrase import PhraseTracker, Trigger
from .phrase_boundary import PhraseBoundary

BEATS = 1.25  # beats that are waited where there is one
OPEN, CLOSED = 1.5, 0.7  # times the usual wait after no close at all, and after a perfect one
SHORTEST, LONGEST = 0.5, 2.5  # seconds
BEGUN = 6.4  # usual waits, about two bars: a shorter phrase is not taken to have closed
OUTLASTED = 1.1  # times the longest of the last pauses: the wait by which the next is over, too
LONGER = 1.35  # times the usual wait: that wait, at most


class AdaptiveSilence(Trigger):
    """The floor passes after a wait that is measured in the performer's tempo, and by where the
    phrase stands."""

    def __init__(self, clock: Clock, steering: Steering) -> None:
        self._clock, self._steering = clock, steering
        self._boundary = PhraseBoundary()
        self.forget()

    def forget(self) -> None:
        """Neither tempo nor phrase are known."""
        self._pulse: Pulse | None = None
        self._times = 1.0  # times the usual wait, by where the phrase stands

    def hear(self, event: Event) -> None:
        """Something that the performer did."""
        self._boundary.hear(event)

    def pause(self, time: float) -> None:
        """No key is held any more. All is worked out here: whoever asks for the deadline, however
        often, changes nothing."""
        self._pulse = self._steering.tempo.pulse(time)
        closure = self._boundary.closure(self._steering.tonic)
        self._times = OPEN * math.pow(CLOSED / OPEN, closure) if self._boundary.known else 1.0

    def deadline(self, turns: PhraseTracker) -> float | None:
        """That wait after the phrase."""
        quiet = turns.quiet_since
        if quiet is None:
            return None
        usual = self._usual(quiet)
        wait = usual * self._times
        if turns.phrase.length < BEGUN * usual:
            wait = max(wait, usual)
        if turns.pauses:
            wait = max(wait, min(LONGER * usual, OUTLASTED * max(turns.pauses)))
        return quiet + min(max(wait, SHORTEST), LONGEST)

    def _usual(self, quiet: float) -> float:
        """Seconds of the usual wait, at the tempo of the DAW or of the performer."""
        if self._clock.synced:
            return self._clock.time_of(self._clock.beat_at(quiet) + BEATS) - quiet
        return USUAL_SILENCE if self._pulse is None else BEATS * self._pulse.beat
