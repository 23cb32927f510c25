"""What a player is asked, as values (see `Player.perform`).

Whoever drives a player has it perform them, a recording keeps them, a replay performs them again.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..generation.context import PrimedModel
from .options import PlayerSettings
from .player import Player


class Receive(NamedTuple):
    """A MIDI message came in. A tuple, because it is made for each."""

    message: bytes

    def ask(self, player: Player, now: float) -> bool:
        """See Player.receive."""
        player.receive(now, self.message)
        return False


@dataclass(frozen=True, slots=True)
class Tick:
    """Send what is due."""

    def ask(self, player: Player, now: float) -> bool:
        """See Player.tick."""
        player.tick(now)
        return False


@dataclass(frozen=True, slots=True)
class Think:
    """At most one model step."""

    def ask(self, player: Player, now: float) -> bool:
        """See Player.think."""
        return player.think(now)


@dataclass(frozen=True, slots=True)
class Set:
    """Turn a knob, which is then the one that `learn` means."""

    name: str
    value: Any

    def ask(self, player: Player, now: float) -> bool:
        """See Player.set."""
        player.set(now, self.name, self.value)
        player.control.choose(self.name)
        return False


@dataclass(frozen=True, slots=True)
class Do:
    """An action."""

    action: str

    def ask(self, player: Player, now: float) -> bool:
        """See Player.do."""
        player.do(now, self.action)
        return False


@dataclass(frozen=True, slots=True)
class Panic:
    """Silence every channel."""

    def ask(self, player: Player, now: float) -> bool:
        """See Player.panic."""
        player.panic(now)
        return False


@dataclass(frozen=True, slots=True)
class ReleaseAll:
    """End every note."""

    def ask(self, player: Player, now: float) -> bool:
        """See Player.silence."""
        player.silence(now)
        return False


@dataclass(frozen=True, slots=True)
class ReleaseKeys:
    """The performer's keys and pedals come up: the input was disconnected."""

    def ask(self, player: Player, now: float) -> bool:
        """See Player.lift."""
        player.lift(now)
        return False


@dataclass(frozen=True, slots=True)
class Restart:
    """The ports are new ones."""

    def ask(self, player: Player, now: float) -> bool:
        """See Player.go_on."""
        player.go_on(now)
        return False


@dataclass(frozen=True, slots=True)
class Apply:
    """Other settings, and perhaps another model."""

    settings: PlayerSettings
    primed: PrimedModel | None = None

    def ask(self, player: Player, now: float) -> bool:
        """See Player.apply."""
        player.apply(now, self.settings, self.primed)
        return False


TICK, THINK, PANIC, RELEASE_ALL = Tick(), Think(), Panic(), ReleaseAll()
RELEASE_KEYS, RESTART = ReleaseKeys(), Restart()
"""Those that hold nothing are made once: the hot loop performs thousands of them a second."""
