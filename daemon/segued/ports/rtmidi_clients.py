"""RtMidi's clients: which MIDI systems there are, opening two clients on one, giving them back."""

import atexit
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

from . import alsa_health
from .alsa_health import AlsaHealth
from .bindings import Client, Input, Output, RtMidiFailure, binding
from .jack_health import JackHealth, NoHealth, threads_now, unix_sockets
from .port_names import NoBackend, plain

STUCK_PATIENCE = 1.0  # seconds in which a server that hung must show that it moves again


class Backend(NamedTuple):
    """A MIDI system: people's name for it, RtMidi's, and what is so and helps where it is not."""

    label: str
    api: str
    missing: str
    remedy: str


BACKENDS = {
    "alsa": Backend(
        "ALSA",
        "LINUX_ALSA",
        "no ALSA sequencer here",
        "'modprobe snd-seq' loads it, and users in group audio may open it",
    ),
    "jack": Backend(
        "JACK",
        "UNIX_JACK",
        "no JACK server is running for this user",
        "start one (qjackctl does)",
    ),
    "coremidi": Backend("CoreMIDI", "MACOSX_CORE", "no CoreMIDI here", "log in to a session"),
    "winmm": Backend("WinMM", "WINDOWS_MM", "no Windows MIDI here", "plug a device in"),
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
                found += [(backend, direction, plain(name)) for name in client.ports()]
            clients.close()
    return found


class Clients(NamedTuple):
    """RtMidi's two clients, which only `delete` really closes, and who watches them."""

    input: Input
    output: Output
    watch: JackHealth | NoHealth

    def close(self) -> None:
        self.watch.look_away()
        self.input.wake()
        for client in (self.output, self.input):
            self.watch.settle()
            client.delete()
        self.watch.close()

    def abandon(self) -> None:
        """Leave them as they are."""
        self.watch.look_away()
        self.input.wake()
        atexit.register(_silence_stderr)  # supriya-midi lists there what is still open at the exit
        for client in (self.input, self.output):
            client.keep_for_ever()
        _abandoned.append(self)


_abandoned: list[Clients] = []


def open_clients(backend: str, name: str) -> Clients:
    """Clients without ports. Raises NoBackend."""
    about, found = BACKENDS[backend], binding()
    if about.api not in found.apis:
        raise NoBackend(f"{found.name} is built without {about.label} here", "install its wheel")
    if backend == "jack":
        _close_abandoned()
        os.environ.setdefault("JACK_NO_START_SERVER", "1")
    sockets, lists = unix_sockets(), [alsa_health.read()]
    opened: list[Client] = []
    try:
        source = Input(found, found.apis[about.api], name)
        opened.append(source)
        threads = threads_now()
        lists.append(alsa_health.read())
        target = Output(found, found.apis[about.api], name)
        lists.append(alsa_health.read())
    except RtMidiFailure:
        for client in opened:
            client.delete()
        raise NoBackend(about.missing, about.remedy) from None
    watch: JackHealth | NoHealth = NoHealth()
    if backend == "jack":
        watch = JackHealth(unix_sockets() - sockets, threads_now() - threads)
    elif backend == "alsa":
        before, between, after = lists
        watch = AlsaHealth(
            alsa_health.newcomer(before, between, name), alsa_health.newcomer(between, after, name)
        )
    return Clients(source, target, watch)


def _close_abandoned() -> None:
    """Clients of a server that hung must be gone before libjack opens new ones."""
    while _abandoned:
        clients = _abandoned[-1]
        if not clients.watch.drain(STUCK_PATIENCE) and clients.watch.alive():
            raise NoBackend("the JACK server does not answer", "restart it")
        clients.close()
        _abandoned.pop()


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
        _silence_stderr()
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _silence_stderr() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
