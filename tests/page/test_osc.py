"""OSC: what is read and written, what it means, and a daemon that is steered by it."""

import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.control.knobs import ACTIONS, BY_NAME, KNOBS
from segued.errors import ConfigError
from segued.page.commands import command_from
from segued.page.osc_codec import LONGEST, OscMessage, decode, encode
from segued.page.osc_messages import DO, OUT, SET, command_of, messages_of
from segued.service.event_ring import KNOB, NOTE, PLANNED, SILENCED, TEMPO, TURN, Event
from segued.settings.yaml_file import load_settings
from segued.tools.live_session import LiveSession

from tests.service.test_daemon import status
from tests.support.waiting import wait_for

TEXTS = st.text(st.characters(min_codepoint=1, max_codepoint=126), max_size=40)
ADDRESSES = TEXTS.map("/".__add__)
FLOATS = st.floats(width=32, allow_nan=False)
ARGUMENTS = st.lists(st.integers(-(2**31), 2**31 - 1) | FLOATS | TEXTS, max_size=8).map(tuple)
MESSAGES = st.builds(OscMessage, ADDRESSES, ARGUMENTS)


def bundle(*parts: bytes) -> bytes:
    return b"#bundle\0" + bytes(8) + b"".join(struct.pack(">i", len(p)) + p for p in parts)


# --- bytes


@given(MESSAGES)
def test_what_is_written_is_read(message: OscMessage) -> None:
    data = encode(message)
    assert len(data) % 4 == 0
    assert decode(data) == [message]


@given(st.lists(MESSAGES, max_size=5))
def test_bundles_are_read_in_order(messages: list[OscMessage]) -> None:
    parts = [encode(message) for message in messages]
    if sum(map(len, parts)) < LONGEST - 100:
        assert decode(bundle(bundle(*parts[:2]), *parts[2:])) == messages


@given(st.binary(max_size=200) | st.builds(lambda a, b: a + b, MESSAGES.map(encode), st.binary()))
def test_any_bytes_are_messages_or_a_valueerror(data: bytes) -> None:
    try:
        messages = decode(data)
    except ValueError as error:
        assert len(str(error).splitlines()) == 1
        return
    for message in messages:
        check(message)


def test_as_the_specification_has_it() -> None:
    data = b"/oscillator/4/frequency\0,f\0\0\x43\xdc\0\0"
    assert decode(data) == [OscMessage("/oscillator/4/frequency", (440.0,))]
    assert encode(OscMessage("/oscillator/4/frequency", (440.0,))) == data
    assert decode(b"/x\0\0") == [OscMessage("/x")]
    typed = b"/x\0\0,TFNIhd\0" + struct.pack(">qd", 2**40, 0.1)
    assert decode(typed) == [OscMessage("/x", (True, False, None, True, 2**40, 0.1))]
    assert encode(OscMessage("/x", (True,))) == b"/x\0\0,i\0\0\0\0\0\1"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"/x", b"x\0\0\0", b"/x\0\0f\0\0\0", b"/x\0\0,f\0\0", b"/x\0\0,b\0\0\0\0\0\0",
        b"/x\0\0,s\0\0abcd", b"/\xff\0\0", b"/x\0\0,\0\0\0junk", b"#bundle\0", bundle(b""),
        b"#bundle\0" + bytes(8) + b"\0\0\xff\xff/x\0\0", bytes(LONGEST + 1),
        bundle(bundle(bundle(bundle(bundle(b"/x\0\0"))))), bundle(*[b"/x\0\0"] * 65),
    ],
)  # fmt: skip
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data)


# --- what it means


def check(message: OscMessage) -> None:
    """It is a command that a page may send, too, or nothing, or refused in one line."""
    try:
        command = command_of(message)
    except ValueError as error:
        assert len(str(error).splitlines()) == 1 and len(str(error)) < 300
    else:
        assert command is None or command_from(command) == command


NAMES = [*(SET + name for name in BY_NAME), *(DO + name for name in ACTIONS)]
ANY = st.integers() | st.floats() | TEXTS | st.none() | st.booleans()


@given(
    st.sampled_from([*NAMES, SET, DO, "/segue/note", "/segue/cc", "/segue/preset", "/segue/model"]),
    st.lists(ANY, max_size=4).map(tuple),
)
def test_any_arguments_make_a_command_or_none(address: str, arguments: tuple[Any, ...]) -> None:
    check(OscMessage(address, arguments))


