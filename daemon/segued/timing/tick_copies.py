"""A MIDI clock that is heard twice, over two ports: each of its ticks comes two times.

Ticks that come close together may also be those of one audio buffer, so being close proves
nothing. What proves it is that for a long time an even number comes together, every time. Of a
clock that comes by buffers that is so only where a buffer is as long as two ticks to within a
per mille or so, and then the ticks come as far apart as buffers of 2^n frames: such a clock has to
do it for longer. Two ports that are read one after the other are known sooner: by their distance.
"""

import math

CLOSE = 0.38  # of the time from group to group: a copy comes so soon, a third of a period at most
AT_ONCE = 0.001  # seconds: ticks of one buffer come so soon after each other
APART_PROOF = 16  # groups in a row of which none came at once
PROOF = 32  # groups in a row
BUFFER_PROOF = 1000  # groups in a row, all of one size and as far apart as audio buffers
FIRST = 5  # ticks: before that it is not known yet how close is close
RATES = (44100, 48000)  # and their multiples by 2: frames a second


def is_audio_buffer(seconds: float) -> bool:
    """Whether it is the time of 2^n frames, to half a percent."""
    for rate in RATES:
        power = math.log2(max(seconds, 1e-6) * rate)
        if abs(power - round(power)) < 0.0072:
            return True
    return False


class CopyDetector:
    """`is_copy`: the newest tick is a copy; `period`: the seconds from tick to tick when it last
    changed its mind, copies left out."""

    def __init__(self) -> None:
        self.period = 0.0
        self.clear()

    def clear(self) -> None:
        """No tick was heard."""
        self.is_copy = self._twice = False
        self._needed = PROOF
        self._size = 0  # ticks in the newest group of those that come close together
        self._begun = self._span = 0.0  # when it began, and how long after the one before
        self._total = 0  # ticks
        self._uncertain = 0  # ticks just before the first group that counts as proof
        self._odd_before = True  # whether the one before is of an odd number, or perhaps not whole
        self._start_over()

    def _start_over(self) -> None:
        self._groups = self._ticks = self._ignored = 0  # since `_since`, all groups even
        self._since = self._begun
        self._closest = math.inf
        self._sizes = (math.inf, 0.0)

    def feed(self, now: float) -> int:
        """A tick came; by how many the count of those before is to be corrected."""
        since = now - self._begun
        self._total += 1
        if self._size and since < max(AT_ONCE, CLOSE * self._span):
            self._size += 1
            if self._size == 2:
                self._closest = min(self._closest, since)
            self.is_copy = self._twice and self._size % 2 == 0
            self._ignored += self.is_copy
            return 0
        self.is_copy = False
        correction = self._end_group(now) if self._size else 0
        self._span = since if self._size else 0.0
        self._size, self._begun = 1, now
        if not self._groups:
            self._start_over()
            if self._total <= FIRST:
                self._uncertain = self._total - 1
        return correction

    def _end_group(self, now: float) -> int:
        """The newest group is whole: `now` another begins."""
        if self._size % 2:
            return self._odd(now)
        if self._odd_before and not self._twice:  # it may have begun before the first tick heard
            self._odd_before, self._uncertain = False, self._size
            return 0
        self._odd_before = False
        self._ticks += self._size
        self._groups += 1
        low, high = self._sizes
        self._sizes = (min(low, self._size), max(high, self._size))
        if self._twice or self._groups < self._proof(now):
            return 0
        self._twice = True
        self.period = 2 * (now - self._since) / self._ticks
        return -(self._ticks + self._uncertain) // 2

    def _proof(self, now: float) -> int:
        """How many groups are proof."""
        if self._closest >= AT_ONCE:
            return APART_PROOF
        even = self._sizes[0] == self._sizes[1]
        if even and is_audio_buffer((now - self._since) / self._groups):
            return max(BUFFER_PROOF, self._needed)
        return self._needed

    def _odd(self, now: float) -> int:
        """A group of an odd number: a copy was lost, or the other port is gone, or each tick came
        once after all, by buffers."""
        ended, correction = self._odd_before, 0
        self._odd_before, self._uncertain = True, 0
        if self._twice and not ended and self._closest < AT_ONCE:
            correction, ended = self._ignored, True
            self._needed = 4 * max(self._groups, self._needed)
            self.period = (now - self._since) / (self._ticks + self._size)
        if ended or not self._twice:
            self._twice = False
            self._groups = 0
        return correction
