"""What open pages cost the music: thru with four of them open, and the memory that they take."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence

from ...service import runtime_dirs
from ...service.state_file import Reader
from ..live_session import LiveSession
from .live import Say, resident, thru_delays
from .report import Figure

PAGES = 4
NAME = "Segue Bench"


def measure(settings: Sequence[str], say: Say) -> list[Figure]:
    """Thru with pages open, and how much the music's process grows by them."""
    say("four pages open ...")
    settings = [*settings, "turns.silence=5"]
    with LiveSession(settings, NAME) as stage:
        alone = thru_delays(stage)
        lean = _own(stage)
    with LiveSession([*settings, "page.port=0"], NAME) as stage, pages(stage):
        through = thru_delays(stage)
        grown = _own(stage)
        server = resident(stage.process.pid) - grown
    return [
        Figure("thru, four pages open", "ms", through, alone, 1.0, "p99", over_floor=True,
               note="each turns a knob ten times a second; floor: without a page"),
        Figure("memory of the music, four pages open", "MB", [grown], [lean], 3.0, "max",
               over_floor=True, note="floor: without a page"),
        Figure("memory of the process that serves them", "MB", [server], [0.0], 60.0, "max",
               note="Starlette, uvicorn and what is read of the state file"),
    ]  # fmt: skip


@contextlib.contextmanager
def pages(stage: LiveSession) -> Iterator[None]:
    """So many pages are open, in a process of their own."""
    reader = Reader(stage.runtime / (runtime_dirs.stem(NAME) + runtime_dirs.STATE_SUFFIX))
    address = str(reader.read().facts["page"])
    reader.close()
    command = [sys.executable, "-m", "segued.tools.bench.page_clients", address, str(PAGES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as clients:
        try:
            assert clients.stdout is not None
            if clients.stdout.readline() != "open\n":
                raise RuntimeError(f"no page could be opened at {address}")
            yield
        finally:
            clients.kill()


def _own(stage: LiveSession) -> float:
    """Megabytes of the music's process alone."""
    return resident(stage.process.pid, children=False)
