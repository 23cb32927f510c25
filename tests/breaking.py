"""A daemon with a fault in its hot loop: `python -m tests.breaking run ...`, broken by SIGUSR1."""

import signal
import sys

from daemon import __main__ as segued
from daemon.player import Player


def main() -> int:
    def fault(*_: object) -> None:
        def tick(self: Player, now: float) -> None:
            raise RuntimeError("a fault in the loop")

        def silence(self: Player, now: float) -> None:
            raise RuntimeError("a fault in the player's account too")

        Player.tick, Player.silence = tick, silence  # type: ignore[method-assign]

    signal.signal(signal.SIGUSR1, fault)
    return segued.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
