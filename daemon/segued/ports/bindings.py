"""RtMidi, through either of its two Python bindings. No other module imports them.

python-rtmidi has wheels up to Python 3.12, supriya-midi from 3.11 on. If both are installed,
python-rtmidi is used, or the one that the environment variable SEGUE_MIDI_BINDING names (the tests
run with both).

A callback stores RtMidi's errors, and they are raised here as `RtMidiFailure`. The callback itself
must not raise: after an exception in it RtMidi 6 never reports an error again.
"""

import contextlib
import ctypes
import os
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from ..errors import PortError
from .port_names import NoBackend

FORCE = "SEGUE_MIDI_BINDING"
NAMES = ("python-rtmidi", "supriya-midi")
APIS = ("LINUX_ALSA", "UNIX_JACK", "MACOSX_CORE", "WINDOWS_MM")
QUEUE = 16384  # messages in RtMidi's queue: 5 s at 3,000 messages per second
HANDED_OVER = 0.05  # seconds; less than any silence before a rest, more than a message takes
LAST_RING = 0.01  # seconds to wait for a last message before the callback is removed


class RtMidiFailure(PortError):
    """RtMidi reported an error: a port has gone, or the MIDI system refuses."""


class Binding(NamedTuple):
    """One of the two bindings: its module, its errors, and the APIs that it supports."""

    name: str
    module: Any
    errors: tuple[type[Exception], ...]
    apis: dict[str, Any]
    """Name of each API that it is built with ("LINUX_ALSA", "UNIX_JACK" ...) -> its value."""


@cache
def _load(name: str) -> Binding | str:
    """The binding of this name; or why it does not load; or "" when it is not installed."""
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
    """The binding to use. Raises NoBackend when there is none."""
    forced = os.environ.get(FORCE, "")
    if forced and forced not in NAMES:
        raise NoBackend(f"{FORCE} is '{forced}'", f"set it to {' or '.join(NAMES)}, or unset it")
    wanted = (forced,) if forced else NAMES
    why_not = []
    for name in wanted:
        found = _load(name)
        if isinstance(found, Binding):
            return found
        if found:
            why_not.append(f"{name} does not load ({found})")
    if why_not:
        raise NoBackend("; ".join(why_not), "install the missing library")
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    raise NoBackend(
        f"{' or '.join(wanted)} is not installed",
        f"pip install '{wanted[-1]}'; if it has no wheel for {python} on "
        f"{sysconfig.get_platform()}, use a Python version for which it has one",
    )


