"""Answers questions about a running daemon: a process of its own, which reads the daemon's board.

    python -m segued.service.metrics_server BOARD SOCKET METRICS_PORT

It speaks HTTP/1.0 on a Unix socket that only its owner may open, and, where METRICS_PORT is not 0,
on that port of the loopback: GET /status (JSON) and GET /metrics (Prometheus' text format). So the
daemon itself never waits for anyone who asks. It ends when its standard input does, that is with
the daemon, however that ends.
"""

import contextlib
import json
import os
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
PATIENCE = 2.0  # seconds that a client may take for all of its business

_KINDS = {"/status": "application/json", "/metrics": "text/plain; version=0.0.4; charset=utf-8"}


@dataclass
class _Client:
    """One connection: what has come, what is still to go, until when."""

    deadline: float
    request: bytes = b""
    answer: memoryview = field(default_factory=lambda: memoryview(b""))


class Server:
    """Serves a board on `listeners`. One thread; no client can hold it up."""

    def __init__(self, board: Path, listeners: list[socket.socket]) -> None:
        self._reader = Reader(board)
        self._selector = selectors.DefaultSelector()
        self._clients: dict[socket.socket, _Client] = {}
        for listener in listeners:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, "listener")

    def run(self, until: int) -> None:
        """Until the descriptor `until` is at its end."""
        self._selector.register(until, selectors.EVENT_READ, "until")
        while self.turn(PATIENCE / 4 if self.clients else None):
            pass

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    def turn(self, seconds: float | None) -> bool:
        """Serve whoever comes within `seconds` (None: for ever); False when `until` has ended."""
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
        """Let all clients go."""
        for client in tuple(self._clients):
            self._drop(client)
        self._selector.close()
        self._reader.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # gone again already
            client, _ = listener.accept()
            if len(self._clients) >= MAX_CLIENTS:
                client.close()
                return
            client.setblocking(False)
            self._clients[client] = _Client(time.monotonic() + PATIENCE)
            self._selector.register(client, selectors.EVENT_READ, "client")

    def _serve(self, client: socket.socket) -> None:
        about = self._clients[client]
        try:
            if not about.answer and not self._asked(client, about):
                return
            about.answer = about.answer[client.send(about.answer) :]
            if not about.answer:
                client.shutdown(socket.SHUT_WR)
                self._drop(client)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)

    def _asked(self, client: socket.socket, about: _Client) -> bool:
        """Whether its whole request has come, and so the answer is known."""
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
        now = time.monotonic()
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


def listen(path: Path) -> socket.socket:
    """A Unix socket that its owner alone may open. What an earlier daemon left there goes."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(MAX_CLIENTS)
    return listener


def main(board: str, where: str, port: str) -> int:
    """Serve until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # meant for the daemon
        signal.signal(number, signal.SIG_IGN)
    realtime.ordinary()
    path = Path(where)
    listeners = [listen(path)]
    own = path.stat().st_ino
    if int(port):
        try:
            listeners.append(socket.create_server(("127.0.0.1", int(port)), backlog=MAX_CLIENTS))
        except OSError as error:
            warn(f"no metrics on 127.0.0.1:{port}: {error.strerror}")
    server = Server(Path(board), listeners)
    try:
        server.run(sys.stdin.fileno())
    finally:
        server.close()
        for listener in listeners:
            listener.close()
        with contextlib.suppress(OSError):
            if path.stat().st_ino == own:  # not the one of a daemon that began meanwhile
                path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
