"""Who is connected to our JACK ports, asked by a small process beside ours.

JACK tells a client of its connections through that client's own handle, and ours is RtMidi's, who
keeps it to itself. Another client of this process would be one more that a dying server can take
down with it (see `jack_watch`); in a process of its own it can harm nobody. That process is this
file: it knows nothing of Segue, looks a few times a second, writes a line whenever the counts
change, and ends with its standard input. Where it cannot run, nothing is known, as before.
"""

import contextlib
import ctypes
import os
import select
import subprocess
import sys
from collections.abc import Callable

LOOK_EVERY = 0.1  # seconds
PATIENCE = 1.0  # seconds in which it must have ended when it is told to
UNKNOWN = (-1, -1)
NO_START_SERVER = 1  # of jack_options_t
MAPS = "/proc/self/maps"


class JackPeers:
    """The counts of an input and an output port, by their full names."""

    def __init__(self, input_port: str, output_port: str) -> None:
        self._known, self._rest = UNKNOWN, b""
        library = loaded("libjack")
        self._process: subprocess.Popen[bytes] | None = None
        if not (library and input_port and output_port):
            return
        command = [sys.executable, "-I", "-S", __file__, library, input_port, output_port]
        with contextlib.suppress(OSError):  # no more processes: nothing is known, then
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                bufsize=0,
            )  # fmt: skip
            assert self._process.stdout is not None
            os.set_blocking(self._process.stdout.fileno(), False)

    def counts(self) -> tuple[int, int]:
        """Ports connected to our input and to our output; -1: not known (yet). 2 µs."""
        if self._process is None:
            return UNKNOWN
        assert self._process.stdout is not None
        try:
            told = os.read(self._process.stdout.fileno(), 4096)
        except BlockingIOError:
            return self._known
        if not told:
            self.close()
            return UNKNOWN
        *lines, self._rest = (self._rest + told).split(b"\n")
        if lines:
            heard, hears = map(int, lines[-1].split())
            self._known = heard, hears
        return self._known

    def close(self) -> None:
        """End the process. Idempotent."""
        process, self._process, self._known = self._process, None, UNKNOWN
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:  # a server that hangs holds it, too
            process.kill()
            process.wait()
        process.stdout.close()


def loaded(name: str) -> str:
    """The file of a library that this process has loaded; "" if it has not, or nobody can say.

    The system's goes before one in a wheel, whose name has a number: "libjack-5305d520.so.0".
    """
    try:
        with open(MAPS, encoding="utf-8", errors="replace") as maps:
            files = {line.split(maxsplit=5)[-1].strip() for line in maps if name in line}
    except OSError:
        return ""
    paths = sorted(path for path in files if path.startswith("/"))
    return next((path for path in paths if f"/{name}.so" in path), paths[0] if paths else "")


def _watch(library: str, ports: list[bytes]) -> None:
    """Write the counts whenever they change, until standard input ends."""
    if hasattr(os, "sched_setscheduler"):  # what a daemon with real-time priority handed down
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    count = _counter(ctypes.CDLL(library))
    told = b""
    while True:
        line = b"%d %d\n" % tuple(map(count, ports))
        if line != told:
            os.write(1, line)
            told = line
        if select.select([0], [], [], LOOK_EVERY)[0] and not os.read(0, 1):
            return


def _counter(jack: ctypes.CDLL) -> Callable[[bytes], int]:
    """How many ports are connected to one, by its full name; -1 where there is no such port."""
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    jack.jack_client_open.restype = jack.jack_port_by_name.restype = pointer
    jack.jack_client_open.argtypes = [text, ctypes.c_int, pointer]
    jack.jack_port_by_name.argtypes = [pointer, text]
    jack.jack_port_get_all_connections.restype = ctypes.POINTER(text)
    jack.jack_port_get_all_connections.argtypes = [pointer, pointer]
    jack.jack_free.argtypes = [pointer]
    client = jack.jack_client_open(b"Segue looks who is there", NO_START_SERVER, None)
    if not client:
        raise SystemExit("no JACK server")

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
    _watch(sys.argv[1], [os.fsencode(name) for name in sys.argv[2:4]])
