"""Turns knobs by OSC, 1,000 messages a second.

python -m segued.tools.bench.osc_client PORT
"""

import socket
import sys
import time

from ...page.osc_codec import OscMessage, encode

A_SECOND = 1000
TOGETHER = 10  # messages between two pauses
KNOBS = ("density", "temperature", "quoting", "timekeeping")


def turn(port: int) -> None:
    """Until somebody ends it."""
    began, sent = time.monotonic(), 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        while True:
            for _ in range(TOGETHER):
                sent += 1
                address = f"/segue/set/{KNOBS[sent % len(KNOBS)]}"
                message = OscMessage(address, (0.5 + sent % 50 / 100,))
                line.sendto(encode(message), ("127.0.0.1", port))
            time.sleep(max(0.0, began + sent / A_SECOND - time.monotonic()))


if __name__ == "__main__":
    turn(int(sys.argv[1]))
