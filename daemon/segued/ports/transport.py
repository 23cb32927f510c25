"""What the engine plays through, and how one is opened."""

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
    """Whole MIDI messages in and out, and a wait between them.

    All methods belong to the engine's thread. `name` is for people: "JACK, ports 'Segue In' and
    'Segue Out'", "tcp 127.0.0.1:9080". `backend` opens the same kind again. `input_name` and
    `output_name` are those of the ports, or HOST:PORT (tcp).
    """

    name: str
    backend: str
    input_name: str
    output_name: str
    welcome: Callable[[], Iterable[bytes]]
    """What whoever connects is sent first, where one can be addressed alone (tcp)."""

    def receive(self) -> bytes | None:
        """The next complete message that has come, or None. Never blocks."""

    def send(self, message: bytes) -> None:
        """Put a complete message on its way. Never blocks, never raises for a peer that is gone."""

    def wait(self, seconds: float, resting: bool = False) -> None:
        """Return when input may have come or after `seconds`, to a fraction of a millisecond.

        `resting`: nobody has played for seconds; then it may cost less."""

    def alive(self) -> bool:
        """Whether it can still carry messages; once False, close it and open another."""

    def peers(self) -> tuple[int, int]:
        """How many are connected to the input and to the output; -1: cannot be known."""

    def close(self) -> None:
        """Let what was sent go out, then close. Idempotent."""


class NoTransport:
    """Stands in while there are no ports: nothing comes in, and what is sent reaches nobody."""

    name = backend = input_name = output_name = ""
    welcome: Callable[[], Iterable[bytes]] = tuple

    def receive(self) -> bytes | None:
        """Nothing."""
        return None

    def send(self, message: bytes) -> None:
        """To nobody."""

    def wait(self, seconds: float, resting: bool = False) -> None:
        """All of it."""
        time.sleep(seconds)

    def alive(self) -> bool:
        """It never was."""
        return False

    def peers(self) -> tuple[int, int]:
        """Cannot be known."""
        return -1, -1

    def close(self) -> None:
        """Nothing to close."""


def open_transport(
    backend: str,
    input_port: str = VIRTUAL,
    output_port: str = VIRTUAL,
    client_name: str = "Segue",
    host: str = "127.0.0.1",
    tcp_port: int = 9080,
) -> Transport:
    """The transport that the settings mean; PortError says what is not there and what to do.

    "auto" takes the first backend of this operating system that works. Where none does it takes
    tcp, and the name tells why; but not when a port was asked for by name.
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
    why = "; ".join(dict.fromkeys(missing)) or "no MIDI ports known on this system"
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
    """The transport that the settings' section `ports` means. PortError."""
    return open_transport(
        options.backend,
        options.input,
        options.output,
        options.name,
        options.tcp_host,
        options.tcp_port,
    )


def open_client(backend: str, input_name: str, name: str = "Segue") -> Transport:
    """The other side of a transport on this machine: it plays to it and hears what it sends.

    `backend` and `input_name` are that transport's, `name` its client name (its ports must be
    virtual).
    """
    if backend == "tcp":
        host, _, port = input_name.rpartition(":")
        return TcpClient(host, int(port))
    return RtMidiTransport(backend, f"{name} Out", f"{name} In", f"{name} client")


def _both(first: NoPort | None, second: NoPort) -> NoPort:
    """One line for a name that no backend has, with the names that they have."""
    if first is None or first.direction != second.direction:
        return first or second
    return NoPort(first.direction, first.pattern, [*first.names, *second.names])
