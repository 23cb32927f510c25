"""The process that serves the page, the metrics and OSC.

    python -m segued.page STATE_FILE [--page FD HOST] [--metrics FD] [--osc HOST PORT]
        [--tell HOST:PORT ...]

FD is a listening port, which the daemon has opened. The process follows the state file and
sends commands. The music never waits for it, and continues if it dies, hangs or is flooded. It ends
when its standard input closes, which happens however the daemon ends.
"""

import argparse
import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from ..system import realtime
from .feed import Feed
from .osc_port import OscPort


async def serve(options: argparse.Namespace) -> None:
    """Serve until standard input closes, or until one service fails (then all are restarted)."""
    feed = Feed(options.state_file)
    parts: list[Coroutine[Any, Any, None]] = [_end_of(sys.stdin.fileno()), feed.run()]
    if options.osc:
        host, port = options.osc
        parts.append(OscPort(feed, host, int(port), options.tell).run())
    if options.page or options.metrics:
        from . import server  # 20 MB that OSC alone does without

        file, host = options.page or (None, "")
        ports = server.Ports(_listener(file), _listener(options.metrics))
        parts.append(server.serve(options.state_file, feed, ports, host))
    tasks = [asyncio.create_task(part) for part in parts]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in reversed(tasks):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    feed.close()


def _listener(file: str | None) -> socket.socket | None:
    return None if file is None else socket.socket(fileno=int(file))


async def _end_of(file: int) -> None:
    """Wait until a file descriptor is at its end."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def look() -> None:
        if not os.read(file, 64):
            loop.remove_reader(file)
            ended.set()

    loop.add_reader(file, look)
    await ended.wait()


def main() -> int:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m segued.page")
    parser.add_argument("state_file", type=Path)
    parser.add_argument("--page", nargs=2)
    parser.add_argument("--metrics")
    parser.add_argument("--osc", nargs=2)
    parser.add_argument("--tell", nargs="*", default=())
    realtime.ordinary()
    asyncio.run(serve(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
