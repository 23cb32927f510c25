"""Waiting for what a process, a thread or a server does in its own time."""

import time
from collections.abc import Callable


def wait_for(true: Callable[[], object], seconds: float = 15.0) -> None:
    """Until something is so; an AssertionError where it never comes to that."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)