@cache
def _prefer_the_systems_libjack() -> None:
    """Load the system's libjack first, so that it is used instead of the one in a wheel.

    A wheel's libjack has the protocol of its version: supriya-midi's (1.9.14) finds no server of
    version 1.9.20 or later, and no wheel's finds PipeWire, which replaces the system's libjack.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # JACK is not installed
            ctypes.CDLL("libjack.so.0", mode=ctypes.RTLD_GLOBAL)


class Client:
    """One client of a MIDI system, for one direction. Any method may raise RtMidiFailure."""

    def __init__(self, of: Binding, make: Any, *arguments: Any) -> None:
        self._errors = of.errors
        self._reported: list[str] = []
        self._raw = self._call(make, *arguments)
        self._raw.set_error_callback(self._report)
        try:
            self.count()  # RtMidi 6 does not report a missing server before this
        except RtMidiFailure:
            self.delete()
            raise

    def ports(self) -> list[str]:
        """The names of all ports that this client can connect to."""
        return [self.port(number) for number in range(self.count())]

    def count(self) -> int:
        """The number of these ports."""
        return int(self._call(self._raw.get_port_count))

    def port(self, number: int) -> str:
        """The name of one of these ports."""
        try:
            return str(self._call(self._raw.get_port_name, number))
        except UnicodeDecodeError as error:  # supriya-midi, for a name that is not UTF-8
            return bytes(error.object).decode("utf-8", "replace")

    def open_port(self, number: int, own_name: str) -> None:
        """Connect to a port by its number."""
        self._call(self._raw.open_port, number, own_name)

    def open_virtual_port(self, own_name: str) -> None:
        """Open a virtual port, to which other programs connect."""
        self._call(self._raw.open_virtual_port, own_name)

    def close_port(self) -> None:
        """Close the port. Another one can then be opened."""
        self._call(self._raw.close_port)

    def delete(self) -> None:
        """Leave the MIDI system. Nothing else may be called afterwards."""
        self._raw.delete()

    def keep_for_ever(self) -> None:
        """Add a reference, so that Python does not close the client at exit."""
        for each in (self, self._raw):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(each))

    def _call(self, method: Any, *arguments: Any) -> Any:
        try:
            answer = method(*arguments)
        except self._errors as error:
            self._reported.append(str(error))
        if self._reported:
            text = "; ".join(self._reported)
            self._reported.clear()
            raise RtMidiFailure(
                f"the MIDI system refuses ({text}): restart it, or plug the device in again"
            )
        return answer

    def _report(self, kind: object, text: str, data: object) -> None:
        self._reported.append(text)


class Output(Client):
    """A client that sends."""

    def __init__(self, of: Binding, api: Any, name: str) -> None:
        super().__init__(of, of.module.MidiOut, api, name)
        self._send = self._raw.send_message

    def send(self, message: bytes) -> None:
        """Send a message. Under 1 µs on JACK."""
        self._call(self._send, message)

    def close(self, rest: Callable[[], object]) -> None:
        """Close the port, then leave the MIDI system.

        `rest` returns when no call of JACK's that has begun by then goes on. RtMidi 5 frees its
        ring before it leaves the server, and a call that had begun while the port was open still
        reads the ring. That crashed once in 165 times. Closing the port takes a second if the
        server leaves this client out.
        """
        with contextlib.suppress(RtMidiFailure):
            self.close_port()
        rest()
        self.delete()


class Input(Client):
    """A client that receives: it is polled (`get`), or sleeps until a message arrives (`sleep`).

    JACK calls a callback in its own real-time thread. A Python callback waits there for the
    interpreter lock, which another thread may hold for milliseconds, and the whole audio graph
    waits with it. So a callback is set only while this thread sleeps. It is called once, for the
    first message after a rest, and removes itself in RtMidi's thread: removing it in this thread,
    while RtMidi reads it, would crash. It wakes this thread by a Python lock, because releasing one
    does not release the interpreter lock, as writing to a pipe would.
    """

    def __init__(self, of: Binding, api: Any, name: str) -> None:
        super().__init__(of, of.module.MidiIn, api, name, QUEUE)
        self._raw.ignore_types(sysex=True, timing=False, active_sense=True)
        self._get = self._raw.get_message
        self._bell = threading.Lock()
        self._bell.acquire()
        self._listening = False  # whether the callback is set
        self._since = 0.0  # when it was set
        self._woken: tuple[bytes, bool] | None = None  # a message, and whether it is the second
        python_rtmidi = of.name == NAMES[0]
        self._callback = self._ring_pair if python_rtmidi else self._ring  # kept: it is borrowed

    def get(self) -> bytes | None:
        """The next message, or None (after 0.2 µs)."""
        if self._woken is None:
            got = None if self._listening else self._get()
            return None if got is None else bytes(got[0])
        if self._listening:  # the callback has not yet ended
            return None
        message, second = self._woken
        if second:  # the first is in RtMidi's queue
            first = self._get()
            if first is not None:
                self._woken = message, False
                return bytes(first[0])
        self._woken = None
        return message

    def sleep(self, seconds: float) -> None:
        """Return as soon as a message arrives, or after `seconds`.

        Use this only after a second without messages. A message that arrives just when this begins
        stays in RtMidi's queue until the next one; the time between the two shows their order.
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
        """Remove the callback, before the port is closed."""
        if self._listening:
            self._bell.acquire(timeout=LAST_RING)
        if self._listening:
            self._raw.cancel_callback()
            self._listening = False

    def _ring(self, message: list[int], gap: float, data: object) -> None:
        """The callback, called in RtMidi's thread (on JACK, the real-time thread)."""
        listened = time.monotonic() - self._since
        self._woken = bytes(message), 0 < gap < listened + HANDED_OVER
        self._raw.cancel_callback()
        self._listening = False
        if self._bell.locked():
            self._bell.release()

    def _ring_pair(self, pair: tuple[list[int], float], data: object) -> None:
        self._ring(*pair, data)
