"""MIDI ports of the operating system. The only room that knows rtmidi.

Input is polled on every backend: on JACK a Python callback would run in JACK's own real-time
thread, and the whole audio graph would wait for the interpreter lock.
"""

import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ..routing.midi_stream import is_message
from . import alsa_watch
from .alsa_watch import AlsaWatch
from .jack_watch import JackWatch, NoWatch, threads_now, unix_sockets
from .port_names import VIRTUAL, NoBackend, choose, plain

try:
    import rtmidi
except ImportError as error:  # its wheel needs the system's libasound, which a container may lack
    rtmidi, _why_not = None, str(error)

QUEUE = 16384  # messages that RtMidi keeps for us: 5 s of a flood of 3,000 a second
POLL = 0.0005  # seconds between looks at the input while nothing is due
STUCK_PATIENCE = 1.0  # seconds in which a server that hung must show that it moves again


class Backend(NamedTuple):
    """A MIDI system: people's name for it, rtmidi's, and what is so and helps where it is not."""

    label: str
    api: str
    missing: str
    remedy: str


BACKENDS = {
    "alsa": Backend(
        "ALSA",
        "API_LINUX_ALSA",
        "no ALSA sequencer here",
        "'modprobe snd-seq' loads it, and users in group audio may open it",
    ),
    "jack": Backend(
        "JACK",
        "API_UNIX_JACK",
        "no JACK server is running for this user",
        "start one (qjackctl does)",
    ),
    "coremidi": Backend("CoreMIDI", "API_MACOSX_CORE", "no CoreMIDI here", "log in to a session"),
    "winmm": Backend("WinMM", "API_WINDOWS_MM", "no Windows MIDI here", "plug a device in"),
}
_NATURAL = {"linux": ("alsa", "jack"), "darwin": ("coremidi",), "win32": ("winmm",)}
HERE = _NATURAL.get(sys.platform, ())
"""The backends that `auto` tries on this operating system, the natural one first."""


def list_ports() -> list[tuple[str, str, str]]:
    """(backend, "input" or "output", name) of all that can be connected here.

    Opens and closes clients; not for a process that has a transport open on a dead server.
    """
    found = []
    for backend in HERE:
        with contextlib.suppress(NoBackend), _quiet():
            clients = _open_clients(backend, "Segue lists ports")
            for direction, client in (("input", clients.input), ("output", clients.output)):
                found += [(backend, direction, plain(name)) for name in client.get_ports()]
            clients.close()
    return found


class RtMidiTransport:
    """MIDI in and out through rtmidi. All methods belong to one thread.

    `input_port` and `output_port` are "virtual" (our own port, named `client_name` In or Out) or a
    part of the name of a port to connect to. Raises PortError. When its server has died, close it
    before anything else of rtmidi is opened.
    """

    def __init__(
        self, backend: str, input_port: str, output_port: str, client_name: str = "Segue"
    ) -> None:
        if backend == "winmm" and VIRTUAL in (input_port, output_port):
            raise NoBackend(
                "Windows has no virtual MIDI ports",
                "name ports.input and ports.output (loopMIDI makes cables between programs)",
            )
        self.backend = backend
        self._held: bytes | None = None
        self._closed = self._lost = False
        self.welcome: Callable[[], Iterable[bytes]] = tuple
        with _quiet():
            self._clients = _open_clients(backend, client_name)
            try:
                self._from = _End(self._clients.input, "input", input_port, f"{client_name} In")
                self._to = _End(self._clients.output, "output", output_port, f"{client_name} Out")
            except BaseException:
                self._clients.close()
                raise
        self._input, self._output, self._watch = self._clients
        self._watch.settle()
        self.name = f"{BACKENDS[backend].label}, ports '{self._from.name}' and '{self._to.name}'"

    def receive(self) -> bytes | None:
        """The next complete message, or None. Never blocks; 0.5 µs where there is none.

        Clock messages are among them; system exclusive and active sensing are not.
        """
        message = self._held
        if message is not None:
            self._held = None
            return message
        if self._closed:
            return None
        while (got := self._input.get_message()) is not None:
            message = bytes(got[0])
            if is_message(message):
                return message
        return None

    def send(self, message: bytes) -> None:
        """Put a complete message on its way. Never raises; costs under 1 µs (JACK).

        When one could not be sent, `alive` is False from then on and nothing more goes out: what
        got lost may be a note-off. A server that hangs may take 0.25 s until that is certain, once.
        """
        if self._lost or not self._watch.room(len(message)):
            self._lost = True
            return
        try:
            self._output.send_message(message)
        except rtmidi.RtMidiError:
            self._lost = True

    def wait(self, seconds: float) -> None:
        """Return when a message has come or after `seconds`, late by one wake-up (0.1 ms).

        Polls: a message is seen up to `POLL` late, and waiting takes some 3 % of a core.
        """
        deadline = time.perf_counter() + seconds
        while self._held is None:
            self._held = self.receive()
            left = deadline - time.perf_counter()
            if self._held is not None or left <= 0:
                return
            time.sleep(min(left, POLL))

    def alive(self) -> bool:
        """Whether the server and the named ports are there and all that was sent went out.

        For the hot loop about once a second. Measured on JACK: 2.4 µs, with two named ports 0.1 ms,
        and 0.5 ms once after ports came or went (24 clients); see `_End.there`. When the input
        alone is gone, what is sent still goes out.
        """
        if self._lost:
            return False
        heard, hears = self._watch.peers()
        self._lost = not (self._watch.alive() and self._to.there() and self._to.joined(hears))
        return not self._lost and self._from.there() and self._from.joined(heard)

    def peers(self) -> tuple[int, int]:
        """How many ports are connected to the input and to the output; -1: cannot be known."""
        return self._watch.peers()

    def close(self) -> None:
        """Let what was sent go out, then take the ports away. Idempotent.

        Takes 0.1 s; 1 s when the server has died. A server that hangs keeps the clients: closing
        them would never return, so that waits until it moves on or dies.
        """
        if self._closed:
            return
        self._closed = self._lost = True
        self._held = None
        if not self._watch.drain() and self._watch.alive():
            self._clients.abandon()
        else:
            with _quiet():
                self._clients.close()


