"""RtMidi, through whichever of its two Python bindings is installed: the only room that knows them.

python-rtmidi has wheels up to Python 3.12, supriya-midi from 3.11 on. Where both are there
python-rtmidi is taken, or the one that the environment variable SEGUE_MIDI_BINDING names: the tests
run through both that way.

What RtMidi complains of is written down by a callback and raised here as `RtMidiFailure`. Nothing
may be raised in that callback: after an exception RtMidi 6 reports no error ever again.
"""

import contextlib
import ctypes
import os
import sys
import sysconfig
import threading
import time
from functools import cache
from typing import Any, NamedTuple

from ..errors import PortError
from .port_names import NoBackend

FORCE = "SEGUE_MIDI_BINDING"
NAMES = ("python-rtmidi", "supriya-midi")
APIS = ("LINUX_ALSA", "UNIX_JACK", "MACOSX_CORE", "WINDOWS_MM")
QUEUE = 16384  # messages that RtMidi keeps for us: 5 s of a flood of 3,000 a second
HANDED_OVER = 0.05  # seconds; less than any silence before a rest, more than a message takes
LAST_RING = 0.01  # seconds that a message has to come before the callback is taken away unused


class RtMidiFailure(PortError):
    """What RtMidi could not do: a port that went away meanwhile, a system that refuses."""


class Binding(NamedTuple):
    """One of the two: its module, its errors, and the few things that it calls otherwise."""

    name: str
    module: Any
    errors: tuple[type[Exception], ...]
    apis: dict[str, Any]
    """RtMidi's systems that it is built with, by RtMidi's name: "LINUX_ALSA", "UNIX_JACK" ..."""


@cache
def _load(name: str) -> Binding | str:
    """The binding of this name; why it does not load; "" where it is not installed."""
    _prefer_the_systems_libjack()
    try:
        if name == "python-rtmidi":
            import rtmidi

            there = rtmidi.get_compiled_api()
            numbers = {api: getattr(rtmidi, f"API_{api}") for api in APIS}
            apis = {api: number for api, number in numbers.items() if number in there}
            return Binding(name, rtmidi, (rtmidi.RtMidiError,), apis)
        import supriya_midi

        apis = {api.name: api for api in supriya_midi.get_compiled_apis()}
        # RuntimeError: what the C++ of a constructor throws
        return Binding(name, supriya_midi, (supriya_midi.RtMidiError, RuntimeError), apis)
    except ModuleNotFoundError:
        return ""
    except ImportError as error:  # a wheel needs the system's libasound, which a container may lack
        return str(error)


def binding() -> Binding:
    """The one to be used. Raises NoBackend."""
    forced = os.environ.get(FORCE, "")
    if forced and forced not in NAMES:
        raise NoBackend(f"{FORCE} is '{forced}'", f"make it {' or '.join(NAMES)}, or unset it")
    wanted = (forced,) if forced else NAMES
    why_not = []
    for name in wanted:
        found = _load(name)
        if isinstance(found, Binding):
            return found
        if found:
            why_not.append(f"{name} does not load ({found})")
    if why_not:
        raise NoBackend("; ".join(why_not), "install what it lacks")
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    raise NoBackend(
        f"{' or '.join(wanted)} is not installed",
        f"pip install '{wanted[-1]}'; where it has no wheel for {python} on "
        f"{sysconfig.get_platform()}, use a Python for which it has one",
    )


