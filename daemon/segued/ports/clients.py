"""rtmidi's clients: which MIDI systems there are, opening two clients on one, giving them back. The
only room that knows rtmidi.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from . import alsa_watch
from .alsa_watch import AlsaWatch
from .jack_watch import JackWatch, NoWatch, threads_now, unix_sockets
from .port_names import NoBackend, plain

try:
    import rtmidi
except ImportError as error:  # its wheel needs the system's libasound, which a container may lack
    rtmidi, _why_not = None, str(error)
RtMidiError: type[Exception] = OSError if rtmidi is None else rtmidi.RtMidiError

QUEUE = 16384  # messages that RtMidi keeps for us: 5 s of a flood of 3,000 a second
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
        with contextlib.suppress(NoBackend), quiet():
            clients = open_clients(backend, "Segue lists ports")
            for direction, client in (("input", clients.input), ("output", clients.output)):
                found += [(backend, direction, plain(name)) for name in client.get_ports()]
            clients.close()
    return found


class Clients(NamedTuple):
    """rtmidi's two clients, which only `delete` really closes, and who watches them."""

    input: Any
    output: Any
    watch: JackWatch | NoWatch

    def close(self) -> None:
        self.watch.look_away()
        for client in (self.output, self.input):
            self.watch.settle()
            client.delete()
        self.watch.close()

    def abandon(self) -> None:
        """Leave them as they are: one more reference keeps Python from closing them at its exit."""
        self.watch.look_away()
        for client in (self.input, self.output):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))
        _abandoned.append(self)


_abandoned: list[Clients] = []


def open_clients(backend: str, name: str) -> Clients:
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
    except RtMidiError:
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
    return Clients(opened[0], opened[1], watch)


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
def quiet() -> Iterator[None]:
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
