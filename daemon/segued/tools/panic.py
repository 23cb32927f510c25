"""`segued panic`: silences the output.

It sends All Sound Off to the input of a running daemon, which then silences every channel of its
output. If none runs and the settings name an output port (a synth), it silences that directly.
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
    """Silence the output. Raises PortError when there is neither a daemon nor an output port."""
    running = _running(config.ports.name)
    connected = running is not None and running["ports"]["connected"]
    if running is None or connected:
        daemon = _input_of(running, config)
        if daemon is not None:
            return _send(daemon, [ASK], "the daemon silenced its output")
    output = running["ports"]["output"] if running else ""
    output = output or config.ports.output
    if running is not None and not connected and output.lower() in (VIRTUAL, _own_output(running)):
        raise PortError(f"'{running['name']}' has no ports now, so there is nothing to silence: "
                        f"{running['why'][0]}")  # fmt: skip
    if running is not None and output.lower() == _own_output(running):
        raise PortError(
            f"'{running['name']}' listens to '{running['ports']['input']}', to which this command "
            "cannot send: send All Sound Off (CC 120) from there, or stop process "
            f"{running['process']}"
        )
    if output.lower() in ("", VIRTUAL) or (running is None and config.ports.backend == "tcp"):
        raise PortError(
            f"no daemon of yours runs as '{config.ports.name}', so there is nothing to silence "
            "(for one on tcp of another user: --set ports.backend=tcp)"
        )
    synth = open_transport(config.ports.backend, VIRTUAL, output, f"{config.ports.name} panic")
    return _send(synth, list(ActiveNotes().panic()), f"silenced {synth.name}")


def _running(name: str) -> Status | None:
    """The status of the running daemon of that name; None when there is none."""
    try:
        return about(find(name))
    except PortError:
        return None


def _own_output(running: Status) -> str:
    return f"{running['name']} Out".lower()


def _input_of(running: Status | None, config: Config) -> Transport | None:
    """The input of the running daemon, or the port that would be its input.

    On tcp any program may listen, so only the address in the status or in the settings is used.
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
