"""A daemon that can be broken: `python -m tests.support.breaking run ...`.

SIGUSR1 puts a fault into its hot loop, and one into what would silence the player then. SIGUSR2
makes each step of its model take `SLOW` seconds of the processor more, and the next one takes that
away again.
"""

import signal
import sys
import time
from typing import Any

from segued import cli as segued
from segued.model.session import Model
from segued.player.player import Player

SLOW = 0.05  # seconds; the shipped model takes 0.0002


def main() -> int:
    def fault(*_: object) -> None:
        def tick(self: Player, now: float) -> None:
            raise RuntimeError("a fault in the loop")

        def silence(self: Player, now: float) -> None:
            raise RuntimeError("a fault in the player's account too")

        Player.tick, Player.silence = tick, silence  # type: ignore[method-assign]

    quick = Model.step, Model.step_many

    def slow_down(*_: object) -> None:
        steps = quick if Model.step is not quick[0] else (slowly(quick[0]), slowly(quick[1]))
        Model.step, Model.step_many = steps  # type: ignore[method-assign]

    def slowly(step: Any) -> Any:
        def slow(self: Model, ids: Any, states: Any) -> Any:
            until = time.perf_counter() + SLOW
            while time.perf_counter() < until:
                pass
            return step(self, ids, states)

        return slow

    signal.signal(signal.SIGUSR1, fault)
    signal.signal(signal.SIGUSR2, slow_down)
    return segued.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
