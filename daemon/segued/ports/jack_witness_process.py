"""The program of the process beside ours that looks for a JACK server: see `jack_witness`.

It opens a client as soon as a server accepts it, and writes `none` or `there`. After it has read
the names of two ports, it checks them a few times a second and writes the counts of their
connections when these change. It ends with its server, when it is told to, or when its standard
input closes. Then our process has died, and its two clients with it. jackd2 stands still for 10 s
until it has removed those, and for 10 s more if this client has died as well: so it stays.

It imports nothing of Segue, and nothing that starts slowly: Segue waits for its first answer.
"""

import contextlib
import ctypes
import os
import select
import sys
import time

CHECK_EVERY = 0.1  # seconds
LINGER = 15.0  # seconds that it outlives our process if that died
LEAVE = b"\0"  # tells it to end
NONE, THERE = b"none", b"there"  # what it says of the server
NO_START_SERVER = 1  # of jack_options_t
NAME = b"Segue looks who is there"


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
        written = _write(NONE, written)
        if select.select([0], (), (), CHECK_EVERY)[0]:
            return
    leaves = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    leave = leaves(lambda _: os._exit(0))
    jack.jack_on_shutdown.argtypes = [ctypes.c_void_p, leaves, ctypes.c_void_p]
    jack.jack_on_shutdown.restype = None
    jack.jack_on_shutdown(client, leave, None)
    _write(THERE, written)
    names = b""
    while names.count(b"\n") < 2:
        names += (read := os.read(0, 4096))
        if not read or LEAVE in read:
            return _linger(read)
    _declare(jack)
    ports = names.split(b"\n")[:2]
    while True:
        counts = tuple(_count(jack, client, port) for port in ports)
        written = _write(b"%d %d" % counts, written)
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


def _declare(jack: ctypes.CDLL) -> None:
    """Declare the functions that `_count` calls."""
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    jack.jack_port_by_name.restype = pointer
    jack.jack_port_by_name.argtypes = [pointer, text]
    jack.jack_port_get_all_connections.restype = ctypes.POINTER(text)
    jack.jack_port_get_all_connections.argtypes = [pointer, pointer]
    jack.jack_free.argtypes = [pointer]


def _count(jack: ctypes.CDLL, client: int, name: bytes) -> int:
    """The number of connections of a port, by its full name; -1: no such port."""
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


if __name__ == "__main__":
    _watch(sys.argv[1])
    os._exit(0)  # at once: we wait for it
