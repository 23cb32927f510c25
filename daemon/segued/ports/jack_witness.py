"""A separate process that finds out whether there is a JACK server, and counts our connections.

Our own process must not ask libjack about a server that may not answer:
- `jack_client_open` waits forever for a server that hangs (it reads from a socket without a
  timeout), and it holds the interpreter lock: no status, no reload, no end.
- If a server goes away while clients are opened, the next call of `jack_client_open` frees the
  clients that are open, even if they are in use.
- JACK reports a client's connections only through its handle, and RtMidi does not expose ours.

The separate process can wait and be killed without harm; `jack_witness_process` is its program. If
it cannot run, nothing is known.
"""

import contextlib
import os
import select
import subprocess
import sys
import time
from enum import Enum

from . import jack_witness_process
from .jack_witness_process import LEAVE, NONE, THERE

CLOSE_TIMEOUT = 1.0  # seconds that the process has to end
UNKNOWN = (-1, -1)
MAPS = "/proc/self/maps"
PROGRAM = jack_witness_process.__file__


class Server(Enum):
    """What is known about the server. The value is what the process writes."""

    NONE = NONE
    THERE = THERE
    SILENT = b""
    """There is no answer yet."""
    UNKNOWN = b"?"
    """Nothing is known: the process cannot run, or it has ended."""


class JackWitness:
    """Starts and reads the process. `library`: the file of the libjack that our process uses."""

    def __init__(self, library: str) -> None:
        self.server = Server.SILENT
        self._counts, self._rest = UNKNOWN, b""
        self.taken = False  # whether it serves open clients: then it is closed with them
        self._process: subprocess.Popen[bytes] | None = None
        if not library:
            self.server = Server.UNKNOWN
            return
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", PROGRAM, library], bufsize=0,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError:  # no more processes
            self.server = Server.UNKNOWN
            return
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    def ask(self, seconds: float = 0.0) -> Server:
        """What is known about the server; waits up to `seconds` for the first answer."""
        deadline = time.monotonic() + seconds
        self._read()
        while self.server is Server.SILENT and self._process is not None:
            assert self._process.stdout is not None
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], (), (), left)[0]:
                break
            self._read()
        return self.server

    def follow(self, input_port: str, output_port: str) -> None:
        """Count the connections of these ports, given by their full names, from now on."""
        self.taken = True
        if self._process is None or not (input_port and output_port):
            return
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the process has just ended
            self._process.stdin.write(os.fsencode(f"{input_port}\n{output_port}\n"))

    def counts(self) -> tuple[int, int]:
        """The numbers of ports connected to our input and our output; -1: unknown (yet). 2 µs."""
        self._read()
        return self._counts

    def close(self) -> None:
        """End the process. Idempotent."""
        process, self._process, self._counts = self._process, None, UNKNOWN
        self.server = Server.UNKNOWN
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has just ended
            process.stdin.write(LEAVE)
        process.stdin.close()
        try:
            process.wait(CLOSE_TIMEOUT)
        except subprocess.TimeoutExpired:  # it waits for a server that hangs
            process.kill()
            process.wait()
        process.stdout.close()

    def _read(self) -> None:
        if self._process is None:
            return
        assert self._process.stdout is not None
        try:
            data = os.read(self._process.stdout.fileno(), 4096)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line[:1].isalpha():
                self.server = Server(line)
            else:
                inputs, outputs = map(int, line.split())
                self._counts = inputs, outputs


def loaded(name: str) -> str:
    """The file of a library that this process has loaded; "" if it has not, or it is unknown.

    The system's is preferred to one in a wheel, whose name has a hash: "libjack-5305d520.so.0".
    """
    try:
        with open(MAPS, encoding="utf-8", errors="replace") as maps:
            files = {line.split(maxsplit=5)[-1].strip() for line in maps if name in line}
    except OSError:
        return ""
    paths = sorted(path for path in files if path.startswith("/"))
    return next((path for path in paths if f"/{name}.so" in path), paths[0] if paths else "")
