"""`segued panic`: silence, from outside the daemon.

A running daemon is asked through its own input: an All Sound Off there silences every channel of
its output. Where none runs, and the output is a port of its own (a synth), the synth is told.
"""

from ..errors import PortError
from ..midi.messages import ALL_SOUND_OFF, control_change
from ..player.active_notes import ActiveNotes
from ..ports.port_names import VIRTUAL
from ..ports.rtmidi_clients import list_ports
from ..ports.rtmidi_transport import RtMidiTransport
from ..ports.tcp import TcpClient
from ..ports.transport import Transport, open_client, open_transport
from ..service.status import about, find
from ..service.status_text import Status
from ..settings.config import Config

ASK = control_change(0, ALL_SOUND_OFF)


def panic(config: Config) -> int:
    """Silence the output; PortError when neither a daemon nor the output is there."""
    running = _running(config.ports.name)
    connected = running is not None and running["ports"]["connected"]
    if running is None or connected:
        daemon = _input_of(running, config)
        if daemon is not None:
            return _send(daemon, [ASK], "the daemon silenced its output")
    output = running["ports"]["output"] if running else ""
    output = output or config.ports.output
    if running is not None and not connected and output.lower() in (VIRTUAL, _own_output(running)):
        raise PortError(f"'{running['name']}' has no ports now, so nothing of it can be silenced: "
                        f"{running['why'][0]}")  # fmt: skip
    if running is not None and output.lower() == _own_output(running):
        raise PortError(
            f"'{running['name']}' listens to '{running['ports']['input']}', where nothing can be "
            "sent from here: send All Sound Off (CC 120) there, or stop process "
            f"{running['process']}"
        )
    if output.lower() in ("", VIRTUAL) or (running is None and config.ports.backend == "tcp"):
        raise PortError(
            f"no daemon of yours runs here as '{config.ports.name}', so there is nothing to "
            "silence (for one on tcp that somebody else started: --set ports.backend=tcp)"
        )
    synth = open_transport(config.ports.backend, VIRTUAL, output, f"{config.ports.name} panic")
    return _send(synth, list(ActiveNotes().panic()), f"told {synth.name} to be silent")


def _running(name: str) -> Status | None:
    """What the daemon of that name says of itself; None where none answers."""
    try:
        return about(find(name))
    except PortError:
        return None


def _own_output(running: Status) -> str:
    return f"{running['name']} Out".lower()


def _input_of(running: Status | None, config: Config) -> Transport | None:
    """The input of the daemon that runs, or of one that does not answer but has the port.

    On tcp anything may listen: only what the daemon itself or the settings name is written to.
    """
    if running is not None and running["ports"]["backend"] == "tcp":
        return open_client("tcp", running["ports"]["input"])
    port = f"{config.ports.name if running is None else running['name']} In".lower()
    for backend, direction, name in list_ports():
        if direction == "output" and name.rpartition(":")[2].strip().lower() == port:
            return RtMidiTransport(backend, VIRTUAL, name, f"{config.ports.name} panic")
    if running is None and config.ports.backend == "tcp":
        return TcpClient(config.ports.tcp_host, config.ports.tcp_port)
    return None


def _send(transport: Transport, messages: list[bytes], said: str) -> int:
    for message in messages:
        transport.send(message)
    transport.close()
    print(said)
    return 0
