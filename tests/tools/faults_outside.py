"""Faults of what Segue is connected to and of where it writes, for `faults.py`."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from segued.ports.port_names import VIRTUAL

from tests.support.fakes import Synth
from tests.support.jack import Peer, jack_server
from tests.tools.faults_inside import FLOOD_SECONDS, MOST_GROWTH, Row, concert, flood
from tests.tools.stage import ENDLESS, PHRASE, Stage, delays, replies, spread

ROOM = "192k"  # of the disk that becomes full
PATIENCE = 15.0  # seconds


class OnJack:
    """A daemon between a peer's `KEYS Out` and `SYNTH In`, and its log.

    Without them it has ports of its own, which others connect to.
    """

    def __init__(self, runtime: Path, keys: str = "", synth: str = "") -> None:
        source = f"{keys} Out" if keys else VIRTUAL
        target = f"{synth} In" if synth else VIRTUAL
        ports = ("backend=jack", f"name=Segue {os.getpid()}", f"input={source}", f"output={target}")
        settings = [*ENDLESS, "page.port=null", *(f"ports.{port}" for port in ports)]
        command = [sys.executable, "-m", "segued", "run", "--config", os.devnull]
        command += [word for setting in settings for word in ("--set", setting)]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, bufsize=0,
            env={**os.environ, "RUNTIME_DIRECTORY": str(runtime)},
        )  # fmt: skip
        self._lines = b""

    def __enter__(self) -> "OnJack":
        self.said("ready on")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def said(self, text: str, seconds: float = PATIENCE) -> float:
        """Seconds until the log has a line with it; TimeoutError when it never has."""
        began = time.monotonic()
        assert self.process.stderr is not None
        while text.encode() not in self._lines:
            left = began + seconds - time.monotonic()
            if not select.select([self.process.stderr], (), (), max(0.0, left))[0]:
                raise TimeoutError(f"it never said '{text}' but: {self._lines.decode()}")
            more = os.read(self.process.stderr.fileno(), 65536)
            if not more:
                raise TimeoutError(f"it ended and never said '{text}' but: {self._lines.decode()}")
            self._lines += more
        self._lines = self._lines.partition(text.encode())[2]
        return time.monotonic() - began

    def log(self) -> str:
        """What it has said since the last look."""
        assert self.process.stderr is not None
        while select.select([self.process.stderr], (), (), 0)[0]:
            more = os.read(self.process.stderr.fileno(), 65536)
            self._lines += more
            if not more:
                break
        said, self._lines = self._lines, b""
        return said.decode()


def hear(peer: Peer, synth: Synth, until: Callable[[bytes], bool], seconds: float) -> float:
    """Seconds until the peer hears such a message; infinite: never."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        for message in peer.received(1, 0.05):
            synth.take(message)
            if until(message):
                return time.monotonic() - began
    return float("inf")


def is_reply(message: bytes) -> bool:
    return message[0] == 0x9F and message[2] > 0


def play_phrase(peer: Peer) -> None:
    for _, message in PHRASE:
        peer.send(message)
        time.sleep(0.05)


def server() -> tuple[bool, str]:
    """The JACK server killed in a reply, and started again two seconds later."""
    synth = Synth(deaf=True)
    with (
        tempfile.TemporaryDirectory() as folder, jack_server() as jack,
        Peer("", "Player") as peer, OnJack(Path(folder), "Player", "Player") as daemon,
    ):  # fmt: skip
        time.sleep(0.3)
        play_phrase(peer)
        hear(peer, synth, is_reply, PATIENCE)
        hear(peer, synth, lambda _: False, 1.0)
        left = len(synth.sounding)
        jack.kill()
        noticed = daemon.said("went away")
        time.sleep(2.0)
        jack.sweep()
        jack.start()
        # the peer's own clients died with the server: a new one, whose synth still sounds
        with Peer("", "Player") as again:
            back = daemon.said("back on JACK")
            hear(again, synth, lambda _: False, 1.0)
            play_phrase(again)
            plays = hear(again, synth, is_reply, PATIENCE)
            daemon.process.send_signal(signal.SIGTERM)
            hear(again, synth, lambda _: False, 1.0)
            status = daemon.process.wait(PATIENCE)
    hanging = len(synth.sounding)
    return hanging == 0 and plays < PATIENCE and status == 0 and noticed < 2, (
        f"noticed after {noticed:.2f} s, back {back:.2f} s after the server and its synth; of "
        f"{left} notes that sounded hang: {hanging}; answers again"
    )


