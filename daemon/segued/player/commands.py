"""Commands to a player, as values (see `Player.perform`).

The program that drives a player sends them, a recording logs them, and a replay sends them again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..generation.context import PrimedModel
from .options import PlayerSettings
from .player import Player


class Receive(NamedTuple):
    """A MIDI message arrived. A named tuple is the cheapest to make, and there are many."""

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
    """Make at most one model step."""

    def ask(self, player: Player, now: float) -> bool:
        """See Player.think."""
        return player.think(now)


@dataclass(frozen=True, slots=True)
class Set:
    """Set a knob, which the actions `learn` and `unlearn` then refer to."""

    name: str
    value: Any

    def ask(self, player: Player, now: float) -> bool:
        """See Player.set."""
        player.set(now, self.name, self.value)
        player.control.choose(self.name)
        return False


@dataclass(frozen=True, slots=True)
class Do:
    """Do an action."""

    action: str

    def ask(self, player: Player, now: float) -> bool:
        """See Player.do."""
        player.do(now, self.action)
        return False


@dataclass(frozen=True, slots=True)
class Hear:
    """Add music from MIDI files, as token ids, to the repertoire."""

    ids: Sequence[int]

    def ask(self, player: Player, now: float) -> bool:
        """See Player.hear."""
        player.hear(now, self.ids)
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
    """Release the performer's keys and pedals, because the input was disconnected."""

    def ask(self, player: Player, now: float) -> bool:
        """See Player.lift."""
        player.lift(now)
        return False


@dataclass(frozen=True, slots=True)
class Restart:
    """Start again on new ports."""

    def ask(self, player: Player, now: float) -> bool:
        """See Player.go_on."""
        player.go_on(now)
        return False


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply other settings and, unless None, another model."""

    settings: PlayerSettings
    primed: PrimedModel | None = None

    def ask(self, player: Player, now: float) -> bool:
        """See Player.apply."""
        player.apply(now, self.settings, self.primed)
        return False


TICK, THINK, PANIC, RELEASE_ALL = Tick(), Think(), Panic(), ReleaseAll()
RELEASE_KEYS, RESTART = ReleaseKeys(), Restart()
"""Commands without values are made once: the hot loop sends thousands of them per second."""
