"""Serves a running daemon's status over HTTP, in a separate process that reads the state file.

    python -m segued.service.metrics_server STATE_FILE PORT

It speaks HTTP/1.0 on PORT of the loopback interface: GET /metrics (Prometheus' text format) and
GET /status (JSON). So no client can delay the daemon. It ends when its standard input closes, which
happens however the daemon ends.
"""

import contextlib
import json
import os
import select
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from ..system import realtime
from .log import warn
from .state_file import Reader
from .status_text import metrics_of, status_of

MAX_CLIENTS = 16
LONGEST_REQUEST = 4096  # bytes
CLIENT_TIMEOUT = 2.0  # seconds that a client may stay connected
TRY_AGAIN = 10.0  # seconds between two attempts to open the port

_KINDS = {"/status": "application/json", "/metrics": "text/plain; version=0.0.4; charset=utf-8"}


@dataclass
class _Client:
    """One connection: the request so far, the rest of the answer, and when it is dropped."""

    deadline: float
    request: bytes = b""
    answer: memoryview = field(default_factory=lambda: memoryview(b""))


class Server:
    """Serves a state file on `listener`. One thread; no client can delay another."""

    def __init__(self, state_file: Path, listener: socket.socket) -> None:
        self._reader = Reader(state_file)
        self._selector = selectors.DefaultSelector()
        self._clients: dict[socket.socket, _Client] = {}
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, "listener")

    def run(self, until: int) -> None:
        """Serve until the file descriptor `until` is at its end."""
        self._selector.register(until, selectors.EVENT_READ, "until")
        while self.turn(CLIENT_TIMEOUT / 4 if self.clients else None):
            pass

    @property
    def clients(self) -> int:
        """The number of connected clients."""
        return len(self._clients)

    def turn(self, seconds: float | None) -> bool:
        """Handle what happens within `seconds` (None: no limit); False when `until` has ended."""
        for key, _ in self._selector.select(seconds):
            if key.data == "until":
                if not os.read(key.fd, 64):
                    return False
            elif key.data == "listener":
                self._accept(key.fileobj)  # type: ignore[arg-type]
            else:
                self._serve(key.fileobj)  # type: ignore[arg-type]
        now = time.monotonic()
        for client in [c for c, about in self._clients.items() if about.deadline < now]:
            self._drop(client)
        return True

    def close(self) -> None:
        """Disconnect all clients."""
        for client in tuple(self._clients):
            self._drop(client)
        self._selector.close()
        self._reader.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client is already gone
            client, _ = listener.accept()
            if len(self._clients) >= MAX_CLIENTS:
                client.close()
                return
            client.setblocking(False)
            self._clients[client] = _Client(time.monotonic() + CLIENT_TIMEOUT)
            self._selector.register(client, selectors.EVENT_READ, "client")

    def _serve(self, client: socket.socket) -> None:
        about = self._clients[client]
        try:
            if not about.answer and not self._receive(client, about):
                return
            about.answer = about.answer[client.send(about.answer) :]
            if not about.answer:
                client.shutdown(socket.SHUT_WR)
                self._drop(client)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)

    def _receive(self, client: socket.socket, about: _Client) -> bool:
        """Read from a client; return whether its request is complete, which sets the answer."""
        data = client.recv(LONGEST_REQUEST)
        about.request += data
        whole = b"\r\n\r\n" in about.request or b"\n\n" in about.request
        if not data or len(about.request) > LONGEST_REQUEST:
            self._drop(client)
            return False
        if whole:
            about.answer = memoryview(self._answer(about.request))
            self._selector.modify(client, selectors.EVENT_WRITE, "client")
        return whole

    def _answer(self, request: bytes) -> bytes:
        words = request.split(b"\n", 1)[0].decode("latin-1").split()
        path = words[1].split("?")[0] if len(words) > 1 else ""
        if not words or words[0] != "GET":
            return _page("405 Method Not Allowed", "text/plain", "GET only\n")
        if path not in _KINDS:
            return _page("404 Not Found", "text/plain", f"there are: {', '.join(_KINDS)}\n")
        try:
            reading = self._reader.read()
        except ValueError as error:
            return _page("503 Service Unavailable", "text/plain", f"{error}\n")
        now = time.perf_counter()
        if path == "/metrics":
            return _page("200 OK", _KINDS[path], metrics_of(reading, now))
        return _page("200 OK", _KINDS[path], json.dumps(status_of(reading, now)) + "\n")

    def _drop(self, client: socket.socket) -> None:
        del self._clients[client]
        self._selector.unregister(client)
        client.close()


def _page(status: str, kind: str, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.0 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def listen(port: int, until: int) -> socket.socket | None:
    """Listen on the port once it is free; None when the file descriptor `until` ends first."""
    warned = False
    while True:
        try:
            return socket.create_server(("127.0.0.1", port), backlog=MAX_CLIENTS)
        except OSError as error:
            if not warned:
                warn(f"no metrics on 127.0.0.1:{port} yet: {error.strerror} (trying again every "
                     f"{TRY_AGAIN:g} s; or set service.metrics_port to another)")  # fmt: skip
            warned = True
        if select.select([until], (), (), TRY_AGAIN)[0] and not os.read(until, 64):
            return None


def main(state_file: str, port: str) -> int:
    """Serve until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # they are for the daemon
        signal.signal(number, signal.SIG_IGN)
    realtime.ordinary()
    until = sys.stdin.fileno()
    listener = listen(int(port), until)
    if listener is None:
        return 0
    server = Server(Path(state_file), listener)
    try:
        server.run(until)
    finally:
        server.close()
        listener.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