def port() -> tuple[bool, str]:
    """The keyboard unplugged while keys are held, and plugged in again."""
    synth = Synth(deaf=True)
    with (
        tempfile.TemporaryDirectory() as folder, jack_server(), Peer("", "Synth") as ears,
        contextlib.ExitStack() as stack,
    ):  # fmt: skip
        with Peer("", "Keys") as keys:
            daemon = stack.enter_context(OnJack(Path(folder), "Keys", "Synth"))
            time.sleep(0.3)
            keys.send(b"\x91\x3c\x50", b"\x91\x40\x50")
            hear(ears, synth, lambda _: len(synth.sounding) == 2, 5.0)
            held = len(synth.sounding)
        silent = hear(ears, synth, lambda _: not synth.sounding, 5.0)
        daemon.said("went away")
        time.sleep(2.0)
        with Peer("", "Keys") as keys:
            back = daemon.said("back on JACK")
            time.sleep(0.3)
            play_phrase(keys)
            plays = hear(ears, synth, is_reply, PATIENCE)
            daemon.process.send_signal(signal.SIGTERM)
            hear(ears, synth, lambda _: False, 1.0)
            status = daemon.process.wait(PATIENCE)
    hanging = len(synth.sounding)
    kept = held == 2 and silent < 5 and back < 1.0 and plays < PATIENCE and status == 0
    return kept and hanging == 0, (
        f"{held} keys held, silent {silent:.2f} s after; connected {back:.2f} s after it was back; "
        f"notes hanging: {hanging}; answers again"
    )


@contextlib.contextmanager
def _small_disk() -> Iterator[Path]:
    """A folder with a file system of its own, soon full. Needs root."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "segue", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def disk() -> tuple[bool, str]:
    """A performance is recorded onto a disk that becomes full."""
    with _small_disk() as folder, Stage(f"record.folder={folder}") as stage:
        stage.answered()
        stage.go(concert(5.0), seconds=6.0)
        before = stage.memory()
        with contextlib.suppress(OSError), (folder / "other").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        sent, arrived = stage.go(concert(10.0), seconds=11.0)
        told = next((line for line in stage.log if "recording" in line), "no line")
        after = stage.answered()
        late, lost = delays(sent, arrived)
        grown = stage.memory() - before
        hanging = stage.hanging()
        status = stage.process.returncode
    kept = lost == 0 and hanging == 0 and after < PATIENCE and "ended" in told and status == 0
    return kept and grown < MOST_GROWTH + 1, (
        f"one line (`{told.split(': ')[-1]}`); thru {spread(late)}, lost: {lost}; notes hanging: "
        f"{hanging}; memory {grown:+.2f} MB; answers after {after:.1f} s"
    )


def client() -> tuple[bool, str]:
    """A tcp client that never reads what it is sent, until the system's buffers are full."""
    with Stage() as stage:
        stage.answered(1)
        stage.go(flood(10), seconds=11.0)
        host, _, number = stage.status()["ports"]["input"].rpartition(":")
        before = stage.memory()
        with socket.socket() as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.connect((host, int(number)))
            sent, arrived = stage.go(flood(FLOOD_SECONDS), lambda now, _: now > 61.0, 90.0)
            peers = stage.status()["ports"]["peers_in"]
        after = stage.answered()
        late, lost = delays(sent, arrived)
        grown = stage.memory() - before
        hanging = stage.hanging()
    kept = lost == 0 and hanging == 0 and grown < MOST_GROWTH and after < PATIENCE
    return kept and peers == 1, (
        f"{len(sent)} messages to the other: thru {spread(late)}, lost: {lost}; connected at the "
        f"end: {peers} of 2; notes hanging: {hanging}; memory {grown:+.2f} MB"
    )


def asker() -> tuple[bool, str]:
    """Forty who connect to the metrics port and say nothing, or half a word."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    with Stage(f"service.metrics_port={address[1]}") as stage, contextlib.ExitStack() as stack:
        stage.answered()
        stage.go(concert(2.0), seconds=3.0)
        before = stage.memory()
        for i in range(40):  # sixteen are let in, and as many wait
            line = stack.enter_context(socket.create_connection(address, PATIENCE))
            line.send(b"GET /sta" if i % 2 else b"")
        sent, arrived = stage.go(concert(6.0), seconds=7.0)
        began = time.monotonic()
        stage.status()
        asked = time.monotonic() - began
        late, lost = delays(sent, arrived)
        grown = stage.memory() - before
        hanging = stage.hanging()
    kept = lost == 0 and hanging == 0 and grown < MOST_GROWTH and replies(arrived) > 0
    return kept, (f"thru {spread(late)}, lost: {lost}; status answers after {asked:.2f} s; notes "
                  f"hanging: {hanging}; memory {grown:+.2f} MB")  # fmt: skip


FAULTS: dict[str, Row] = {
    "server": ("the JACK server dies", "`kill -9` in a reply, started again after 2 s",
               "noticed, waited for, back by itself, silence first", server),
    "port": ("a cable pulled", "the keyboard's client gone while two keys are held, back after 2 s",
             "note-offs; connected within a second", port),
    "disk": ("a full disk", "`record.folder` on a tmpfs of 192 kB that another program fills",
             "the recording ends with one line, the music goes on", disk),
    "client": ("a stuck tcp client", "one of two never reads, in a flood of a minute",
               "it is let go; nobody waits for it", client),
    "asker": ("a stuck asker", "40 at the metrics port, silent or with half a request",
              "the music does not notice; status answers", asker),
}  # fmt: skip
