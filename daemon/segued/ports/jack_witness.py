"""A separate process that finds out whether there is a JACK server, and counts our connections.

Our own process must not ask libjack about a server that may not answer:
- `jack_client_open` waits forever for a server that hangs (it reads from a socket without a
  timeout), and it holds the interpreter lock: no status, no reload, no end.
- If a server goes away while clients are opened, the next call of `jack_client_open` frees the
  clients that are open, even if they are in use.
- JACK reports a client's connections only through its handle, and RtMidi does not expose ours.

The separate process can wait and be killed without harm. Its program is this file, which imports
nothing of Segue. It opens a client as soon as a server accepts it, and writes `none` or `there`.
After it has read the names of two ports, it checks them a few times a second and writes the counts
of their connections when these change. It ends with its server, when it is told to, or when its
standard input closes. Then our process has died, and its two clients with it. jackd2 stands still
for 10 s until it has removed those, and for 10 s more if this client has died as well: so it stays.
If it cannot run, nothing is known.
"""

import contextlib
import ctypes
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from enum import Enum

CHECK_EVERY = 0.1  # seconds
CLOSE_TIMEOUT = 1.0  # seconds that the process has to end
LINGER = 15.0  # seconds that it outlives our process if that died
LEAVE = b"\0"  # tells it to end
UNKNOWN = (-1, -1)
NO_START_SERVER = 1  # of jack_options_t
MAPS = "/proc/self/maps"
NAME = b"Segue looks who is there"


class Server(Enum):
    """What is known about the server. The value is what the process writes."""

    NONE = b"none"
    THERE = b"there"
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
                [sys.executable, "-I", "-S", __file__, library], bufsize=0,
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


def _watch(library: str) -> None:
    """Find the server, then count connections, until standard input closes."""
    if hasattr(os, "sched_setscheduler"):  # give up an inherited real-time priority
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    jack = ctypes.CDLL(library)
    jack.jack_client_open.restype = ctypes.c_void_p
    jack.jack_client_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
    written = b""
    while not (client := jack.jack_client_open(NAME, NO_START_SERVER, None)):
        written = _write(Server.NONE.value, written)
        if select.select([0], (), (), CHECK_EVERY)[0]:
            return
    leaves = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    leave = leaves(lambda _: os._exit(0))
    jack.jack_on_shutdown.argtypes = [ctypes.c_void_p, leaves, ctypes.c_void_p]
    jack.jack_on_shutdown.restype = None
    jack.jack_on_shutdown(client, leave, None)
    _write(Server.THERE.value, written)
    names = b""
    while names.count(b"\n") < 2:
        names += (read := os.read(0, 4096))
        if not read or LEAVE in read:
            return _linger(read)
    count = _counter(jack, client)
    while True:
        written = _write(b"%d %d" % tuple(map(count, names.split(b"\n")[:2])), written)
        if select.select([0], (), (), CHECK_EVERY)[0]:
            return _linger(os.read(0, 1))


def _linger(read: bytes) -> None:
    """Stay until the server has removed our process's clients, if nothing was `read`: it died."""
    if not read:
        time.sleep(LINGER)


def _write(line: bytes, before: bytes) -> bytes:
    """Write a line, unless it equals the one `before`."""
    if line != before:
        os.write(1, line + b"\n")
    return line


def _counter(jack: ctypes.CDLL, client: int) -> Callable[[bytes], int]:
    """A function that counts the connections of a port, by its full name; -1: no such port."""
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    jack.jack_port_by_name.restype = pointer
    jack.jack_port_by_name.argtypes = [pointer, text]
    jack.jack_port_get_all_connections.restype = ctypes.POINTER(text)
    jack.jack_port_get_all_connections.argtypes = [pointer, pointer]
    jack.jack_free.argtypes = [pointer]

    def count(name: bytes) -> int:
        port = jack.jack_port_by_name(client, name)
        if not port:
            return -1
        names = jack.jack_port_get_all_connections(client, port)
        if not names:
            return 0
        number = 0
        while names[number]:
            number += 1
        jack.jack_free(names)
        return number

    return count


if __name__ == "__main__":
    _watch(sys.argv[1])
    os._exit(0)  # at once: we wait for it
