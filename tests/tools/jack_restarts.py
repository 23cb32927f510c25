"""A JACK server that goes away and comes back, again and again: does Segue come back with it?

`python -m tests.tools.faults jack --runs 100 --variant quick` measures, with every core busy, how
long Segue takes from the moment at which a client of another process can open on the new server,
and whether a phrase that is played to it then is answered. One daemon lives through all runs; one
that never came back is replaced. What the server itself fails at (it does not start, no client
at all can open) is counted apart. Exit status 1 when Segue was not back in time each time.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from segued.service.connections import State
from segued.service.status import about

from tests.support.fakes import Synth
from tests.support.jack import Peer, Server, jack_server
from tests.support.pipewire import pipewire_server
from tests.tools.faults_outside import OnJack, hear, is_reply, play_phrase
from tests.tools.stage import burners

PROMISED = 2.0  # seconds
GIVEN_UP = 30.0  # seconds
HUNG = 5.0  # seconds
AGAIN = 5.0  # seconds after which a phrase is played once more: a server that is late loses notes
LOOK = 0.01  # seconds
NAME = f"Segue {os.getpid()}"


class Back(NamedTuple):
    """What came of one run; `ports` and `answer` in seconds from when a client could open."""

    ports: float = float("inf")
    answer: float = float("inf")
    server: float = 0.0
    """Seconds until a client could open on the server, since its start."""
    failure: str = ""
    """What the server failed at."""

    @property
    def kept(self) -> bool:
        """Whether Segue did as promised."""
        return self.ports <= PROMISED and self.answer < GIVEN_UP


def _restart(server: Server, rng: random.Random) -> None:
    """Killed, and started again after up to four seconds."""
    server.kill()
    time.sleep(rng.uniform(0.2, 4.0))
    server.launch()


def _quick(server: Server, rng: random.Random) -> None:
    """Killed, and started again within 100 ms."""
    server.kill()
    time.sleep(rng.uniform(0.0, 0.08))
    server.launch()


def _stop(server: Server, rng: random.Random) -> None:
    """Ended in good order (SIGTERM), and started again after up to two seconds."""
    server.stop()
    time.sleep(rng.uniform(0.0, 2.0))
    server.launch()


def _flap(server: Server, rng: random.Random) -> None:
    """Killed; another comes up, is ended (SIGTERM) within half a second, and a third stays."""
    server.kill()
    time.sleep(rng.uniform(0.2, 2.0))
    server.launch()
    time.sleep(rng.uniform(0.02, 0.5))
    server.stop()
    server.launch()


def _other(server: Server, rng: random.Random) -> None:
    """Killed, and started again with another period and rate."""
    server.kill()
    time.sleep(rng.uniform(0.0, 2.0))
    choices = [(64, 48000), (128, 44100), (256, 96000), (512, 44100), (1024, 48000)]
    here = server.period, server.rate
    server.period, server.rate = rng.choice([choice for choice in choices if choice != here])
    server.launch()


def _hang(server: Server, rng: random.Random) -> None:
    """Hung (SIGSTOP) for five seconds."""
    server.hang()
    time.sleep(HUNG)
    server.go_on()


def _born_hung(server: Server, rng: random.Random) -> None:
    """Killed; the next one hangs (SIGSTOP) for five seconds in the midst of its start."""
    server.kill()
    time.sleep(rng.uniform(0.0, 1.0))
    server.launch()
    time.sleep(rng.uniform(0.0, 0.3))
    server.hang()
    time.sleep(HUNG)
    server.go_on()


VARIANTS: dict[str, Callable[[Server, random.Random], None]] = {
    "restart": _restart,
    "quick": _quick,
    "stop": _stop,
    "flap": _flap,
    "other": _other,
    "hang": _hang,
    "born-hung": _born_hung,
}


class Rehearsal:
    """A server, and a daemon on it that is in the midst of a reply whenever the server goes."""

    def __init__(self, server: Server, runtime: Path) -> None:
        self._server, self._runtime = server, runtime
        self._daemon: OnJack | None = None
        self._peer: Peer | None = None
        self._synth = Synth(deaf=True)

    def run(self, fault: Callable[[], None]) -> Back:
        """One death of the server. The daemon of the last run is taken again if it came back."""
        if self._daemon is None:
            self._daemon = OnJack(self._runtime)
            self._daemon.__enter__()
            self._connect()
        lived = self._server.process
        fault()
        if self._server.process is not lived and self._peer is not None:
            self._peer.process.kill()  # else it leaves in good order
        self._disconnect()
        began = time.monotonic()
        try:
            self._server.await_clients()
        except RuntimeError as error:
            self.close()
            self._server.sweep()
            self._server.start()
            return Back(failure=str(error))
        server = time.monotonic() - began
        back = self._back()._replace(server=server)
        if max(back.ports, back.answer) >= GIVEN_UP:
            self._explain()
            self.close()
            self._server.stop()
            self._server.start()
        return back

    def close(self) -> None:
        """End the daemon, if there is one."""
        self._disconnect()
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            daemon.__exit__()

    def _explain(self) -> None:
        """What it said, and where it is."""
        assert self._daemon is not None
        self._daemon.process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._daemon.process.wait(2.0)
        print(self._daemon.log())
        with contextlib.suppress(subprocess.CalledProcessError):  # the server answers nobody
            print(f"  there are: {self._server.ports()}", flush=True)

    def use(self) -> str:
        """What the daemon has open by now."""
        assert self._daemon is not None
        process = Path(f"/proc/{self._daemon.process.pid}")
        open_files, threads = (len(list((process / name).iterdir())) for name in ("fd", "task"))
        return f"{open_files} files and {threads} threads"

    def _connect(self) -> float:
        """Let a performer connect and play a phrase; seconds until a note of the answer."""
        began = time.monotonic()
        while time.monotonic() - began < GIVEN_UP:
            self._disconnect()
            self._peer = peer = Peer(NAME)
            peer.__enter__()
            play_phrase(peer)
            if hear(peer, self._synth, is_reply, AGAIN) < AGAIN:
                return time.monotonic() - began
        return float("inf")

    def _disconnect(self) -> None:
        peer, self._peer = self._peer, None
        if peer is not None:
            peer.__exit__()

    def _back(self) -> Back:
        began = time.monotonic()
        while not self._ports():
            if time.monotonic() - began > GIVEN_UP:
                return Back()
            time.sleep(LOOK)
        ports = time.monotonic() - began
        try:
            answer = self._connect()
        except (AssertionError, ValueError) as error:  # no ports of Segue's to connect to
            print(f"  nobody could connect: {error!r}")
            return Back(ports)
        return Back(ports, ports + answer)

    def _ports(self) -> bool:
        """Whether it says that it plays, and others see its ports."""
        assert self._daemon is not None
        status = about(next(self._runtime.glob("*.board")))
        if status["state"] != State.CONNECTED.value:
            return False
        try:
            seen = self._server.ports()
        except subprocess.CalledProcessError:
            return False
        return all(any(port.endswith(f":{NAME} {end}") for port in seen) for end in ("In", "Out"))


SERVERS: dict[str, Callable[[], contextlib.AbstractContextManager[Server]]] = {
    "jackd": lambda: jack_server(synchronous=False),
    "jackd-sync": jack_server,
    "pipewire": pipewire_server,
}


def row(name: str, runs: int, variant: str, seed: int) -> tuple[bool, str]:
    """So many runs; whether the promise was kept, and the figures."""
    rng = random.Random(seed)
    found: list[Back] = []
    with (
        tempfile.TemporaryDirectory() as folder, SERVERS[name]() as server,
        contextlib.closing(Rehearsal(server, Path(folder))) as rehearsal,
        burners(os.cpu_count() or 1),
    ):  # fmt: skip
        for number in range(1, runs + 1):
            back = rehearsal.run(partial(VARIANTS[variant], server, rng))
            found.append(back)
            print(f"{variant} {number}: {_told(back)}", flush=True)
            if number == 1 and back.kept:
                print(f"  it has {rehearsal.use()}")
        if found[-1].kept:
            print(f"  it has {rehearsal.use()}")
    asked = [back for back in found if not back.failure]
    kept = [back for back in asked if back.kept]
    ports = sorted(back.ports for back in asked)
    return bool(asked) and len(kept) == len(asked), (
        f"back {len(kept)} of {len(asked)} times; ports after (median, most) "
        f"{ports[len(ports) // 2]:.2f}, {ports[-1]:.2f} s; the server failed: "
        f"{len(found) - len(asked)}"
    )


def _told(back: Back) -> str:
    if back.failure:
        return back.failure
    broken = "" if back.kept else "  MISSED"
    return (
        f"server after {back.server:.2f} s, ports after {back.ports:.2f} s, "
        f"an answer after {back.answer:.2f} s{broken}"
    )


def main(arguments: Sequence[str]) -> int:
    """Run one variant or all of them; 1 when Segue was not back in time each time."""
    parser = argparse.ArgumentParser(prog="faults jack", description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="default: all")
    parser.add_argument("--server", choices=SERVERS, default="jackd")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    broken = []
    for variant in options.variant or VARIANTS:
        kept, measured = row(options.server, options.runs, variant, options.seed)
        about_it = (VARIANTS[variant].__doc__ or "").rstrip(".")
        print(f"| {variant} | {about_it} | {measured} |", flush=True)
        if not kept:
            broken.append(variant)
    return int(bool(broken))
