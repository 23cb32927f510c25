"""Remembers the performer's latest onsets, in which replies find their motifs (see `motifs`)."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..timing.swing import Swing
from ..tokens.events import Event, NoteOff, NoteOn
from .motifs import CHORD, Motifs, Onset

MAX_ONSETS = 96  # of the performer
MAX_OWN_NOTES = 24  # of the model
OVERLAP = 0.08  # seconds by which a legato note may overlap the next without counting as held
MIN_ONSETS = 4  # onsets from which on there are motifs


class MotifMemory:
    """The last onsets of the performer, and the last notes of the model. Times are in seconds."""

    def __init__(self) -> None:
        self._onsets: deque[Onset] = deque(maxlen=MAX_ONSETS)
        self._own: deque[tuple[float, int]] = deque(maxlen=MAX_OWN_NOTES)
        self._struck: dict[int, float] = {}  # pitch -> onset, of the keys that are down
        self._begins = True  # whether the next onset begins a phrase

    def hear(self, event: Event) -> None:
        """Process an event of the performer."""
        last = self._onsets[-1] if self._onsets else None
        if isinstance(event, NoteOn):
            if last is not None and event.time - last.time < CHORD:
                last.top = max(last.top, event.pitch)
                last.keys += 1
            else:
                held = len(self._struck)
                self._onsets.append(Onset(event.time, event.pitch, 1, held, self._begins))
                self._begins = False
            self._struck[event.pitch] = event.time
        elif isinstance(event, NoteOff):
            struck = self._struck.pop(event.pitch, math.inf)
            if last is None:
                return
            if event.pitch == last.top:
                last.released = event.time
            if struck < last.time and event.time - last.time < OVERLAP:
                last.held -= 1

    def answered(self, time: float, pitch: int) -> None:
        """Process a note-on of the model."""
        self._own.append((time, pitch))
        self._begins = True

    def answers_since(self, time: float) -> list[tuple[float, int]]:
        """The model's latest note-ons since a time: (time, pitch)."""
        return [note for note in self._own if note[0] > time - CHORD]

    def silence(self) -> None:
        """All keys were released."""
        self._struck.clear()

    def forget(self) -> None:
        """Forget everything that was played."""
        self._onsets.clear()
        self._own.clear()
        self._begins = True

    @property
    def keys_at_once(self) -> float | None:
        """The mean number of keys that are down after an onset of the performer; None: unknown."""
        if not self._onsets:
            return None
        return sum(onset.keys + onset.held for onset in self._onsets) / len(self._onsets)

    def motifs(
        self, tatum: float | None, times_the_keys: float = 1.0, swing: Swing | None = None
    ) -> Motifs | None:
        """The motifs for a reply; None if too little was played. For the arguments see `Motifs`.

        With `swing` the performer's times are made straight.
        """
        if len(self._onsets) < MIN_ONSETS:
            return None
        onsets = list(self._onsets) if swing is None else _straight(self._onsets, swing)
        return Motifs(onsets, tatum, times_the_keys)


def _straight(onsets: Iterable[Onset], swing: Swing) -> list[Onset]:
    """Onsets with straight times."""
    onsets = list(onsets)
    times = swing.straight(np.array([onset.time for onset in onsets])).tolist()
    moved = (time - onset.time for time, onset in zip(times, onsets, strict=True))
    return [
        replace(onset, time=time, released=onset.released + by)
        for onset, time, by in zip(onsets, times, moved, strict=True)
    ]
