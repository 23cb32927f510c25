"""`segued watch`: what it draws, what its keys ask for, and a real one at a terminal of its own."""

import os
import re
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.control.knobs import KNOBS
from segued.page.commands import command_from
from segued.player.active_notes import MODEL, PERFORMER
from segued.service.event_ring import (
    KEY,
    KNOB,
    NOTE,
    PLANNED,
    REPLANNED,
    SILENCED,
    TEMPO,
    TURN,
    Event,
)
from segued.tools.live_session import LiveSession
from segued.tools.watch.keys import KeyReader, turned
from segued.tools.watch.music import Music
from segued.tools.watch.screen import ASCII, COLOURS, COLUMN, UNICODE, Screen

from tests.service.test_daemon import segued, status
from tests.support.waiting import wait_for

STATUS = {
    "running": True,
    "name": "Segue",
    "process": 1,
    "ports": {"transport": "tcp", "missing": "", "connected": True, "peers_in": 1, "peers_out": 0},
    "why": ["it waits for you to play"],
    "late_ms": {"median": 0.2, "p99": 0.6},
}
EVENTS = st.lists(
    st.builds(
        Event,
        st.floats(0.0, 20.0),
        st.sampled_from([NOTE, PLANNED, REPLANNED, SILENCED, TURN, KEY, TEMPO]),
        st.integers(0, 127),
        st.integers(0, 127),
        st.integers(0, 127),
        st.floats(0.0, 30.0),
    ),
    max_size=40,
)


