"""A daemon on a stage where things go wrong: played to through tcp, heard by a strict synth."""

import contextlib
import multiprocessing
import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from segued.service.status import about
from segued.service.status_text import Status
from segued.tools.live_session import Arrived, LiveSession

from tests.support.fakes import Synth

TCP = ("ports.backend=tcp", "ports.tcp_port=0")
ENDLESS = ("turns.silence=0.2", "turns.reply_length=endless", "ports.reply_channel=16")
REPLY = 15  # channel
PHRASE = [
    (at, bytes((kind, pitch, 80)))
    for i, pitch in enumerate((60, 64, 67, 72))
    for kind, at in ((0x90, 0.1 * i), (0x80, 0.1 * i + 0.08))
]


class Stage(LiveSession):
    """A rehearsal that keeps an account of all that ever arrived."""

    def __init__(self, *settings: str, **arguments: Any) -> None:
        super().__init__((*TCP, *ENDLESS, *settings), **arguments)
        self.synth = Synth(deaf=True)

    def go(
        self,
        performance: Sequence[Arrived] = (),
        until: Callable[[float, list[Arrived]], bool] = lambda now, arrived: False,
        seconds: float = 15.0,
    ) -> tuple[list[Arrived], list[Arrived]]:
        """As `play`; what arrives reaches the synth."""
        sent, arrived = self.play(performance, until, seconds)
        for _, message in arrived:
            self.synth.take(message)
        return sent, arrived

    def answered(self, notes: int = 4, seconds: float = 15.0) -> float:
        """Play a phrase; seconds until so many notes of a reply have come. Infinite: never."""
        _, arrived = self.go(PHRASE, lambda _, arrived: replies(arrived) >= notes, seconds)
        return arrived[-1][0] if replies(arrived) >= notes else float("inf")

    def hanging(self) -> int:
        """Notes that sound once it was told to end and did."""
        if self.process.poll() is None:
            self.stop()
        self.go(seconds=0.3)
        return len(self.synth.sounding)

    def memory(self) -> float:
        """Its resident megabytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def status(self) -> Status:
        """What its state file says."""
        return about(next(self.runtime.glob("*.board")))


def replies(arrived: Sequence[Arrived]) -> int:
    """Notes that the model began."""
    return sum(message[0] == 0x90 | REPLY and message[2] > 0 for _, message in arrived)


def delays(sent: Sequence[Arrived], arrived: Sequence[Arrived]) -> tuple[list[float], int]:
    """Seconds from each message that was sent to its passing thru, sorted; how many never came."""
    waiting: dict[bytes, deque[float]] = defaultdict(deque)
    for at, message in sent:
        waiting[message].append(at)
    found = [
        at - waiting[message].popleft()
        for at, message in arrived
        if waiting.get(message)  # a reply has a channel of its own
    ]
    return sorted(found), len(sent) - len(found)


def spread(values: Sequence[float]) -> str:
    """Median, 99th percentile and most, in milliseconds."""
    if not values:
        return "none"
    picked = (values[len(values) // 2], values[int(0.99 * len(values))], values[-1])
    return " / ".join(f"{1000 * value:.1f}" for value in picked) + " ms"


@contextlib.contextmanager
def burners(count: int) -> Iterator[None]:
    """So many processes that compute and do nothing else."""
    processes = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _burn() -> None:
    while True:
        sum(range(100_000))
