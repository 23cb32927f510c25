"""`segued panic`: silence, from outside the daemon.

A running daemon is asked through its own input: an All Sound Off there silences every channel of
its output. Where none runs, and the output is a port of its own (a synth), the synth is told.
"""

from .errors import PortError
from .ports.clients import list_ports
from .ports.port_names import VIRTUAL
from .ports.system import RtMidiTransport
from .ports.tcp import TcpClient
from .ports.transport import Transport, open_transport
from .routing.active_notes import ALL_SOUND_OFF, ActiveNotes
from .settings.config import Config

ASK = bytes((0xB0, ALL_SOUND_OFF, 0))


def panic(config: Config) -> int:
    """Silence the output; PortError when neither a daemon nor the output is there."""
    daemon = _daemon(config)
    if daemon is not None:
        return _send(daemon, [ASK], "the daemon silenced its output")
    output = config.ports.output
    if output.lower() == VIRTUAL or config.ports.backend == "tcp":
        raise PortError(
            f"no daemon runs here (no MIDI port '{config.ports.name} In', nobody on tcp "
            f"{config.ports.tcp_host}:{config.ports.tcp_port}), so there is nothing to silence"
        )
    synth = open_transport(config.ports.backend, VIRTUAL, output, f"{config.ports.name} panic")
    return _send(synth, list(ActiveNotes().panic()), f"told {synth.name} to be silent")


def _daemon(config: Config) -> Transport | None:
    wanted = f"{config.ports.name} In"
    for backend, direction, name in list_ports():
        if direction == "output" and wanted.lower() in name.lower():
            return RtMidiTransport(backend, VIRTUAL, name, f"{config.ports.name} panic")
    try:
        return TcpClient(config.ports.tcp_host, config.ports.tcp_port)
    except PortError:
        return None


def _send(transport: Transport, messages: list[bytes], said: str) -> int:
    for message in messages:
        transport.send(message)
    transport.close()
    print(said)
    return 0
