"""Limits the number of notes per second, as a safeguard against a degenerate model."""

from collections import deque
from collections.abc import Iterable


class RateLimit:
    """Allows at most `most` note-ons in any `second` steps.

    `ages`: how many steps ago earlier notes began, the oldest first.
    """

    __slots__ = ("_begun", "_most", "_now", "_second")

    def __init__(self, most: int, second: int, ages: Iterable[int] = ()) -> None:
        self._most, self._second, self._now = most, second, 0
        self._begun = deque((-age for age in ages), maxlen=most)

    @property
    def wait(self) -> int:
        """Steps until a note may begin; 0: now."""
        if len(self._begun) < self._most:
            return 0
        return max(0, self._begun[0] + self._second - self._now)

    def passes(self, steps: int) -> None:
        """Advance the time by a number of steps."""
        self._now += steps

    def begin(self) -> None:
        """Enter a note-on."""
        self._begun.append(self._now)

    def copy(self) -> "RateLimit":
        """An independent copy."""
        twin = RateLimit(self._most, self._second)
        twin._now = self._now
        twin._begun.extend(self._begun)
        return twin