@cache
def _prefer_the_systems_libjack() -> None:
    """Load it so that it goes before the one in a wheel.

    A wheel's libjack speaks the protocol of its own day: supriya-midi's (1.9.14) finds no server of
    version 1.9.20 or later, and none finds PipeWire, whose libjack takes the place of the system's.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # no JACK here
            ctypes.CDLL("libjack.so.0", mode=ctypes.RTLD_GLOBAL)


class Client:
    """One client of a MIDI system, for one direction. Any method may raise RtMidiFailure."""

    def __init__(self, of: Binding, make: Any, *arguments: Any) -> None:
        self._errors = of.errors
        self._complaints: list[str] = []
        self._raw = self._ask(make, *arguments)
        self._raw.set_error_callback(self._complain)
        try:
            self.count()  # RtMidi 6 is silent about a missing server until then
        except RtMidiFailure:
            self.delete()
            raise

    def ports(self) -> list[str]:
        """The names of all ports that it could be connected to."""
        return [self.port(number) for number in range(self.count())]

    def count(self) -> int:
        """How many ports there are."""
        return int(self._ask(self._raw.get_port_count))

    def port(self, number: int) -> str:
        """The name of one of them."""
        try:
            return str(self._ask(self._raw.get_port_name, number))
        except UnicodeDecodeError as error:  # supriya-midi, for what is no UTF-8
            return bytes(error.object).decode("utf-8", "replace")

    def open_port(self, number: int, own_name: str) -> None:
        """Connect to a port by its number."""
        self._ask(self._raw.open_port, number, own_name)

    def open_virtual_port(self, own_name: str) -> None:
        """Be a port that others connect to."""
        self._ask(self._raw.open_virtual_port, own_name)

    def close_port(self) -> None:
        """Give the port up; another can be opened."""
        self._ask(self._raw.close_port)

    def delete(self) -> None:
        """Leave the MIDI system. Nothing else may be called afterwards."""
        self._raw.delete()

    def keep_for_ever(self) -> None:
        """One more reference keeps Python from closing it at its exit."""
        for each in (self, self._raw):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(each))

    def _ask(self, method: Any, *arguments: Any) -> Any:
        try:
            answer = method(*arguments)
        except self._errors as error:
            self._complaints.append(str(error))
        if self._complaints:
            text = "; ".join(self._complaints)
            self._complaints.clear()
            raise RtMidiFailure(f"the MIDI system refuses ({text}): restart it, or plug in again")
        return answer

    def _complain(self, kind: object, text: str, data: object) -> None:
        self._complaints.append(text)


class Output(Client):
    """Sends."""

    def __init__(self, of: Binding, api: Any, name: str) -> None:
        super().__init__(of, of.module.MidiOut, api, name)
        self._send = self._raw.send_message

    def send(self, message: bytes) -> None:
        """Put a message on its way. Under 1 µs on JACK."""
        self._ask(self._send, message)


class Input(Client):
    """Receives: it is asked for messages (`get`), or sleeps until one comes (`sleep`).

    A callback into Python would be called in JACK's own real-time thread, and all of the audio
    graph would wait for the interpreter, which another thread may hold for milliseconds. So the
    callback is there only while this thread sleeps and holds nothing. It is called once, for the
    first message after a rest, and takes itself away in RtMidi's own thread: to take it away from
    this one, while RtMidi reads it, would be a crash. The bell is a lock because to release one
    does not let go of the interpreter, as writing to a pipe does; JACK would wait to get it back.
    """

    def __init__(self, of: Binding, api: Any, name: str) -> None:
        super().__init__(of, of.module.MidiIn, api, name, QUEUE)
        self._raw.ignore_types(sysex=True, timing=False, active_sense=True)
        self._get = self._raw.get_message
        self._bell = threading.Lock()
        self._bell.acquire()
        self._listening = False
        self._since = 0.0  # when it began to listen
        self._woken: tuple[bytes, bool] | None = None  # a message, and whether it is the second
        python_rtmidi = of.name == NAMES[0]
        self._callback = self._ring_pair if python_rtmidi else self._ring  # kept: it is borrowed

    def get(self) -> bytes | None:
        """The next message, or None. 0.2 µs where there is none."""
        if self._woken is None:
            got = None if self._listening else self._get()
            return None if got is None else bytes(got[0])
        if self._listening:  # the callback has not yet ended
            return None
        message, second = self._woken
        if second:  # the first waits in RtMidi's queue
            first = self._get()
            if first is not None:
                self._woken = message, False
                return bytes(first[0])
        self._woken = None
        return message

    def sleep(self, seconds: float) -> None:
        """Return as soon as a message comes, or after `seconds`.

        Only when none has come for a second: one that comes in the microsecond in which this
        begins stays in RtMidi's queue until the next, and is told from it by the time between them.
        """
        if not self._listening and self._woken is None:
            waiting = self._get()
            if waiting is not None:
                self._woken = bytes(waiting[0]), False
                return
            self._since = time.monotonic()
            self._listening = True
            self._raw.set_callback(self._callback)
        self._bell.acquire(timeout=seconds)

    def wake(self) -> None:
        """No longer listen: before anything of it is closed."""
        if self._listening:
            self._bell.acquire(timeout=LAST_RING)
        if self._listening:
            self._raw.cancel_callback()
            self._listening = False

    def _ring(self, message: list[int], gap: float, data: object) -> None:
        """In RtMidi's thread: JACK's own, on JACK."""
        listened = time.monotonic() - self._since
        self._woken = bytes(message), 0 < gap < listened + HANDED_OVER
        self._raw.cancel_callback()
        self._listening = False
        if self._bell.locked():
            self._bell.release()

    def _ring_pair(self, pair: tuple[list[int], float], data: object) -> None:
        self._ring(*pair, data)
