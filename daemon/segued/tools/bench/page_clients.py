"""Opens pages that read everything and turn a knob ten times a second.

    python -m segued.tools.bench.page_clients ADDRESS COUNT

It prints "open" when all of them are.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import ClientConnection, connect

PATIENCE = 10.0  # seconds for the page's server to start
TURN_EVERY = 0.1  # seconds


async def open_pages(address: str, count: int) -> None:
    """Open the pages and run until the process is killed."""
    opened = asyncio.Semaphore(0)

    async def report() -> None:
        for _ in range(count):
            await opened.acquire()
        print("open", flush=True)

    await asyncio.gather(report(), *(_page(address, opened, number) for number in range(count)))


async def _page(address: str, opened: asyncio.Semaphore, number: int) -> None:
    where = address.replace("http", "ws", 1) + "live"
    async with connect(where, open_timeout=PATIENCE) as line:
        await line.recv()
        opened.release()
        turning = asyncio.create_task(_turn(line, number))
        async for _ in line:
            pass
        turning.cancel()


async def _turn(line: ClientConnection, number: int) -> None:
    turn = 0
    while True:
        turn += 1
        await line.send(json.dumps(["set", "density", 0.5 + (turn + number) % 20 / 20]))
        await asyncio.sleep(TURN_EVERY)


if __name__ == "__main__":
    asyncio.run(open_pages(sys.argv[1], int(sys.argv[2])))
