"""Detects a MIDI clock that is received twice, over two ports, so that each tick arrives twice.

Ticks that arrive close together may also belong to one audio buffer, so that alone proves nothing.
The proof is that they arrive in groups of even size many times in a row. A clock that is sent once
per audio buffer does so only if a buffer is as long as two ticks, to about 0.1 %, and then the
groups are as far apart as buffers of 2^n frames: in that case more groups are needed. If the two
ports are read one after the other, the distance within a group proves it sooner.
"""

import math

CLOSE = 0.38  # ticks closer than this share of the time between groups belong to one group
AT_ONCE = 0.001  # seconds within which ticks of one buffer arrive
APART_PROOF = 16  # groups in a row that are proof if none arrived at once
PROOF = 32  # groups in a row that are proof otherwise
BUFFER_PROOF = 1000  # groups in a row that are proof if all could be audio buffers
FIRST = 5  # ticks before which the distance of groups is not known
RATES = (44100, 48000)  # frames per second, and their multiples by powers of 2


def is_audio_buffer(seconds: float) -> bool:
    """Whether a time is that of 2^n frames, to half a percent."""
    for rate in RATES:
        power = math.log2(max(seconds, 1e-6) * rate)
        if abs(power - round(power)) < 0.0072:
            return True
    return False


class CopyDetector:
    """Detects copies. `is_copy`: the newest tick is one. `period`: the seconds between ticks,
    without copies, when the decision last changed."""

    def __init__(self) -> None:
        self.period = 0.0
        self.clear()

    def clear(self) -> None:
        """Forget all ticks."""
        self.is_copy = self._twice = False
        self._needed = PROOF
        self._size = 0  # ticks in the newest group
        self._begun = self._span = 0.0  # when it began, and the time since the previous group
        self._total = 0  # ticks
        self._uncertain = 0  # ticks just before the first group that counts as proof
        self._odd_before = True  # whether the previous group has an odd size, or may be incomplete
        self._start_over()

    def _start_over(self) -> None:
        self._groups = self._ticks = self._ignored = 0  # since `_since`, while all sizes are even
        self._since = self._begun
        self._closest = math.inf
        self._sizes = (math.inf, 0.0)

    def feed(self, now: float) -> int:
        """Process a tick; return the correction of the count of earlier ticks."""
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
        """Complete the newest group; another begins `now`."""
        if self._size % 2:
            return self._odd(now)
        if self._odd_before and not self._twice:  # it may have begun before the first tick received
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
        """The number of groups that are proof."""
        if self._closest >= AT_ONCE:
            return APART_PROOF
        even = self._sizes[0] == self._sizes[1]
        if even and is_audio_buffer((now - self._since) / self._groups):
            return max(BUFFER_PROOF, self._needed)
        return self._needed

    def _odd(self, now: float) -> int:
        """Process a group of odd size.

        A copy was lost, the other port is gone, or each tick arrives only once, in buffers.
        """
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
