"""Whether the ports are there, and when to look for them. Pure: it is told the time.

    WAITING --opened--> CONNECTED --lost--> LOST --opened--> CONNECTED

Ports that are not there are looked for at once, then less and less often: opening and closing MIDI
clients costs something, and somebody's keyboard may stay unplugged for days.
"""

from dataclasses import replace
from enum import Enum

from ..settings.config import Ports

SHORTEST_PAUSE = 0.25  # seconds between two looks, at first
LONGEST_PAUSE = 1.5  # a server or a device that is back is found within 2 s, opening included
SHARE = 0.125  # of the time since the first look: after 12 s the pause is the longest


class State(Enum):
    """Where the ports are. The value is the state in `segued status`."""

    WAITING = "waiting for its ports"
    CONNECTED = "running"
    LOST = "waiting for its lost ports"


class Connections:
    """What is to be opened (`ports`), and since when it is missing."""

    def __init__(self, ports: Ports) -> None:
        self.state = State.WAITING
        self.ports = ports
        self.missing = ""
        """Why the last attempt found nothing; "" when nothing is missing."""
        self._since = self._next = 0.0

    def due(self, now: float) -> bool:
        """Whether it is time to try to open the ports."""
        return self.state is not State.CONNECTED and now >= self._next

    def opened(self, backend: str) -> None:
        """The ports are there. Should they be lost, the same `backend` is waited for."""
        self.state, self.missing = State.CONNECTED, ""
        self.ports = replace(self.ports, backend=backend)

    def failed(self, why: str, now: float) -> None:
        """They could not be opened; an attempt that ended `now`."""
        self.missing = why
        pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, SHARE * (now - self._since)))
        self._next = now + pause

    def lost(self, now: float) -> None:
        """They went away."""
        self.state = State.LOST
        self._since = self._next = now

    def change(self, ports: Ports, now: float) -> None:
        """Other ports are wanted: look for them at once."""
        self.state, self.ports, self.missing = State.WAITING, ports, ""
        self._since = self._next = now
