"""How much the last notes sound like the end of a phrase, and how free the rhythm is.

A close is a long note with the tonic in the bass and on top (see Temperley, "The cognition of basic
musical structures", 2001, on phrase boundaries; the weights were fitted as in `adaptive_silence`).
Freedom is how unequal the inter-onset intervals are.
"""

import math
from collections import deque
from itertools import pairwise

from ..tokens.events import Event, NoteOff, NoteOn

CHORD = 0.06  # seconds within which onsets count as one
RECENT = 12  # onsets remembered
ENOUGH = 4  # onsets needed to judge a close
SHORT, LONG = 0.7, 4.0  # inter-onset intervals: the length of a note that is no close; that is one


class PhraseBoundary:
    """Judges the end of the performer's events; times are seconds."""

    def __init__(self) -> None:
        self._onsets: deque[float] = deque(maxlen=RECENT)
        self._last: set[int] = set()  # pitches of the last onset
        self._released = 0.0

    def hear(self, event: Event) -> None:
        """Process an event of the performer."""
        if isinstance(event, NoteOn):
            if not self._onsets or event.time > self._onsets[-1] + CHORD:
                self._onsets.append(event.time)
                self._last = set()
            self._last.add(event.pitch)
        elif isinstance(event, NoteOff):
            self._released = event.time

    @property
    def known(self) -> bool:
        """Whether enough was played to judge a close."""
        return len(self._onsets) >= ENOUGH

    def closure(self, tonic: int | None) -> float:
        """From 0 to 1: how much the last note or chord is a close. `tonic`: 0 (C) to 11."""
        if len(self._onsets) < 2:
            return 0.0
        usual = sorted(self._gaps)[len(self._gaps) // 2]
        held = max(SHORT * usual, self._released - self._onsets[-1])
        long = min(1.0, math.log(held / usual / SHORT) / math.log(LONG / SHORT))
        bass = tonic is not None and min(self._last) % 12 == tonic
        top = tonic is not None and max(self._last) % 12 == tonic
        return 0.5 * long + 0.3 * bass + 0.2 * top

    @property
    def freedom(self) -> float:
        """From 0 to 1: the inter-onset intervals' standard deviation divided by their mean."""
        gaps = self._gaps
        if len(gaps) < 3:
            return 0.0
        mean = sum(gaps) / len(gaps)
        variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
        return min(1.0, float(variance**0.5) / mean)

    @property
    def _gaps(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self._onsets)]
