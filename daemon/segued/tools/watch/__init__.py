"""`segued watch` shows a running daemon in a terminal, for example over ssh.

It shows what the page shows, and has the same keys. It needs only the state file and the command
port.
"""

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from ...errors import UsageError
from ...service.command_sender import ENDING, CommandSender
from ...service.state_reader import Reader
from ...service.status import find
from ...service.status_text import Status, status_of
from ...settings.config import Config
from .keys import KeyReader
from .music import Music
from .screen import ASCII, COLOURS, UNICODE, Screen

try:
    import termios
    import tty
except ImportError:  # Windows
    termios = None  # type: ignore[assignment]

FRAME = 0.1  # seconds
STATUS_EVERY = 0.5
WATCH_EVERY, WATCH_FOR = 1.0, 3.0
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # another screen, no cursor
SMALLEST = (40, 16)


def watch(config: Config) -> int:
    """Show the daemon until `q`. Raises PortError (no daemon) or UsageError (no terminal)."""
    if termios is None:
        raise UsageError("watch needs a terminal as Unix has it: open the page instead")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("watch needs a terminal (over ssh: ssh -t); `segued status` needs none")
    view = Watch(find(config.ports.name))
    try:
        with _terminal():
            view.run()
    finally:
        view.close()
    return 0


class Watch:
    """Shows the daemon of a state file in the terminal of this process."""

    def __init__(self, state_file: Path) -> None:
        self._commands = CommandSender(state_file.with_suffix(ENDING))
        self._reader = Reader(state_file)
        self._events = self._reader.events()
        self._music, self._keys = Music(), KeyReader()
        unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        colours = COLOURS if "NO_COLOR" not in os.environ else None
        self._screen = Screen(UNICODE if unicode else ASCII, colours)
        self._shown: list[str] = []
        self._size = (0, 0)
        self._status: Status = {}
        self._watched = self._told = 0.0
        self._anew = True

    def run(self) -> None:
        """Run until the user quits or the terminal closes."""
        while True:
            now = time.perf_counter()
            self._update(now)
            self._draw(now)
            if select.select([0], (), (), FRAME)[0]:
                data = os.read(0, 256)
                if not data or not self._obey(data):
                    return

    def _update(self, now: float) -> None:
        """Read the new events."""
        if self._anew or now - self._watched > WATCH_EVERY:
            self._commands.send("watch", WATCH_FOR)
            if self._anew:
                self._anew = not self._commands.send("restate")
            self._watched = now
        for event in self._events.read():
            self._music.take(event)
        self._music.tidy(now)
        if now - self._told > STATUS_EVERY:
            self._told = now
            was = self._status.get("process")
            with contextlib.suppress(ValueError):  # in the midst of a write: the next look is soon
                self._status = status_of(self._reader.read(), now)
            self._anew |= was not in (None, self._status.get("process"))

    def _draw(self, now: float) -> None:
        """Write the lines that have changed."""
        size = shutil.get_terminal_size()
        if size != self._size:
            self._size, self._shown = size, []
        if size[0] < SMALLEST[0] or size[1] < SMALLEST[1]:
            lines = [f"make the terminal larger: {SMALLEST[0]} x {SMALLEST[1]}"[: size[0]]]
        else:
            lines = self._screen.lines(self._music, self._status, now, *size)
        parts = ["\x1b[2J"] if not self._shown else []
        for row, line in enumerate(lines):
            if row >= len(self._shown) or self._shown[row] != line:
                parts.append(f"\x1b[{row + 1};1H{line}\x1b[K")
        self._shown = lines
        sys.stdout.write("".join(parts))
        sys.stdout.flush()

    def _obey(self, data: bytes) -> bool:
        """Do what the pressed keys mean. Returns False to quit."""
        for command in self._keys.commands(data, self._music):
            if command[0] == "quit":
                return False
            self._screen.chosen = self._keys.chosen
            self._screen.refused = not (command[0] == "choose" or self._commands.send(*command))
        return True

    def close(self) -> None:
        """Close the files."""
        self._reader.close()
        self._commands.close()


@contextlib.contextmanager
def _terminal() -> Iterator[None]:
    """Put the terminal in cbreak mode with the alternate screen, and restore it at the end."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = termios.tcgetattr(0)
    handlers = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        tty.setcbreak(0)
        sys.stdout.write(ENTER)
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        with contextlib.suppress(OSError, termios.error):  # the terminal is gone
            sys.stdout.write(LEAVE)
            sys.stdout.flush()
            termios.tcsetattr(0, termios.TCSADRAIN, before)
