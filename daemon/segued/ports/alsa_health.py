"""Who is connected to our ALSA sequencer clients, read from the kernel's list of them.

RtMidi does not tell, and a device that was unplugged and plugged in again between two looks has the
same name and number as before: only the connection to it is gone. /proc/asound/seq/clients shows
it:

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
    """Watches the client of our input and that of our output, by their numbers.

    A number that is not known (-1) is not watched. The engine's thread only; 0.05 ms a look.
    """

    def __init__(self, input_client: int, output_client: int, clients: Path = CLIENTS) -> None:
        self._numbers, self._clients = (input_client, output_client), clients

    def peers(self) -> tuple[int, int]:
        """How many ports are connected to our input and to our output; -1: cannot be known."""
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
    """The kernel's list; "" where there is none."""
    try:
        return clients.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def blocks_of(text: str) -> dict[int, tuple[str, str]]:
    """Number of each client -> its name and what the list says of its ports."""
    parts = _CLIENT.split(text)[1:]
    return {
        int(number): (name, block)
        for number, name, block in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


def newcomer(before: str, after: str, name: str) -> int:
    """The number of the client `name` that is in the list `after` and not in the one `before`.

    -1 when there is none, or more than one: somebody else took the same name at this moment.
    """
    old = blocks_of(before)
    new = [n for n, (called, _) in blocks_of(after).items() if n not in old and called == name]
    return new[0] if len(new) == 1 else -1
