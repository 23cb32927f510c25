"""The interface of transports, and opening the one that the settings name."""

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from ..errors import PortError
from .options import ConnectionOptions
from .port_names import VIRTUAL, NoBackend, NoPort
from .rtmidi_clients import HERE, dismiss_witness
from .rtmidi_transport import RtMidiTransport
from .tcp import TcpClient, TcpTransport


class Transport(Protocol):
    """Sends and receives complete MIDI messages, and waits for them.

    All methods must be called in the engine's thread. `name` is for the user: "JACK, ports 'Segue
    In' and 'Segue Out'", "tcp 127.0.0.1:9080". `backend` is the value of `ports.backend` for the
    same kind. `input_name` and `output_name` are those of the ports, or HOST:PORT (tcp).
    """

    name: str
    backend: str
    input_name: str
    output_name: str
    welcome: Callable[[], Iterable[bytes]]
    """The messages to send first to each new client, where clients are distinguished (tcp)."""

    def receive(self) -> bytes | None:
        """The next complete received message, or None. Never blocks."""

    def send(self, message: bytes) -> None:
        """Send a complete message. Never blocks, never raises when a peer is gone."""

    def wait(self, seconds: float, resting: bool = False) -> None:
        """Return when input may have arrived or after `seconds`, to a fraction of a millisecond.

        `resting`: nobody has played for seconds, so that waiting may cost less.
        """

    def alive(self) -> bool:
        """Whether it still works; once False, the caller must close it and open another."""

    def peers(self) -> tuple[int, int]:
        """The numbers of connections to the input and to the output; -1: unknown."""

    def close(self) -> None:
        """Close after all messages were sent. Idempotent."""


class NoTransport:
    """The null object while there are no ports."""

    name = backend = input_name = output_name = ""
    welcome: Callable[[], Iterable[bytes]] = tuple

    def receive(self) -> bytes | None:
        """Always None."""
        return None

    def send(self, message: bytes) -> None:
        """Discard the message."""

    def wait(self, seconds: float, resting: bool = False) -> None:
        """Sleep."""
        time.sleep(seconds)

    def alive(self) -> bool:
        """Always False."""
        return False

    def peers(self) -> tuple[int, int]:
        """Always unknown."""
        return -1, -1

    def close(self) -> None:
        """Do nothing."""


def open_transport(
    backend: str,
    input_port: str = VIRTUAL,
    output_port: str = VIRTUAL,
    client_name: str = "Segue",
    host: str = "127.0.0.1",
    tcp_port: int = 9080,
) -> Transport:
    """Open a transport. Raises PortError, which says what is missing and what to do.

    "auto" takes the first backend of this operating system that works. If none does, it takes tcp,
    and the transport's name says why; but not if a port is named.
    """
    transport = _open(backend, input_port, output_port, client_name, host, tcp_port)
    if transport.backend != "jack":
        dismiss_witness()
    return transport


def _open(
    backend: str, input_port: str, output_port: str, client_name: str, host: str, tcp_port: int
) -> Transport:
    if backend == "tcp":
        return TcpTransport(host, tcp_port)
    if backend != "auto":
        return RtMidiTransport(backend, input_port, output_port, client_name)
    missing: list[str] = []
    no_port: NoPort | None = None
    for candidate in HERE:
        try:
            return RtMidiTransport(candidate, input_port, output_port, client_name)
        except NoBackend as error:
            missing.append(error.missing)
        except NoPort as error:
            no_port = _both(no_port, error)
    if no_port is not None:
        raise no_port
    why = "; ".join(dict.fromkeys(missing)) or "no MIDI system is known here"
    for direction, pattern in (("input", input_port), ("output", output_port)):
        if pattern.lower() != VIRTUAL:
            raise PortError(
                f"no MIDI {direction} matches '{pattern}': {why}. Start the MIDI system, "
                f"or set ports.{direction} to {VIRTUAL}"
            )
    transport = TcpTransport(host, tcp_port)
    transport.name += f" ({why})"
    return transport


def open_ports(options: ConnectionOptions) -> Transport:
    """Open the transport of the settings' section `ports`. Raises PortError."""
    return open_transport(
        options.backend,
        options.input,
        options.output,
        options.name,
        options.tcp_host,
        options.tcp_port,
    )


def open_client(backend: str, input_name: str, name: str = "Segue") -> Transport:
    """Open the other side of a transport on this machine: it plays to it and hears what it sends.

    `backend` and `input_name` are that transport's, `name` is its client name. Its ports must be
    virtual.
    """
    if backend == "tcp":
        host, _, port = input_name.rpartition(":")
        return TcpClient(host, int(port))
    return RtMidiTransport(backend, f"{name} Out", f"{name} In", f"{name} client")


def _both(first: NoPort | None, second: NoPort) -> NoPort:
    """One error for a port that no backend has, with the names of all ports."""
    if first is None or first.direction != second.direction:
        return first or second
    return NoPort(first.direction, first.pattern, [*first.names, *second.names])
