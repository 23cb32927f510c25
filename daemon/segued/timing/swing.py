"""Swing: the second half of each beat comes late, by a ratio that the performer keeps.

It is measured on beats that hold exactly one onset between two on the beat: where in the beat that
one is. Enough of them that agree are a swing; a beat that is divided otherwise (triplets,
sixteenths) speaks against it. Pure.
"""

from dataclasses import dataclass

import numpy as np

from .metre import Floats

NEAR = 0.2  # beats around a beat within which an onset is on it
SAME = 0.15  # share by which the time between two onsets on the beat may differ from a beat
FEWEST = 5  # beats that must agree
AGREES = 0.09  # beats by which the halves of two beats may differ and still agree
SHARE = 0.75  # of all divided beats must agree
SURE = 2.5  # standard errors by which the halves must differ from even ones
LEAST, MOST = 0.56, 0.72  # where the second half begins, in beats; 0.5 is straight


@dataclass(frozen=True, slots=True)
class Swing:
    """Beats of `beat` seconds, one of them at `time`; the second half of each begins after the
    share `half` of it. *Straight* times are those that the same music has with even halves."""

    time: float
    beat: float
    half: float

    @property
    def ratio(self) -> float:
        """The first half of a beat to the second: 1 straight, 2 like triplets."""
        return self.half / (1.0 - self.half)

    def straight(self, times: Floats | float) -> Floats:
        """The straight times of swung ones."""
        return self._moved(times, self.half, 0.5)

    def swung(self, times: Floats | float) -> Floats:
        """The swung times of straight ones."""
        return self._moved(times, 0.5, self.half)

    def _moved(self, times: Floats | float, half: float, new: float) -> Floats:
        """Times with the second half of each beat moved from `half` to `new`."""
        beats = (np.asarray(times, np.float64) - self.time) / self.beat
        whole = np.floor(beats)
        part = beats - whole
        first, second = part * (new / half), 1.0 - (1.0 - part) * ((1.0 - new) / (1.0 - half))
        moved: Floats = self.time + (whole + np.where(part < half, first, second)) * self.beat
        return moved


def swing_of(times: Floats, time: float, beat: float) -> Swing | None:
    """The swing of onsets, in order, whose beats are `beat` seconds long, one of them about at
    `time`; None: they are straight, or nobody knows."""
    place = (times - time) / beat
    off = place - np.round(place)
    beats = np.flatnonzero(np.abs(off) < NEAR)
    long = np.diff(times[beats])
    whole = np.abs(long / beat - 1.0) < SAME
    inside = np.diff(beats) - 1  # onsets between
    begin = beats[:-1][whole & (inside == 1)]
    if len(begin) < FEWEST:
        return None
    halves = (times[begin + 1] - times[begin]) / (times[begin + 2] - times[begin])
    half = float(np.median(halves))
    agree = np.abs(halves - half) < AGREES
    divided = int((whole & (inside > 0)).sum())
    doubt = SURE * float(halves.std()) / len(halves) ** 0.5
    if not max(LEAST, 0.5 + doubt) <= half <= MOST:
        return None
    if agree.sum() < max(FEWEST, SHARE * divided):
        return None
    ahead = float(np.median(off[begin[agree]])) * beat
    return Swing(time + ahead, beat, float(np.mean(halves[agree])))
