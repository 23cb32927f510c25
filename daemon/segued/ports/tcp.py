"""MIDI over TCP: raw MIDI bytes on a socket, as in mido.sockets, for machines without MIDI ports.

Every client plays and hears. There is no login, so by default only this machine can connect. The
loss of a client is a state, not an error.
"""

import contextlib
import errno
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable

from ..errors import PortError
from ..midi.messages import (
    CHANNEL_MASK,
    CONTROL_CHANGE,
    KIND_MASK,
    NOTE_OFF,
    NOTE_ON,
    PEDALS,
    SWITCH_ON,
    note_off,
)
from ..midi.stream import MidiStream

MAX_CLIENTS = 8
CHUNK = 4096  # bytes read at a time; the rest stays in the system's buffers
BEHIND = 1 << 16  # bytes that may wait for a client, about 20,000 messages, before it is dropped
TIMEOUT = 5.0  # seconds that a TcpClient waits


class _Peer:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BEHIND)
        self.socket = connection
        self.fd = connection.fileno()
        self._stream = MidiStream()
        self._held: dict[tuple[int, int], bytes] = {}  # a key or pedal down -> its release

    def read(self) -> list[bytes] | None:
        """The received messages; None when the other side is gone."""
        try:
            data = self.socket.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        if not data:
            return None
        messages = self._stream.feed(data)
        for message in messages:
            self._note(message)
        return messages

    def write(self, message: bytes) -> bool:
        """Send a message; return whether all of it was sent (half a message breaks the stream)."""
        try:
            return self.socket.send(message) == len(message)
        except OSError:  # gone, or so far behind that the system's buffer is full
            return False

    def releases(self, others: Iterable["_Peer"]) -> list[bytes]:
        """Messages that release the keys of this connection, and the pedals that no other holds."""
        return [
            lift
            for down, lift in self._held.items()
            if lift[0] < CONTROL_CHANGE or not any(down in other._held for other in others)
        ]

    def close(self, politely: bool = True) -> None:
        """Close. `politely`: first read what is unread, or else the output would be cut off."""
        with contextlib.suppress(OSError):
            if politely:
                self.socket.shutdown(socket.SHUT_WR)
                for _ in range(64):
                    if not self.socket.recv(1 << 16):
                        break
        self.socket.close()

    def _note(self, message: bytes) -> None:
        kind, channel = message[0] & KIND_MASK, message[0] & CHANNEL_MASK
        if kind == NOTE_ON and message[2]:
            self._held[NOTE_ON | channel, message[1]] = note_off(channel, message[1])
        elif kind in (NOTE_ON, NOTE_OFF):
            self._held.pop((NOTE_ON | channel, message[1]), None)
        elif kind == CONTROL_CHANGE and message[1] in PEDALS:
            if message[2] >= SWITCH_ON:
                self._held[message[0], message[1]] = bytes((message[0], message[1], 0))
            else:
                self._held.pop((message[0], message[1]), None)


