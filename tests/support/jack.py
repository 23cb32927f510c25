"""Real MIDI without a sound card: a private JACK server, and a peer in a process of its own.

with jack_server(period=128) as server:  # JACK_DEFAULT_SERVER is set meanwhile
    transport = open_transport("jack")
    with Peer("Segue") as peer:
        peer.send(b"\\x90\\x3c\\x64")
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 10.0  # seconds
REGISTRY = Path("/dev/shm/jack-shm-registry")
NULL = subprocess.DEVNULL


class Server:
    """jackd with the dummy driver. Asynchronous, its default, it loses MIDI when it is late;
    synchronous it stands still for 5 or 10 s when a client misses its turn."""

    def __init__(self, period: int, synchronous: bool = True) -> None:
        self.name, self.period, self.rate = f"segue-test-{os.getpid()}", period, 48000
        self.synchronous = synchronous
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.launch()
        self.await_clients()

    def launch(self) -> None:
        """Start it without waiting until a client can open."""
        command = ["jackd", "-n", self.name, "-r", "-m", *["-S"] * self.synchronous, "-d", "dummy"]
        command += ["-r", str(self.rate), "-p", str(self.period)]
        self.process = subprocess.Popen(command, stdin=NULL, stdout=NULL, stderr=NULL)

    def await_clients(self, seconds: float = PATIENCE) -> None:
        """Wait until a client of another process can open; RuntimeError where none can."""
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while not self.opens():
            ended = self.process.poll()
            if ended is not None or time.monotonic() > deadline:
                self.kill()
                what = "no client can open" if ended is None else f"it ended with status {ended}"
                raise RuntimeError(f"jackd did not start: {what}")
            time.sleep(0.02)

    def opens(self) -> bool:
        """Whether a client can open. One that were given up sooner would hold the server up."""
        try:
            asked = subprocess.run(["jack_lsp"], timeout=PATIENCE, stdout=NULL, stderr=NULL)
        except subprocess.TimeoutExpired:
            return False
        return asked.returncode == 0

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def hang(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def ports(self) -> list[str]:
        return subprocess.run(
            ["jack_lsp"], capture_output=True, text=True, check=True
        ).stdout.splitlines()

    def sweep(self) -> None:
        """Free the place in JACK's list of servers, which holds eight, of one that was killed.

        A server of the same name takes it over and gives it back when it ends in good order.
        """
        if REGISTRY.exists() and f":{self.name}:".encode() in REGISTRY.read_bytes():
            self.start()
            self.stop()
        for left in REGISTRY.parent.glob(f"jack*{self.name}_*"):
            left.unlink(missing_ok=True)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        self.go_on()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


@contextlib.contextmanager
def jack_server(period: int = 128, synchronous: bool = True) -> Iterator[Server]:
    """A server for this process and its children; always gone afterwards.

    Skips the test where there is no jackd, but fails it where the environment says CI. Close all
    clients of this process before the block ends. Clients of one name on two servers at a time get
    in each other's way (their sockets have the same path): one process runs all tests that need
    JACK (tests/conftest.py); where two runs may meet, make names of process numbers.
    """
    if shutil.which("jackd") is None:
        import pytest  # a peer is this file, and starts without it

        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs jackd: apt install jackd2")
    from segued.ports.rtmidi_clients import dismiss_witness  # not in a peer's process

    dismiss_witness()  # it looks for another server
    server = Server(period, synchronous)
    settings = {"JACK_DEFAULT_SERVER": server.name, "JACK_NO_AUDIO_RESERVATION": "1"}
    before = {key: os.environ.get(key) for key in settings}
    os.environ.update(settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        server.sweep()
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})


class Peer:
    """A keyboard and a synth in one process beside ours, connected to `NAME In` and `NAME Out`.

    With `name` "" it is connected to nothing and has virtual ports, `OWN In` and `OWN Out`.
    """

    def __init__(self, name: str = "Segue", own: str = "Peer") -> None:
        self._command = [sys.executable, __file__, name, own]

    def __enter__(self) -> "Peer":
        self.process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self._input, self._output = self.process.stdin, self.process.stdout
        assert self._line(PATIENCE) == b"ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._input.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._output.close()

    def send(self, *messages: bytes) -> None:
        """At once, as fast as the peer can."""
        self._input.write(b"".join(m.hex().encode() + b"\n" for m in messages))

    def received(self, count: int, seconds: float = PATIENCE) -> list[bytes]:
        """The next messages that the peer hears: `count` of them, fewer after `seconds`."""
        deadline = time.monotonic() + seconds
        messages: list[bytes] = []
        while len(messages) < count:
            line = self._line(deadline - time.monotonic())
            if line is None:
                break
            messages.append(bytes.fromhex(line.decode()))
        return messages

    def received_until(self, last: bytes, seconds: float = PATIENCE) -> list[bytes]:
        """The next messages up to `last`; an AssertionError where that does not come."""
        deadline = time.monotonic() + seconds
        messages: list[bytes] = []
        while last not in messages:
            more = self.received(1, deadline - time.monotonic())
            assert more, (last, messages)
            messages += more
        return messages

    def _line(self, seconds: float) -> bytes | None:
        if not select.select([self._output], [], [], max(0.0, seconds))[0]:
            return None
        return self._output.readline() or None


def _be_a_peer(name: str, own_name: str) -> None:
    ctypes.CDLL("libjack.so.0", mode=ctypes.RTLD_GLOBAL)
    try:
        import rtmidi

        jack = rtmidi.API_UNIX_JACK
    except ImportError:
        import supriya_midi as rtmidi

        jack = rtmidi.RtMidiAPI.UNIX_JACK
    client = f"{own_name} {os.getpid()}"
    while True:  # as Segue does, for the reason that `segued.ports.jack_calls` gives
        source = rtmidi.MidiIn(jack, client, 1 << 16)
        maps = Path("/proc/self/maps").read_text().splitlines()
        if not any("/jack_sem." in line and line.endswith("(deleted)") for line in maps):
            break
        source.delete()
    target = rtmidi.MidiOut(jack, client)
    source.ignore_types(sysex=False, timing=False, active_sense=False)
    for client, own, theirs in (
        (source, f"{own_name} In", "Out"),
        (target, f"{own_name} Out", "In"),
    ):
        if not name:
            client.open_virtual_port(own)
            continue
        wanted = f"{name} {theirs}"
        client.open_port([p.endswith(wanted) for p in client.get_ports()].index(True), own)
    time.sleep(0.1)  # JACK uses a connection a period or two after it was made
    print("ready", flush=True)
    waiting = b""
    while True:
        if select.select([0], [], [], 0.0005)[0]:
            read = os.read(0, 1 << 16)
            if not read:
                break
            *lines, waiting = (waiting + read).split(b"\n")
            for line in lines:
                target.send_message(bytes.fromhex(line.decode()))
        heard = []
        while (got := source.get_message()) is not None:
            heard.append(bytes(got[0]).hex() + "\n")
        os.write(1, "".join(heard).encode())
    time.sleep(0.02)  # let the last go out
    target.delete()
    source.delete()


if __name__ == "__main__":
    _be_a_peer(*sys.argv[1:])
