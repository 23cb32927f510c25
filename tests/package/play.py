"""Plays three notes to a daemon on tcp, as README's example does, and waits for its reply.

python tests/package/play.py PORT
"""

import sys
import time

import mido

PATIENCE = 20.0  # seconds for the first note of the reply


def main(port: int) -> int:
    """0 when at least one note came that was not played."""
    line = mido.sockets.connect("127.0.0.1", port)
    for note in (60, 64, 67):
        line.send(mido.Message("note_on", note=note, velocity=80))
        time.sleep(0.2)
        line.send(mido.Message("note_off", note=note))
    end = time.monotonic() + PATIENCE
    thru, reply = 3, 0
    while time.monotonic() < end and not reply:
        for message in line.iter_pending():
            if message.type == "note_on" and message.velocity:
                thru, reply = thru - 1, reply + (thru <= 0)
        time.sleep(0.01)
    print("it answers" if reply else f"no reply within {PATIENCE:g} s")
    return 0 if reply else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
