"""How many notes may begin in a second: the last resort against a model that runs wild."""

from collections import deque
from collections.abc import Iterable


class RateLimit:
    """At most `most` notes begin in any `second` steps.

    `ages`: how many steps ago the notes began that came before, the oldest first. Time passes as
    it is told.
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
        """So many steps go by."""
        self._now += steps

    def begin(self) -> None:
        """A note begins."""
        self._begun.append(self._now)

    def copy(self) -> "RateLimit":
        """One that goes on from here by itself."""
        twin = RateLimit(self._most, self._second)
        twin._now = self._now
        twin._begun.extend(self._begun)
        return twin