@pytest.mark.parametrize(
    ("address", "arguments", "command"),
    [
        ("/segue/set/density", (0.5,), ["set", "density", 0.5]),
        ("/segue/set/register", (-11.6,), ["set", "register", -12]),
        ("/segue/set/mode", ("duet",), ["set", "mode", "duet"]),
        ("/segue/set/mode", (2.0,), ["set", "mode", "solo"]),
        ("/segue/set/gate", (0.0,), ["set", "gate", False]),
        ("/segue/set/gate", (True,), ["set", "gate", True]),
        ("/segue/do/panic", (), ["do", "panic"]),
        ("/segue/preset", ("calm",), ["recall", "calm"]),
        ("/segue/model", ("folk",), ["model", "folk"]),
        ("/segue/do/take", (1.0,), ["do", "take"]),
        ("/segue/do/take", (0.0,), None),
        ("/segue/note", (60, 80), ["receive", [0x90, 60, 80]]),
        ("/segue/note", (60.0, 0, 3), ["receive", [0x82, 60, 64]]),
        ("/segue/cc", (64, 127, 16), ["receive", [0xBF, 64, 127]]),
    ],
)
def test_a_message_is_a_command(address: str, arguments: Any, command: Any) -> None:
    assert command_of(OscMessage(address, arguments)) == command


