"""Whether the ports are open, and when to try again. Pure: the caller passes the time.

    WAITING --opened--> CONNECTED --lost--> LOST --opened--> CONNECTED

The first attempt is made at once, the next ones less and less often: opening and closing MIDI
clients has a cost, and a keyboard may stay unplugged for days. A process beside the daemon waits
for a JACK server (`ports/jack_witness.py`), so asking for one costs nothing.
"""

from dataclasses import replace
from enum import Enum

from ..settings.config import Ports

SHORTEST_PAUSE = 0.25  # seconds between the first attempts
LONGEST_PAUSE = 1.5  # seconds; a server or device that returns is open within 2 s
SHARE = 0.125  # the pause as a share of the time since the first attempt: longest after 12 s


class State(Enum):
    """The state of the ports. The value is the text in `segued status`."""

    WAITING = "waiting for its ports"
    CONNECTED = "running"
    LOST = "waiting for its lost ports"


class Connections:
    """The ports to open (`ports`), their state, and when the next attempt to open them is due."""

    def __init__(self, ports: Ports) -> None:
        self.state = State.WAITING
        self.ports = ports
        self.missing = ""
        """Why the last attempt failed; "" when there was none or it succeeded."""
        self._since = self._next = 0.0

    def due(self, now: float) -> bool:
        """Whether it is time for an attempt to open the ports."""
        return self.state is not State.CONNECTED and now >= self._next

    def opened(self, backend: str) -> None:
        """The ports were opened. If they are lost, only the same `backend` will be tried."""
        self.state, self.missing = State.CONNECTED, ""
        self.ports = replace(self.ports, backend=backend)

    def failed(self, why: str, now: float, watched: bool = False) -> None:
        """An attempt that ended at `now` failed. `watched`: the next one costs nothing."""
        self.missing = why
        longest = SHORTEST_PAUSE if watched else LONGEST_PAUSE
        pause = min(longest, max(SHORTEST_PAUSE, SHARE * (now - self._since)))
        self._next = now + pause

    def lost(self, now: float) -> None:
        """The ports were lost."""
        self.state = State.LOST
        self._since = self._next = now

    def change(self, ports: Ports, now: float) -> None:
        """The settings name other ports: the first attempt to open them is due at once."""
        self.state, self.ports, self.missing = State.WAITING, ports, ""
        self._since = self._next = now