class TcpTransport:
    """A server that receives from all clients and sends to all. For one thread only.

    Port 0 means any free one; `name` has its number. When a client disconnects, its keys are
    released. Raises PortError when it cannot listen.
    """

    backend = "tcp"

    def __init__(self, host: str = "127.0.0.1", port: int = 9080) -> None:
        self._listener = _listen(host, port)
        self._peers: dict[int, _Peer] = {}
        self._watched = [self._listener.fileno()]
        self._messages: deque[bytes] = deque()
        self._closed = False
        self.welcome: Callable[[], Iterable[bytes]] = tuple
        self.port: int = self._listener.getsockname()[1]
        self.input_name = self.output_name = f"{host}:{self.port}"
        self.name = f"tcp {self.input_name}"

    def receive(self) -> bytes | None:
        """The next complete message of any client, or None. Never blocks."""
        if not self._messages:
            self._look(0.0)
        return self._messages.popleft() if self._messages else None

    def send(self, message: bytes) -> None:
        """Send to every client. A client whose buffer is full is dropped."""
        for peer in tuple(self._peers.values()):
            if not peer.write(message):
                self._drop(peer)

    def wait(self, seconds: float, resting: bool = False) -> None:
        """Return as soon as anything arrives, or after `seconds`. `resting` makes no difference."""
        if not self._messages:
            self._look(max(0.0, seconds))

    def alive(self) -> bool:
        """True until it is closed, whether there are clients or not."""
        return not self._closed

    def peers(self) -> tuple[int, int]:
        """The number of clients, twice: each plays and hears."""
        return len(self._peers), len(self._peers)

    def close(self) -> None:
        """Close after all messages were sent. Idempotent."""
        self._closed = True
        self._listener.close()
        for peer in self._peers.values():
            peer.close()
        self._peers.clear()
        self._watched.clear()
        self._messages.clear()

    def _look(self, seconds: float) -> None:
        # select takes microseconds; poll and epoll round up to a millisecond
        for fd in select.select(self._watched, (), (), seconds)[0]:
            peer = self._peers.get(fd)
            if peer is None:
                self._accept()
                continue
            messages = peer.read()
            if messages is None:
                self._drop(peer)
            else:
                self._messages += messages

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the client is already gone
            connection, _ = self._listener.accept()
            if len(self._peers) >= MAX_CLIENTS:
                connection.close()
                return
            peer = _Peer(connection)
            if not all(peer.write(message) for message in self.welcome()):
                peer.close(politely=False)
                return
            self._peers[peer.fd] = peer
            self._watched.append(peer.fd)

    def _drop(self, peer: _Peer) -> None:
        del self._peers[peer.fd]
        self._watched.remove(peer.fd)
        self._messages += peer.releases(tuple(self._peers.values()))
        peer.close(politely=False)


class TcpClient:
    """The client of a TcpTransport. Raises PortError."""

    backend = "tcp"

    def __init__(self, host: str, port: int) -> None:
        self.input_name = self.output_name = f"{host}:{port}"
        self.name = f"tcp {self.input_name}"
        try:
            connection = socket.create_connection((host, port), TIMEOUT)
        except OSError as error:
            raise PortError(f"cannot connect to {self.name} ({error}): start segued") from None
        self._peer = _Peer(connection)
        self._messages: deque[bytes] = deque()
        self._alive = True
        self.welcome: Callable[[], Iterable[bytes]] = tuple

    def receive(self) -> bytes | None:
        """The next complete message, or None. Never blocks."""
        if not self._messages:
            self._look(0.0)
        return self._messages.popleft() if self._messages else None

    def send(self, message: bytes) -> None:
        """Send any bytes. Unlike the transport, it waits while the other side is busy."""
        sent = 0
        while self._alive and sent < len(message):
            try:
                sent += self._peer.socket.send(message[sent:])
            except BlockingIOError:
                self._alive = bool(select.select((), (self._peer.fd,), (), TIMEOUT)[1])
            except OSError:
                self._alive = False

    def wait(self, seconds: float, resting: bool = False) -> None:
        """Return as soon as anything arrives, or after `seconds`. `resting` makes no difference."""
        if not self._messages:
            self._look(max(0.0, seconds))

    def alive(self) -> bool:
        """Whether the server is connected."""
        return self._alive

    def peers(self) -> tuple[int, int]:
        """1 or 0 for the server, twice."""
        return int(self._alive), int(self._alive)

    def close(self) -> None:
        """Disconnect. Idempotent."""
        self._alive = False
        self._peer.close()

    def _look(self, seconds: float) -> None:
        if not self._alive:
            time.sleep(seconds)
        elif select.select((self._peer.fd,), (), (), seconds)[0]:
            messages = self._peer.read()
            if messages is None:
                self._alive = False
            else:
                self._messages += messages


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host, port, family)
        listener = socket.create_server((host, port), family=family, backlog=MAX_CLIENTS)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise PortError(
                f"cannot listen on tcp {host}:{port} ({error.strerror or error}): set "
                "ports.tcp_host to an address of this machine (127.0.0.1; 0.0.0.0 is all of them)"
            ) from None
        raise PortError(
            f"cannot listen on tcp {host}:{port} ({error.strerror or error}): set ports.tcp_port "
            "to another (0 takes any free one), or stop the program that has it"
        ) from None
    listener.setblocking(False)
    return listener
