"""The floor of the live path: a process on the same transport that does the least that can be done.

`python -m daemon.bench.relay pass` hands on each message, spinning; `beat` sends a note every
10 ms on absolute deadlines. It opens the ports that the daemon would open with the same settings.
"""

import signal
import sys
import time

from ..config_file import load
from ..service import connect, say

BEAT = 0.01  # seconds


def main(arguments: list[str]) -> int:
    """Run until SIGTERM."""
    settings = [
        text for flag, text in zip(arguments, arguments[1:], strict=False) if flag == "--set"
    ]
    transport = connect(load(None, settings))
    running = True

    def stop(*_: object) -> None:
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    say(f"ready on {transport.name} after 0.00 s")
    due = time.perf_counter() + BEAT
    while running:
        if arguments[0] == "pass":
            message = transport.receive()
            if message is not None:
                transport.send(message)
            continue
        while transport.receive() is not None:
            pass
        pause = due - time.perf_counter()
        if pause > 0:
            transport.wait(pause)
            continue
        transport.send(b"\x90\x3c\x40")
        due += BEAT
    transport.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
