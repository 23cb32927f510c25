"""Which ports are connected to our ALSA sequencer clients, read from the kernel's list.

RtMidi does not tell. A device that was unplugged and plugged in again between two checks has the
same name and number as before, but the connection to it is gone. /proc/asound/seq/clients shows
connections:

    Client 128 : "Segue" [User Legacy]
      Port   0 : "Segue In" (-We-)
        Connected From: 20:0[real:0], 24:0
"""

import re
from pathlib import Path

from .jack_health import NoHealth

CLIENTS = Path("/proc/asound/seq/clients")

_CLIENT = re.compile(r'^Client\s+(\d+) : "(.*)" \[', re.MULTILINE)
_PEERS = {
    "from": re.compile(r"^\s+Connected From: (.*)$", re.MULTILINE),
    "to": re.compile(r"^\s+Connecting To: (.*)$", re.MULTILINE),
}


class AlsaHealth(NoHealth):
    """Counts the connections of our input client and our output client, given by their numbers.

    An unknown number (-1) is not watched. For the engine's thread only; a check takes 0.05 ms.
    """

    def __init__(self, input_client: int, output_client: int, clients: Path = CLIENTS) -> None:
        self._numbers, self._clients = (input_client, output_client), clients

    def peers(self) -> tuple[int, int]:
        """The numbers of ports connected to our input and to our output; -1: unknown."""
        blocks = blocks_of(read(self._clients))
        counts = []
        for number, direction in zip(self._numbers, ("from", "to"), strict=True):
            if number not in blocks:
                counts.append(-1)
                continue
            lines = _PEERS[direction].findall(blocks[number][1])
            counts.append(sum(len(line.split(",")) for line in lines))
        return counts[0], counts[1]


def read(clients: Path = CLIENTS) -> str:
    """The kernel's list; "" when there is none."""
    try:
        return clients.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def blocks_of(text: str) -> dict[int, tuple[str, str]]:
    """Number of each client -> its name, and the text about its ports."""
    parts = _CLIENT.split(text)[1:]
    return {
        int(number): (name, block)
        for number, name, block in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


def newcomer(before: str, after: str, name: str) -> int:
    """The number of the client `name` that is in the list `after` and not in the one `before`.

    -1 when there is none, or more than one, because another program took the same name.
    """
    old = blocks_of(before)
    new = [n for n, (called, _) in blocks_of(after).items() if n not in old and called == name]
    return new[0] if len(new) == 1 else -1