class _End:
    """Our own virtual port, or the connection to the port that `pattern` names."""

    def __init__(self, client: Any, direction: str, pattern: str, own_name: str) -> None:
        self._client = client
        self._number, self._full = -1, ""
        self.name = own_name
        if pattern.lower() == VIRTUAL:
            client.open_virtual_port(own_name)
            return
        names = client.get_ports()
        self._number = choose(names, pattern, direction)
        self._full = names[self._number]
        self.name = plain(self._full)
        client.open_port(self._number, own_name)

    def joined(self, peers: int) -> bool:
        """Whether the connection to the named port is there, `peers` being how many there are.

        It is not when the port went and came back under the same name between two looks.
        """
        return not self._full or peers != 0

    def there(self) -> bool:
        """Whether the named port is still there.

        Two questions to the system while the numbers stay as they are; a whole list after a change.
        """
        if not self._full:
            return True
        client = self._client
        try:
            count = client.get_port_count()
            if self._number < count and client.get_port_name(self._number) == self._full:
                return True
            names = client.get_ports()
        except rtmidi.RtMidiError:
            return False
        if self._full not in names:
            return False
        self._number = names.index(self._full)
        return True


class _Clients(NamedTuple):
    """rtmidi's two clients, which only `delete` really closes, and who watches them."""

    input: Any
    output: Any
    watch: JackWatch | NoWatch

    def close(self) -> None:
        for client in (self.output, self.input):
            self.watch.settle()
            client.delete()
        self.watch.close()

    def abandon(self) -> None:
        """Leave them as they are: one more reference keeps Python from closing them at its exit."""
        for client in (self.input, self.output):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))
        _abandoned.append(self)


_abandoned: list[_Clients] = []


def _open_clients(backend: str, name: str) -> _Clients:
    """Clients without ports. Raises NoBackend."""
    about = BACKENDS[backend]
    if rtmidi is None:
        raise NoBackend(f"python-rtmidi does not load ({_why_not})", "install what it lacks")
    api = getattr(rtmidi, about.api)
    if api not in rtmidi.get_compiled_api():
        raise NoBackend(f"this python-rtmidi is built without {about.label}", "install its wheel")
    if backend == "jack":
        _close_abandoned()
        os.environ.setdefault("JACK_NO_START_SERVER", "1")
    sockets, lists = unix_sockets(), [alsa_watch.read()]
    opened: list[Any] = []
    try:
        opened.append(rtmidi.MidiIn(api, name, QUEUE))
        threads = threads_now()
        lists.append(alsa_watch.read())
        opened.append(rtmidi.MidiOut(api, name))
        lists.append(alsa_watch.read())
    except rtmidi.RtMidiError:
        for client in opened:
            client.delete()
        raise NoBackend(about.missing, about.remedy) from None
    for client in opened:
        client.set_error_callback(_raise)
    opened[0].ignore_types(sysex=True, timing=False, active_sense=True)
    watch: JackWatch | NoWatch = NoWatch()
    if backend == "jack":
        watch = JackWatch(unix_sockets() - sockets, threads_now() - threads)
    elif backend == "alsa":
        before, between, after = lists
        watch = AlsaWatch(
            alsa_watch.newcomer(before, between, name), alsa_watch.newcomer(between, after, name)
        )
    return _Clients(opened[0], opened[1], watch)


def _close_abandoned() -> None:
    """Clients of a server that hung must be gone before libjack opens new ones."""
    while _abandoned:
        clients = _abandoned[-1]
        if not clients.watch.drain(STUCK_PATIENCE) and clients.watch.alive():
            raise NoBackend("the JACK server does not answer", "restart it")
        clients.close()
        _abandoned.pop()


def _raise(kind: int, text: str, _: object) -> None:
    """rtmidi's own handler makes Python warnings of some errors, which nobody would see."""
    raise rtmidi.RtMidiError(text, type=kind)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep off the terminal what libjack and libasound write there of their own accord.

    Everything that the process writes to stderr meanwhile is lost.
    """
    try:
        kept = os.dup(2)
    except OSError:  # a daemon may have none
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
