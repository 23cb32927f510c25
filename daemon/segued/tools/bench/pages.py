"""Measures what open pages and OSC cost: the latency of thru with both, and memory."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence

from ...service import runtime_dirs
from ...service.state_reader import Reader
from ..live_session import LiveSession
from .live import Say, resident, thru_delays
from .report import Figure

PAGES = 4
NAME = "Segue Bench"


def measure(settings: Sequence[str], say: Say) -> list[Figure]:
    """The latency of thru with pages and OSC, and the memory of both processes."""
    say("four pages open, OSC at 1,000 messages a second ...")
    settings = [*settings, "turns.silence=5"]
    with LiveSession(settings, NAME) as stage:
        alone = thru_delays(stage)
        with osc(_free_port()):  # the load of sending alone
            elsewhere = thru_delays(stage)
        lean = _own(stage)
    port = _free_port()
    served = ["page.port=0", f"osc.port={port}", "osc.send=127.0.0.1:9"]
    with LiveSession([*settings, *served], NAME) as stage:
        with pages(stage):
            through = thru_delays(stage)
        with pages(stage), osc(port):
            flooded = thru_delays(stage)
            grown = _own(stage)
            server = resident(stage.process.pid) - grown
    return [
        Figure("thru, four pages open", "ms", through, alone, 1.0, "p99", over_floor=True,
               note="each turns a knob ten times a second; floor: without a page"),
        Figure("thru, four pages and OSC", "ms", flooded, elsewhere, 1.0, "p99", over_floor=True,
               note="and 1,000 OSC messages a second; floor: no page, the messages go elsewhere"),
        Figure("memory of the music, with both", "MB", [grown], [lean], 3.0, "max",
               over_floor=True, note="floor: without a page"),
        Figure("memory of the process that serves them", "MB", [server], [0.0], 60.0, "max",
               note="Starlette, uvicorn and the state file"),
    ]  # fmt: skip


@contextlib.contextmanager
def osc(port: int) -> Iterator[None]:
    """1,000 messages a second come in by OSC, from a process of their own."""
    command = [sys.executable, "-m", "segued.tools.bench.osc_client", str(port)]
    with subprocess.Popen(command) as client:
        try:
            yield
        finally:
            client.kill()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def pages(stage: LiveSession) -> Iterator[None]:
    """Keep `PAGES` pages open, in a separate process."""
    reader = Reader(stage.runtime / (runtime_dirs.stem(NAME) + runtime_dirs.STATE_SUFFIX))
    address = str(reader.read().facts["page"])
    reader.close()
    command = [sys.executable, "-m", "segued.tools.bench.page_clients", address, str(PAGES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as clients:
        try:
            assert clients.stdout is not None
            if clients.stdout.readline() != "open\n":
                raise RuntimeError(f"cannot open a page at {address}")
            yield
        finally:
            clients.kill()


def _own(stage: LiveSession) -> float:
    """The memory of the daemon alone, in MB."""
    return resident(stage.process.pid, children=False)
