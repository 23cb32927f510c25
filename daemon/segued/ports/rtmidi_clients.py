"""RtMidi's clients: the MIDI systems of this machine, and opening and closing clients of them."""

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

from . import alsa_health
from .alsa_health import AlsaHealth
from .bindings import Binding, Client, Input, Output, RtMidiFailure, binding
from .jack_calls import left_behind
from .jack_health import JackHealth, NoHealth, threads_now, unix_sockets
from .jack_witness import JackWitness, Server, loaded
from .port_names import NoBackend, plain

NUDGE = 0.02  # seconds between signals
FRESH_STARTS = 5  # attempts to open a first client while no other client is leaving
FIRST_PATIENCE = 12.0  # seconds for the first answer of all: a predecessor may have been killed
PATIENCE = 2.0  # seconds for the first answer of each witness after that


class Backend(NamedTuple):
    """A MIDI system: its name, RtMidi's name, and error and remedy when it is missing."""

    label: str
    api: str
    missing: str
    remedy: str


BACKENDS = {
    "alsa": Backend(
        "ALSA",
        "LINUX_ALSA",
        "no ALSA sequencer here",
        "load it with 'modprobe snd-seq', and add your user to the group audio",
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
"""The backends that `auto` tries on this operating system, in order."""


def list_ports() -> list[tuple[str, str, str]]:
    """(backend, "input" or "output", name) of all ports that can be connected.

    This opens and closes clients. It must not be called while a transport is open on a dead server.
    """
    found = []
    for backend in HERE:
        with contextlib.suppress(NoBackend), quiet():
            clients = open_clients(backend, "Segue lists ports")
            for direction, client in (("input", clients.input), ("output", clients.output)):
                found += [(backend, direction, plain(name)) for name in client.ports()]
            clients.close()
    dismiss_witness()
    return found


class Clients(NamedTuple):
    """RtMidi's two clients, which only `delete` really closes, and the watch over the server."""

    input: Input
    output: Output
    watch: JackHealth | NoHealth

    def close(self) -> None:
        """Close ports and clients."""
        self.watch.unfollow()
        self.input.wake()
        self.watch.settle()
        with contextlib.nullcontext() if self.watch.alive() else _interrupted():
            self.output.close(self.watch.rest)
        self.watch.settle()
        self.input.delete()
        self.watch.close()

    def abandon(self) -> None:
        """Leave the clients open, because closing them would hang."""
        self.watch.unfollow()
        dismiss_witness()  # it found the server before that hung
        self.input.wake()
        _leave(self.input, self.output)
        _abandoned.append(self)


_abandoned: list[Clients] = []
_witnesses: list[JackWitness] = []  # at most one
_patience = [FIRST_PATIENCE]  # seconds for the first answer of the next witness


def open_clients(backend: str, name: str) -> Clients:
    """Open two clients without ports. Raises NoBackend."""
    about, found = BACKENDS[backend], binding()
    if about.api not in found.apis:
        raise NoBackend(f"{found.name} was built without {about.label}", "install its wheel")
    witness = None
    if backend == "jack":
        _close_abandoned()
        os.environ.setdefault("JACK_NO_START_SERVER", "1")
        witness = _ask_witness()
    sockets, earlier, lists = unix_sockets(), threads_now(), [alsa_health.read()]
    opened: list[Client] = []
    try:
        source = _open_input(found, found.apis[about.api], name)
        opened.append(source)
        threads = threads_now()
        lists.append(alsa_health.read())
        target = Output(found, found.apis[about.api], name)
        lists.append(alsa_health.read())
    except RtMidiFailure:
        if backend == "jack":  # libjack has freed the first when it could not open the second
            _leave(*opened)
            dismiss_witness()
        else:
            for client in opened:
                client.delete()
        raise NoBackend(about.missing, about.remedy) from None
    watch: JackHealth | NoHealth = NoHealth()
    if backend == "jack":
        outputs, inputs = threads_now() - threads, threads - earlier
        if loaded("libpipewire"):  # PipeWire's libjack may have other threads, and calls everybody
            inputs = set()
        watch = JackHealth(unix_sockets() - sockets, outputs, inputs, witness)
    elif backend == "alsa":
        before, between, after = lists
        watch = AlsaHealth(
            alsa_health.newcomer(before, between, name), alsa_health.newcomer(between, after, name)
        )
    return Clients(source, target, watch)


def _open_input(found: Binding, api: Any, name: str) -> Input:
    """Open the first client, again while another one is leaving: see `jack_calls`."""
    for _ in range(FRESH_STARTS):
        source = Input(found, api, name)
        if not left_behind():
            return source
        source.delete()  # libjack's table goes with the last client
    return Input(found, api, name)


@contextlib.contextmanager
def _interrupted() -> Iterator[None]:
    """Send this process a signal every `NUDGE` seconds.

    RtMidi 5 waits a second for the server to read the last message, even if the server is dead; a
    signal ends that wait.
    """
    if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
        yield
        return
    handler = signal.signal(signal.SIGALRM, lambda *_: None)
    timer = signal.setitimer(signal.ITIMER_REAL, NUDGE, NUDGE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


def _ask_witness() -> JackWitness:
    """A witness that has found a server, or that knows nothing. Raises NoBackend."""
    if _witnesses and (_witnesses[0].taken or _witnesses[0].ask() is Server.UNKNOWN):
        dismiss_witness()  # it belongs to other clients, or its server has gone
    patience = 0.0
    if not _witnesses:
        _witnesses.append(JackWitness(loaded("libjack")))
        patience = _patience[0]
        _patience[:] = [PATIENCE]
    about, answer = BACKENDS["jack"], _witnesses[0].ask(patience)
    if answer is Server.NONE:
        raise NoBackend(about.missing, about.remedy, watched=True)
    if answer is Server.SILENT:
        raise NoBackend("the JACK server does not answer", "restart it", watched=True)
    return _witnesses[0]


def dismiss_witness() -> None:
    """End the witness that looks for a JACK server, unless it belongs to open clients."""
    while _witnesses:
        witness = _witnesses.pop()
        if not witness.taken:
            witness.close()


atexit.register(dismiss_witness)


def _leave(*clients: Client) -> None:
    """Never delete these clients: if the server hangs or has died, that would hang or crash."""
    atexit.register(_silence_stderr)  # at exit supriya-midi prints which clients are still open
    for client in clients:
        client.keep_for_ever()


def _close_abandoned() -> None:
    """Close the clients of a server that hung, before libjack opens new ones.

    It may serve others again and not these.
    """
    while _abandoned:
        if _abandoned[-1].watch.hangs() and _ask_witness().ask() is not Server.THERE:
            raise NoBackend("the JACK server does not answer", "restart it")
        _abandoned.pop().close()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Discard what libjack and libasound (and anything else) print to stderr meanwhile."""
    try:
        kept = os.dup(2)
    except OSError:  # a daemon may have no stderr
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
