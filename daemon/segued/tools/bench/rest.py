"""Measures what the daemon costs while nobody plays: wake-ups and CPU time of all its threads.

On JACK two of these threads are libjack's, which wake once per period in any JACK client. So the
floor is a process that keeps the same ports open and sleeps.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ...service.engine import REST_AFTER
from ..live_session import LiveSession
from .report import Figure

SAMPLES = 5
SAMPLE = 1.0  # seconds
SETTLED = 1.0  # seconds after the ports were opened
RESTING = REST_AFTER + 1.0  # seconds without a note after which the daemon rests

Say = Callable[[str], None]


def measure(settings: Sequence[str], say: Say) -> list[Figure]:
    """Both figures; none on a system without /proc."""
    if not Path("/proc/self/task").exists():
        return []
    say("at rest ...")
    with LiveSession(
        settings, "Segue Bench", module=("segued.tools.bench.relay", "sleep")
    ) as stage:
        floor = at_rest(stage, SETTLED)
    with LiveSession(settings, "Segue Bench") as stage:
        daemon = at_rest(stage, RESTING)
    note = "floor: a process that keeps the same ports open and sleeps"
    return [
        Figure("wake-ups at rest", "1/s", daemon[0], floor[0], 100.0, over_floor=True, note=note),
        Figure("processor at rest", "%", daemon[1], floor[1], 1.0, over_floor=True,
               note="of a core"),
    ]  # fmt: skip


def at_rest(stage: LiveSession, after: float) -> tuple[list[float], list[float]]:
    """Wake-ups per second and percent of a core, `after` this many seconds without a note."""
    time.sleep(after)
    process = stage.process.pid
    wakings, shares = [], []
    for _ in range(SAMPLES):
        began, before = time.perf_counter(), _spent(process)
        time.sleep(SAMPLE)
        took, now = time.perf_counter() - began, _spent(process)
        wakings.append((now[0] - before[0]) / took)
        shares.append(100 * (now[1] - before[1]) / took)
    return wakings, shares


def _spent(process: int) -> tuple[int, float]:
    """How often all threads of a process have slept, and their CPU time in seconds."""
    sleeps, nanoseconds = 0, 0
    for task in Path(f"/proc/{process}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        sleeps += next(int(x.split()[1]) for x in lines if x.startswith("voluntary_ctxt_switches"))
        nanoseconds += int((task / "schedstat").read_text().split()[0])
    return sleeps, nanoseconds / 1e9
