"""What the performer struck lately, as onsets of which replies take up motifs. See `motifs`."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..timing.swing import Swing
from ..tokens.events import Event, NoteOff, NoteOn
from .motifs import CHORD, Motifs, Onset

KEPT = 96  # onsets of the performer's
OWN = 24  # notes of the model's
LATE = 0.08  # seconds for which a note of a line may sound into the next one
FEWEST = 4  # onsets in which there is something to take up


class MotifMemory:
    """The last onsets of the performer, and the last notes of the model. Times are in seconds."""

    def __init__(self) -> None:
        self._onsets: deque[Onset] = deque(maxlen=KEPT)
        self._own: deque[tuple[float, int]] = deque(maxlen=OWN)
        self._struck: dict[int, float] = {}  # when each key that is down was struck
        self._begins = True  # whether the next onset begins a phrase

    def hear(self, event: Event) -> None:
        """The performer did something."""
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
            if struck < last.time and event.time - last.time < LATE:
                last.held -= 1

    def answered(self, time: float, pitch: int) -> None:
        """The model struck a key."""
        self._own.append((time, pitch))
        self._begins = True

    def answers_since(self, time: float) -> list[tuple[float, int]]:
        """When the model struck which pitches since a time, as far as they are kept."""
        return [note for note in self._own if note[0] > time - CHORD]

    def silence(self) -> None:
        """All keys are up."""
        self._struck.clear()

    def forget(self) -> None:
        """Nothing was ever played."""
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
        """What a reply can take up, on a grid of so many seconds (None: no grid) and, of swung
        playing, in straight times; None: too little was played."""
        if len(self._onsets) < FEWEST:
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
