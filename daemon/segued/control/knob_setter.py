"""Sets the knobs that controls turn.

A knob that is turned fast is set at once and then every `COALESCE` seconds, each time to its latest
value.
"""

from typing import Any, Protocol

COALESCE = 0.01  # seconds


class Steered(Protocol):
    """The player, as far as controls need it (`segued.player.player.Player`)."""

    @property
    def knobs(self) -> Any:
        """The values of all knobs, as attributes."""

    def set(self, now: float, name: str, value: Any) -> None:
        """Set a knob."""

    def do(self, now: float, action: str) -> None:
        """Do an action."""


class KnobSetter:
    """Sets knobs of a player, some of them a little later."""

    def __init__(self, player: Steered) -> None:
        self._player = player
        self._pending: dict[str, Any] = {}
        self._turned: dict[str, float] = {}  # when each knob was last set from here

    @property
    def next_due(self) -> float | None:
        """When `tick` will set a knob; None: never."""
        if not self._pending:
            return None
        return min(self._turned[name] for name in self._pending) + COALESCE

    def tick(self, now: float) -> None:
        """Set the knobs that are due."""
        if self._pending:
            for name in [n for n in self._pending if now >= self._turned[n] + COALESCE]:
                self._turned[name] = now
                self._player.set(now, name, self._pending.pop(name))

    def value(self, name: str) -> Any:
        """The value of a knob, or the one that it will get."""
        return self._pending[name] if name in self._pending else getattr(self._player.knobs, name)

    def set(self, now: float, name: str, value: Any) -> None:
        """Set a knob at once."""
        self._pending.pop(name, None)
        self._turned[name] = now
        self._player.set(now, name, value)

    def turn(self, now: float, name: str, value: Any) -> None:
        """Like `set`, but at most every `COALESCE` seconds."""
        if name in self._pending or now < self._turned.get(name, -COALESCE) + COALESCE:
            self._pending[name] = value
        else:
            self.set(now, name, value)