def plain(line: str) -> str:
    """A line without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def roll_of(lines: list[str]) -> list[str]:
    """The lines between the head and the knobs, on a terminal of 80 columns."""
    return lines[3 : -1 - -(-len(KNOBS) // (80 // COLUMN))]


@given(EVENTS, st.integers(40, 200), st.integers(16, 60), st.booleans())
def test_it_fits_the_terminal_whatever_happens(
    events: list[Event], width: int, height: int, colour: bool
) -> None:
    music, screen = Music(), Screen(UNICODE, COLOURS if colour else None)
    for event in events:
        if event.kind == TEMPO:
            event = event._replace(a=event.a % 4)
        if event.kind == NOTE:
            event = event._replace(a=1 + event.a % 2)
        music.take(event)
    music.tidy(20.0)
    lines = screen.lines(music, STATUS, 20.0, width, height)
    assert len(lines) == height
    assert max(len(plain(line)) for line in lines) <= width


def test_the_roll_shows_both_parts_and_the_plan() -> None:
    music, screen = Music(), Screen(ASCII, None)
    for event in (
        Event(92.0, NOTE, PERFORMER, 60, 80),
        Event(93.0, NOTE, PERFORMER, 60, 0),
        Event(97.0, PLANNED, 67, 70),
        Event(98.0, PLANNED, 67, 0),
        Event(97.01, NOTE, MODEL, 67, 70),
        Event(98.0, NOTE, MODEL, 67, 0),
        Event(101.0, PLANNED, 72, 70),
        Event(102.0, PLANNED, 72, 0),
        Event(100.0, TURN, 1),
        Event(100.0, KEY, 3, 1, 0, 0.75),
        Event(99.0, TEMPO, 2, 4, 100, 90.0),
    ):
        music.take(event)
    lines = screen.lines(music, STATUS, 100.0, 80, 24)
    assert "Segue plays" in lines[1]
    assert "Eb minor 75%" in lines[2] and "90 (MIDI clock)" in lines[2]
    music.take(Event(99.0, TEMPO, 1, 4, 83, 118.4))
    assert "118 (yours 83%)" in screen.lines(music, STATUS, 100.0, 80, 24)[2]
    roll = roll_of(lines)
    (mine,) = [line for line in roll if "o" in line]
    assert mine.startswith("  C4")
    (answer,) = [line for line in roll if "#" in line]
    (coming,) = [line for line in roll if "." in line]
    assert mine.index("o") < answer.index("#") < coming.index("|") < coming.index(".")
    assert roll.index(coming) < roll.index(answer) < roll.index(mine), "high is up"
    music.take(Event(100.0, REPLANNED))
    assert not any("." in line for line in roll_of(screen.lines(music, STATUS, 100.0, 80, 24)))


def test_the_silence_runs_down() -> None:
    music, screen = Music(), Screen(ASCII, None)
    music.take(Event(100.0, TURN, 0, 0, 0, 102.0))
    shown = [screen.lines(music, STATUS, now, 80, 24)[1] for now in (100.0, 101.0, 101.9, 103.0)]
    assert [line.count("#") for line in shown] == [10, 5, 0, 0]
    assert "1.0 s" in shown[1] and "waits for you" in shown[3]


def test_a_panic_ends_what_sounds() -> None:
    music = Music()
    music.take(Event(1.0, NOTE, PERFORMER, 60, 80))
    music.take(Event(1.0, NOTE, MODEL, 62, 80))
    music.take(Event(2.0, SILENCED))
    assert [note.end for note in music.notes] == [2.0, 2.0]
    music.tidy(100.0)
    assert not music.notes


def test_keys_ask_for_what_they_say() -> None:
    keys, music = KeyReader(), Music()
    assert keys.commands(b" ", music) == [["do", "take"]]
    music.take(Event(0.0, TURN, 1))
    assert keys.commands(b" pg", music) == [["do", "give"], ["do", "panic"], ["do", "give"]]
    assert keys.commands(b"\x1b[C", music) == [["set", "mode", "duet"]]
    assert keys.commands(b"\x1bOC\x1b[C", music) == [
        ["set", "mode", "solo"],
        ["set", "mode", "listen"],
    ]
    assert keys.commands(b"0", music) == [["set", "mode", "continue"]]
    assert keys.commands(b"\x1b[B\x1b[B\x1b[A", music) == 3 * [["choose"]] and keys.chosen == 1
    assert keys.commands(b"\x1b[D", music) == [["set", "gate", False]]
    music.take(Event(0.0, KNOB, 1, 0, 0, 1.0))
    assert music.knobs["gate"] is True, "another hand turns it, too"
    assert keys.commands(b"q", music) == [["quit"]]
    assert keys.commands(b"\x1b", music) == [] == keys.commands("é".encode(), music)


@given(st.binary(max_size=60))
def test_any_keys_ask_for_what_there_is(data: bytes) -> None:
    for command in KeyReader().commands(data, Music()):
        assert command in (["quit"], ["choose"]) or command_from(command) == command


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
def test_a_knob_goes_from_end_to_end(knob: Any) -> None:
    value = knob.default
    for _ in range(300):
        value = knob.check(turned(knob, value, -1))
    assert value == (knob.choices[0] if knob.choices else knob.low)
    for _ in range(300):
        value = knob.check(turned(knob, value, 1))
    assert value == (knob.choices[-1] if knob.choices else knob.high)


# --- a real terminal

pty = pytest.importorskip("pty") if os.name == "posix" else None
posix = pytest.mark.skipif(os.name != "posix", reason="a terminal as Unix has it")
ROOT = Path(__file__).parents[1]


class Terminal:
    """`segued watch` at a terminal of its own."""

    def __init__(self, runtime: Path) -> None:
        import fcntl
        import termios

        self.file, end = os.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 110, 0, 0))
        self.before = termios.tcgetattr(end)
        self.end = end
        environment = {**os.environ, "RUNTIME_DIRECTORY": str(runtime), "PYTHONIOENCODING": "utf-8"}
        environment["PYTHONPATH"] = str(ROOT / "daemon")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "segued", "watch", "--config", os.devnull],
            stdin=end, stdout=end, stderr=end, env=environment, start_new_session=True,
        )  # fmt: skip
        self.text = ""

    def shows(self, what: str) -> bool:
        """Whether it has drawn this since the last `clear`."""
        while select.select([self.file], (), (), 0.05)[0]:
            self.text += os.read(self.file, 65536).decode(errors="replace")
        return what in plain(self.text)

    def press(self, keys: bytes) -> None:
        self.text = ""
        os.write(self.file, keys)

    def ended(self) -> int | None:
        """Its exit status. What it writes has to be read meanwhile."""
        wait_for(lambda: self.shows("\0") or self.process.poll() is not None)
        return self.process.returncode

    def restored(self) -> bool:
        import termios

        self.shows("")
        return termios.tcgetattr(self.end) == self.before and "\x1b[?1049l" in self.text

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.file)
        os.close(self.end)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[LiveSession]:
    settings = ("ports.backend=tcp", "ports.tcp_port=0", "sampling.seed=1", "turns.silence=0.5")
    with LiveSession(settings, runtime=tmp_path) as session:
        yield session


@pytest.fixture
def terminal(session: LiveSession) -> Iterator[Terminal]:
    terminal = Terminal(session.runtime)
    yield terminal
    terminal.close()


@pytest.mark.live
@posix
def test_who_is_logged_in_sees_turns_and_panics(session: LiveSession, terminal: Terminal) -> None:
    wait_for(lambda: terminal.shows("Segue: tcp") and terminal.shows("Listening"))
    terminal.press(b"\x1b[C")
    wait_for(lambda: status(session.runtime)["mode"] == "duet")
    wait_for(lambda: terminal.shows("duet"))
    terminal.press(b"0")
    wait_for(lambda: status(session.runtime)["mode"] == "continue")
    session.play([(0.2 * i, bytes((0x90, 60 + i, 80 * (1 - i % 2)))) for i in range(8)], seconds=2)
    assert terminal.shows("▒")
    terminal.press(b" ")
    wait_for(lambda: terminal.shows("Segue plays") and terminal.shows("█"))
    terminal.press(b"p")
    wait_for(lambda: not status(session.runtime)["replying"])
    wait_for(lambda: status(session.runtime)["sounding"] == [])
    terminal.press(b"q")
    assert terminal.ended() == 0
    assert terminal.restored()


@pytest.mark.live
@posix
def test_it_outlives_the_daemon_and_gives_the_terminal_back(
    session: LiveSession, terminal: Terminal
) -> None:
    wait_for(lambda: terminal.shows("Listening"))
    assert session.stop() == 0
    wait_for(lambda: terminal.shows("Segue has ended"))
    terminal.press(b"p")
    wait_for(lambda: terminal.shows("takes no commands"))
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ended() == 128 + signal.SIGTERM
    assert terminal.restored()


@pytest.mark.live
@posix
def test_without_a_terminal_or_a_daemon_it_says_so(tmp_path: Path) -> None:
    done = segued(tmp_path, "watch")
    assert done.returncode == 64 and "terminal" in done.stderr
    terminal = Terminal(tmp_path)
    wait_for(lambda: terminal.process.poll() is not None)
    assert terminal.shows("no segued runs") and terminal.process.returncode == 69
    terminal.close()
