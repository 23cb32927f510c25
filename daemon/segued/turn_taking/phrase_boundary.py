"""How much the end of what was just played sounds like an end, and how free its time is.

Plain measures of what musicians listen for: a close is a long note, on the tonic, in the bass and
on top (see Temperley, "The cognition of basic musical structures", 2001, on phrase boundaries; the
weights are ours, fitted as those of `adaptive_silence`). Freedom is how unequal the times between
onsets are.
"""

import math
from collections import deque
from itertools import pairwise

from ..tokens.events import Event, NoteOff, NoteOn

CHORD = 0.06  # seconds within which onsets are one
RECENT = 12  # onsets that count
ENOUGH = 4  # onsets from which on it is known whether something is a close
SHORT, LONG = 0.7, 4.0  # times the usual time between onsets: a note that does not close; that does


class PhraseBoundary:
    """Told what the performer does; times are seconds."""

    def __init__(self) -> None:
        self._onsets: deque[float] = deque(maxlen=RECENT)
        self._last: set[int] = set()  # pitches of the last onset
        self._released = 0.0

    def hear(self, event: Event) -> None:
        """Something that the performer did."""
        if isinstance(event, NoteOn):
            if not self._onsets or event.time > self._onsets[-1] + CHORD:
                self._onsets.append(event.time)
                self._last = set()
            self._last.add(event.pitch)
        elif isinstance(event, NoteOff):
            self._released = event.time

    @property
    def known(self) -> bool:
        """Whether enough was played to tell a close."""
        return len(self._onsets) >= ENOUGH

    def closure(self, tonic: int | None) -> float:
        """From 0 to 1: how much of a close the last note or chord is, in a key (0 is C)."""
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
        """From 0 to 1: how unequal the recent times between onsets are, as their spread over their
        mean."""
        gaps = self._gaps
        if len(gaps) < 3:
            return 0.0
        mean = sum(gaps) / len(gaps)
        variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
        return min(1.0, float(variance**0.5) / mean)

    @property
    def _gaps(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self._onsets)]