@pytest.mark.parametrize(
    ("address", "arguments"),
    [
        ("/segue/set/density", (9.0,)), ("/segue/set/density", ()), ("/segue/set/mode", (4,)),
        ("/segue/set/mode", (float("nan"),)), ("/segue/set/x", (1,)), ("/segue/do/rm", ()),
        ("/segue/set/register", (float("inf"),)), ("/segue/note", (60,)), ("/x", ()),
        ("/segue/note", (60, 128)), ("/segue/note", (60, 80, 0)), ("/segue/note", ("C4", 80)),
        ("/segue/model", ("a/b",)), ("/segue/model", (5,)), ("/segue/model", ()),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(address: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError):
        command_of(OscMessage(address, arguments))


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
def test_a_knob_that_is_told_is_what_sets_it(knob: Any) -> None:
    """So a fader that gets what it sent stays where it is."""
    for share in (0.0, 0.3, 0.999):
        value = knob.at(share)
        shown = knob.choices.index(value) if knob.choices else value
        (told,) = messages_of(Event(0.0, KNOB, KNOBS.index(knob), value=shown), 0.0)
        (back,) = decode(encode(told))
        set_to = command_of(back)
        assert set_to is not None and set_to[:2] == ["set", knob.name]
        assert set_to[2] == (pytest.approx(value) if isinstance(value, float) else value)


def test_what_happens_is_told() -> None:
    told = [
        messages_of(event, 10.0)[0]
        for event in (
            Event(10.0, NOTE, 1, 60, 80, 2.0),
            Event(10.0, NOTE, 2, 61, 0, 0.0),
            Event(10.5, PLANNED, 62, 70),
            Event(10.0, TURN, 0, 1, 0, 10.25),
            Event(10.0, TURN, 1),
            Event(9.0, TEMPO, 2, 4, 90, 120.0),
            Event(10.0, SILENCED),
        )
    ]
    assert told == [
        ("/segue/heard", (60, 80, 3)),
        ("/segue/played", (61, 0, 1)),
        ("/segue/planned", (62, 70, 0.5)),
        ("/segue/turn", (0, 1, 0.25)),
        ("/segue/turn", (1, 0, -1.0)),
        ("/segue/tempo", (120.0, "clock", 0.9, 4)),
        ("/segue/silenced", ()),
    ]
    named = {entry.split()[0] for entry in OUT}
    assert {message.address for message in told} <= named


def test_settings_that_would_do_nothing_or_name_nobody_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs an osc"):
        load_settings(None, ["osc.send='127.0.0.1:9000'"])
    for send in ("localhost", "':9000'", "[9000]", "'a:0'", "'a b:1'", "['a:1', 7]"):
        with pytest.raises(ConfigError, match="HOST:PORT"):
            load_settings(None, ["osc.port=7700", f"osc.send={send}"])
    with pytest.raises(ConfigError, match="own"):
        load_settings(None, ["osc.port=7700", "osc.send='localhost:7700'"])
    config = load_settings(None, ["osc.port=7700", "osc.send=['a:1', '[::1]:2']"])
    assert config.osc.send == ("a:1", "[::1]:2")


# --- a daemon


class Peer:
    """A program that steers Segue, and is told."""

    def __init__(self) -> None:
        self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.out.bind(("127.0.0.1", 0))
        self.into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.into.bind(("127.0.0.1", 0))
        self.into.setblocking(False)
        self.got: list[OscMessage] = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def settings(self) -> tuple[str, ...]:
        return (
            *("ports.backend=tcp", "ports.tcp_port=0", "sampling.seed=1", "turns.silence=0.5"),
            *(f"osc.port={self.port}", f"osc.send=127.0.0.1:{self.into.getsockname()[1]}"),
        )

    def send(self, address: str, *arguments: Any) -> None:
        self.raw(encode(OscMessage(address, arguments)))

    def raw(self, data: bytes) -> None:
        self.out.sendto(data, ("127.0.0.1", self.port))

    def came(self, address: str, *arguments: Any) -> bool:
        """Whether it was told this, with arguments that begin so."""
        while True:
            try:
                self.got += decode(self.into.recv(4096))
            except BlockingIOError:
                break
        return any(m.address == address and m[1][: len(arguments)] == arguments for m in self.got)

    def close(self) -> None:
        self.out.close()
        self.into.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


live = pytest.mark.live
posix = pytest.mark.skipif(os.name != "posix", reason="sockets that are files")


@live
@posix
def test_a_daemon_is_steered_and_tells(peer: Peer, tmp_path: Path) -> None:
    """Without a page, too."""
    with LiveSession(peer.settings, runtime=tmp_path) as session:
        wait_for(lambda: peer.came("/segue/set/density", 1.0))
        peer.raw(b"no OSC")
        peer.raw(b"\0" * 60000)
        peer.send("/segue/set/density", 99.0)
        peer.send("/segue/set/mode", "duet")
        wait_for(lambda: status(tmp_path)["mode"] == "duet")
        wait_for(lambda: peer.came("/segue/set/mode", "duet"))
        peer.send("/segue/set/mode", 0)
        wait_for(lambda: status(tmp_path)["mode"] == "continue")
        for pitch in (60, 64, 67, 72):
            peer.send("/segue/note", pitch, 80)
            time.sleep(0.12)
            peer.send("/segue/note", pitch, 0)
        wait_for(lambda: peer.came("/segue/heard", 60, 80, 1) and peer.came("/segue/heard", 60, 0))
        wait_for(lambda: peer.came("/segue/planned"))
        wait_for(lambda: peer.came("/segue/turn", 1) and peer.came("/segue/played"))
        wait_for(lambda: peer.came("/segue/beat"))
        peer.send("/segue/do/panic")
        wait_for(lambda: peer.came("/segue/silenced"))
        peer.got.clear()
        peer.send("/segue/ask")
        wait_for(lambda: peer.came("/segue/set/temperature", 1.0) and peer.came("/segue/key"))
        assert any("OSC from 127.0.0.1" in line for line in session.log)
        assert session.stop() == 0


@live
@posix
def test_a_flood_leaves_the_last_value_and_no_note_hanging(peer: Peer, tmp_path: Path) -> None:
    with LiveSession(peer.settings, runtime=tmp_path) as session:
        wait_for(lambda: peer.came("/segue/set/density"))
        peer.send("/segue/note", 60, 80)
        for number in range(4000):
            peer.send("/segue/set/density", 0.5 + number % 100 / 100)
            peer.send("/segue/note", 40 + number % 10, 80 * (number // 10 % 2))
            if number % 10 == 0:
                time.sleep(0.002)
        time.sleep(0.5)  # the system itself drops datagrams when it has too many
        peer.send("/segue/set/density", 2.5)
        peer.send("/segue/note", 60, 0)
        wait_for(lambda: peer.came("/segue/set/density", 2.5))
        peer.send("/segue/do/panic")
        wait_for(lambda: peer.came("/segue/silenced"))
        wait_for(lambda: status(tmp_path)["sounding"] == [])
        assert session.stop() == 0
