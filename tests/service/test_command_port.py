"""Commands from other processes, over a real socket, and what an engine makes of them."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from segued.control.knobs import KNOBS
from segued.player.commands import PANIC, Do, Hear, Receive, Set
from segued.player.player import Command, Player
from segued.service.command_port import CommandPort, HearPreset, UseModel, Watch, command_of
from segued.service.command_sender import CommandSender
from segued.service.engine import MAX_COMMANDS, PAGE_WAIT, WATCHED_WAIT, Engine
from segued.service.event_ring import KNOB, NOTE
from segued.service.state_file import StateFile
from segued.service.state_reader import Reader

from tests.support.fakes import FoldingModel, settings

from .test_engine import Clock, MemoryTransport

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sockets that are files")


@pytest.mark.parametrize(
    ("parts", "command"),
    [
        (["set", "density", 0.5], Set("density", 0.5)),
        (["set", "register", 3.0], Set("register", 3)),
        (["set", "gate", False], Set("gate", False)),
        (["set", "key", False], Set("key", "off")),
        (["do", "take"], Do("take")),
        (["do", "panic"], PANIC),
        (["receive", [0x90, 60, 80]], Receive(b"\x90\x3c\x50")),
        (["model", "folk"], UseModel("folk")),
        (["model", "\U00020000" * 32], UseModel("\U00020000" * 32)),
        (["hear", [60, 0, 387]], Hear([60, 0, 387])),
        (["hear_preset", "calm"], HearPreset("calm")),
        (["watch", 3], Watch(3.0)),
        (["watch", 1e9], Watch(10.0)),
        (["restate"], Watch(0.0, restate=True)),
    ],
)
def test_what_a_datagram_means(parts: list[Any], command: object) -> None:
    assert command_of(json.dumps(parts).encode()) == command


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff", b"{}", b"[]", b"[[]]", b"null", b"[" * 200, b'["set"]', b'["set", "density"]',
        b'["set", "density", 99]', b'["set", "density", "0.5"]', b'["set", "density", NaN]',
        b'["set", "none", 1]', b'["set", ["density"], 1]', b'["set", "gate", 1]',
        b'["set", "mode", []]', b'["do", "none"]', b'["do", ["panic"]]', b'["receive", [144, 60]]',
        b'["receive", [144, 60, 300]]', b'["receive", [248]]', b'["receive", [240, 1, 247]]',
        b'["receive", [144, true, 60]]', b'["watch", NaN]', b'["watch", "x"]', b'["watch", true]',
        b'["model"]', b'["model", "../folk"]', b'["model", "x.onnx"]', b'["model", ""]',
        b'["model", 5]', b'["model", "a", "b"]', b'["restate", 1]', b'["receive", [144, 60, 0, 1]]',
        b'["hear", [388]]', b'["hear", [-1]]', b'["hear", 60]', b'["hear", [true]]', b'["hear"]',
        b'["hear_preset"]', b'["hear_preset", 1]', b'["hear_preset", ["a"]]',
    ],
)  # fmt: skip
def test_what_means_nothing_is_ignored(data: bytes) -> None:
    assert command_of(data) is None


def test_commands_come_through_the_socket_in_order(tmp_path: Path) -> None:
    port = CommandPort(tmp_path / "x.commands")
    assert stat.S_IMODE((tmp_path / "x.commands").stat().st_mode) == 0o600
    sender = CommandSender(tmp_path / "x.commands")
    assert port.receive() is None
    assert (
        sender.send("set", "density", 0.5) and sender.send("nothing") and sender.send("do", "tap")
    )
    assert port.receive() == Set("density", 0.5)
    assert port.receive() == Do("tap"), "what means nothing is passed over"
    port.close()
    port.close()
    assert not sender.send("do", "tap"), "nobody there: no error"
    again = CommandPort(tmp_path / "x.commands")  # also after a daemon that was killed
    CommandPort(tmp_path / "x.commands").close()
    again.close()
    sender.close()


class Desk:
    """An engine with a command port, run for so many seconds of a clock that jumps."""

    def __init__(self, tmp_path: Path) -> None:
        self.state_file = StateFile(tmp_path / "x.board", "x")
        self.port = CommandPort(tmp_path / "x.commands")
        self.sender = CommandSender(tmp_path / "x.commands")
        self.reader = Reader(tmp_path / "x.board")
        self.events = self.reader.events()
        self.config = settings("turns.silence=0.5")

    def run(self, seconds: float) -> MemoryTransport:
        clock = Clock()
        transport = MemoryTransport(clock, [], seconds)
        self.engine = Engine(
            transport,
            lambda send: Player(FoldingModel(), self.config, send, seed=1),
            clock,
            self.state_file,
            commands=self.port,
        )
        transport.engine = self.engine
        self.engine.run()
        return transport

    def close(self) -> None:
        self.reader.close()
        self.port.close()
        self.sender.close()
        self.state_file.close()


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def test_a_page_turns_knobs_and_plays_and_sees_it(desk: Desk) -> None:
    desk.sender.send("watch", 5)
    desk.sender.send("set", "density", 2.0)
    desk.sender.send("receive", [0x90, 60, 80])
    transport = desk.run(1.0)
    assert desk.engine.player.knobs.density == 2.0
    assert b"\x90\x3c\x50" in [message for _, message in transport.sent], "passed thru"
    assert desk.engine.received == 1
    told = desk.events.read()
    density = [knob.name for knob in KNOBS].index("density")
    assert (KNOB, density, 2.0) in [(e.kind, e.a, e.value) for e in told]
    assert (NOTE, 1, 60, 80) in [e[1:5] for e in told]
    assert min(transport.waits) <= PAGE_WAIT


def test_watching_alone_wakes_it_more_often(desk: Desk) -> None:
    desk.sender.send("watch", 9)
    assert 0 < max(desk.run(1.0).waits) <= WATCHED_WAIT
    desk.sender.send("watch", 0)
    assert max(desk.run(20.0).waits) > WATCHED_WAIT


def test_nobody_looks_and_nothing_is_written(desk: Desk) -> None:
    desk.sender.send("receive", [0x90, 60, 80])
    desk.run(3.0)
    assert desk.events.read() == []


def test_a_flood_is_taken_in_parts_between_which_the_music_goes_on(tmp_path: Path) -> None:
    """The socket holds as many as the system lets it; a turn does so many of them."""
    desk = Desk(tmp_path)
    taken: list[object] = []

    class Endless(CommandPort):
        def receive(self) -> Command | Watch | None:
            taken.append(None)
            if len(taken) == 10 * MAX_COMMANDS:
                desk.engine.stop()
            return Set("density", 0.5)

    desk.port.close()
    desk.port = Endless(tmp_path / "x.commands")
    desk.run(0.5)
    assert len(taken) == 10 * MAX_COMMANDS, "between two turns it looks whether it is to stop"
    desk.close()


def test_the_knob_that_the_page_turned_is_the_one_that_is_learned(desk: Desk) -> None:
    desk.sender.send("set", "focus", 0.5)
    desk.sender.send("do", "learn")
    desk.sender.send("receive", [0xB0, 21, 127])
    desk.run(1.0)
    learned = desk.engine.player.control.learning.learned
    assert [(mapped.name, mapped.number) for mapped in learned] == [("focus", 21)]
