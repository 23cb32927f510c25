"""Signals that ask a training to stop."""

import signal


class StopSignals:
    """While this context lasts, the first SIGINT or SIGTERM only sets `number`.

    So a training step is never torn apart. A second signal does what it always did.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopSignals":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *exception: object) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _stop(self, number: int, frame: object) -> None:
        self.number = number
        self.__exit__()
