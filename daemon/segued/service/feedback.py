"""Shows the values of knobs on the controllers that turn them: a process beside the daemon.

    python -m segued.service.feedback STATE_FILE BACKEND PORT

It reads the event ring and sends to PORT of the MIDI system BACKEND: part of a port's name, or
`virtual`. The port is separate, so its messages never reach the synth or come back as input. The
process ends when its standard input ends, that is with the daemon.
"""

import math
import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..control.feedback import messages_for
from ..control.knobs import KNOBS
from ..control.mapping import Mapped, mapped_of
from ..errors import PortError, SegueError
from ..midi.messages import CHANNEL_MASK, KIND_MASK, NOTE_ON, is_note_off
from ..ports.bindings import Output, RtMidiFailure, binding
from ..ports.port_names import VIRTUAL, choose
from ..ports.rtmidi_clients import BACKENDS
from ..system import realtime
from .command_sender import ENDING, CommandSender
from .event_ring import KNOB, Event
from .log import warn
from .state_reader import Reader

FRAME = 1 / 30  # seconds
REST = 0.15  # seconds after which a knob is no longer being turned
WATCH_EVERY, WATCH_FOR = 1.0, 3.0
TRY_AGAIN = 5.0  # seconds between two attempts to open the port
REPEAT = 1.0  # seconds after which all is sent once more: a new connection may not carry at first
CALL = 0.1  # seconds; longer than a call of RtMidi's in JACK's thread
NAME = "Feedback"


class Feedback:
    """Sends the values of knobs to the `controls` that turn them.

    It sends a value only `REST` after the last change, so that no motor works against a hand.
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self.controls: list[Mapped] = []
        self._values: dict[str, Any] = {}
        self._moved: dict[
            str, float
        ] = {}  # knobs not yet shown, with the times of their last changes
        self._shown: dict[tuple[int, int, int], bytes] = {}  # by kind, channel and number

    def map(self, controls: list[Mapped]) -> None:
        """Use these controls from now on."""
        if controls != self.controls:
            self.controls = controls
            self._moved = dict.fromkeys(self._values, 0.0)

    def repeat(self) -> None:
        """Show everything again."""
        self._shown.clear()
        self._moved |= {name: 0.0 for name in self._values if name not in self._moved}

    def hear(self, event: Event) -> None:
        """Process an event. Only changes of knobs matter."""
        if event.kind == KNOB and event.a < len(KNOBS):
            knob = KNOBS[event.a]
            value: Any = event.value
            if knob.choices:
                value = knob.choices[int(value)]
            if self._values.get(knob.name) != value:
                self._values[knob.name] = value
                self._moved[knob.name] = event.time

    def show(self, now: float) -> None:
        """Send the values that have not changed for `REST`."""
        for name in [name for name, moved in self._moved.items() if now >= moved + REST]:
            del self._moved[name]
            for mapped in self.controls:
                if mapped.name == name:
                    for message in messages_for(mapped, self._values[name]):
                        self._show(message)

    def _show(self, message: bytes) -> None:
        kind = NOTE_ON if is_note_off(message) else message[0] & KIND_MASK
        place = kind, message[0] & CHANNEL_MASK, message[1]
        if self._shown.get(place) != message:
            self._shown[place] = message
            self._send(message)


def open_output(backend: str, pattern: str) -> Output:
    """A port to send to. Raises PortError."""
    if backend not in BACKENDS:
        raise PortError(f"there are no controllers on {backend or 'no MIDI system'}")
    found = binding()
    output = Output(found, found.apis[BACKENDS[backend].api], f"Segue {NAME}")
    try:
        if pattern == VIRTUAL:
            output.open_virtual_port(f"Segue {NAME}")
        else:
            output.open_port(choose(output.ports(), pattern, "output"), NAME)
    except PortError:
        output.delete()
        raise
    return output


def follow(state_file: Path, output: Output, until: int) -> None:
    """Send values until the descriptor `until` ends. Raises RtMidiFailure if the port is lost."""
    reader, commands = Reader(state_file), CommandSender(state_file.with_suffix(ENDING))
    events, feedback = reader.events(), Feedback(output.send)
    watched, told = 0.0, False
    repeat = time.perf_counter() + REPEAT
    while True:
        now = time.perf_counter()
        if now > repeat:
            repeat = math.inf
            feedback.repeat()
        if not watched or now - watched > WATCH_EVERY:
            watched = now
            commands.send("watch", WATCH_FOR)
            told = told or commands.send("restate")
            written = reader.read().facts.get("controls", [])
            feedback.map([mapped_of(dict(each)) for each in written])
        for event in events.read():
            feedback.hear(event)
        feedback.show(now)
        if select.select([until], (), (), FRAME)[0] and not os.read(until, 64):
            return


def main(state_file: str, backend: str, pattern: str) -> int:
    """Send values until standard input ends. Waits for a port that does not exist yet."""
    realtime.ordinary()
    until, warned = sys.stdin.fileno(), ""
    while True:
        try:
            output = open_output(backend, pattern)
        except SegueError as error:
            if str(error) != warned:
                warned = str(error)
                warn(f"no feedback to controllers yet (control.feedback): {warned}")
        else:
            try:
                follow(Path(state_file), output, until)
                return 0
            except RtMidiFailure as error:
                warn(f"no feedback to controllers now: {error}")
            finally:
                output.close(lambda: time.sleep(CALL))
        if select.select([until], (), (), TRY_AGAIN)[0] and not os.read(until, 64):
            return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
