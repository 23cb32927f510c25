"""What is fuzzed: each target takes any bytes and raises only when something is wrong.

Expected refusals (a SegueError of one line) are what should happen; anything else that is raised, a
message that is none, a note that hangs, is a find. `seeds` are inputs that make sense, to be bent.
"""

import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from segued.errors import ConfigError, DataError, SegueError
from segued.midi.files import read_events, read_messages, read_tracks
from segued.midi.messages import is_message
from segued.midi.stream import MidiStream
from segued.model.session import Model
from segued.ports.tcp import TcpTransport
from segued.service.command_port import command_of
from segued.settings.config import Config
from segued.settings.yaml_file import load_settings

from tests.support.fakes import FoldingModel, Session, Synth, settings

ROOT = Path(__file__).parents[2]
SCRATCH = Path(tempfile.mkdtemp(prefix="segue-fuzz-", dir=os.environ.get("XDG_RUNTIME_DIR")))


@dataclass(frozen=True)
class Target:
    """`check(data)` returns, or raises for a find. `runs`: its share of a million inputs."""

    check: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    runs: int


def one_line(error: SegueError, begin: str = "") -> None:
    """An expected refusal is one line that begins with where."""
    text = str(error)
    assert text.splitlines() == [text], f"not one line: {text!r}"
    assert text.startswith(begin), f"does not say where: {text!r}"


def stream(data: bytes) -> None:
    """However a byte stream is cut, the same whole messages come out."""
    whole = MidiStream().feed(data)
    assert all(is_message(message) for message in whole)
    cut = MidiStream()
    size = 1 + (data[0] % 5 if data else 0)
    pieces = [cut.feed(data[i : i + size]) for i in range(0, len(data), size)]
    assert [message for piece in pieces for message in piece] == whole


@cache
def _model() -> FoldingModel:
    return FoldingModel()


def player(data: bytes) -> None:
    """Any messages at any times: time goes on, and at the end nothing sounds."""
    config = settings("turns.silence=0.3", "turns.reply_length=1", "turns.lookahead=0.3")
    session = Session(_model(), config, seed=1, poll=0.25)
    stream = MidiStream()
    for i in range(0, min(len(data), 400), 4):
        session.wait(data[i] * 2 if data[i] < 0xF0 else 2000)
        session.player.receive(session.now, data[i + 1 : i + 4])
        for message in stream.feed(data[i + 1 : i + 4]):
            session.receive(message)
    session.silence()
    synth = Synth(deaf=True)
    for _, owner, message in session.log:
        if owner is not None:
            assert is_message(message), message
            synth.take(message)
    assert not synth.sounding, synth.sounding


@cache
def _transport() -> TcpTransport:
    return TcpTransport("127.0.0.1", 0)


def tcp(data: bytes) -> None:
    """Bytes through a real socket: only whole messages come in, and all keys come up again."""
    transport = _transport()
    down: set[tuple[int, int]] = set()
    with socket.create_connection(("127.0.0.1", transport.port), 5.0) as client:
        client.sendall(data)
        come = False
        for _ in range(500):
            transport.wait(0.01)
            while (message := transport.receive()) is not None:
                assert is_message(message), message
                _press(down, message)
            if come and not transport._peers:
                break
            if not come and transport._peers:
                come = True
                client.shutdown(socket.SHUT_WR)
        else:
            raise AssertionError("a client that has gone stays")
    assert not down, down


def _press(down: set[tuple[int, int]], message: bytes) -> None:
    """Which keys are down after a message."""
    kind, key = message[0] & 0xF0, (message[0] & 0x0F, message[1] if len(message) > 1 else 0)
    if kind == 0x90 and message[2]:
        down.add(key)
    elif kind in (0x80, 0x90):
        down.discard(key)


def page(data: bytes) -> None:
    """Bytes as a message of a page, and as a datagram: a command of the music's, or a refusal in
    one line. What the server lets through the music understands."""
    from segued.page.commands import command_from

    command_of(data)
    try:
        asked = json.loads(data)
        command = command_from(asked)
    except (ValueError, RecursionError) as error:
        assert str(error)
        return
    if command[0] not in ("ping", "recall"):
        assert command_of(json.dumps(command).encode()) is not None, command


def request(data: bytes) -> None:
    """Bytes as the body of a request of a page: values that become arguments of a command, or a
    refusal in one line."""
    from segued.page.requests import MINUTES, learn_request, ports_request, preset_request

    with _refused_in_one_line():
        minutes, *flags = learn_request(data)
        assert minutes in MINUTES and {*map(type, flags)} == {bool}
    with _refused_in_one_line():
        name, replace = preset_request(data)
        assert 0 < len(name) <= 60 and name.isprintable() and isinstance(replace, bool)
    with _refused_in_one_line():
        assert {*map(type, ports_request(data).values())} == {str}


@contextmanager
def _refused_in_one_line() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        assert str(error) and str(error).splitlines() == [str(error)]


def osc(data: bytes) -> None:
    """Bytes as an OSC datagram: commands that a page may send, too, or a refusal in one line."""
    from segued.page.commands import command_from
    from segued.page.osc_codec import decode
    from segued.page.osc_messages import command_of as meant

    try:
        for message in decode(data):
            command = meant(message)
            assert command is None or command_from(command) == command
    except ValueError as error:
        assert str(error).splitlines() == [str(error)]


def config(data: bytes) -> None:
    """Any file as config.yaml: a configuration, or one line that names the file."""
    path = SCRATCH / "config.yaml"
    path.write_bytes(data)
    try:
        assert isinstance(load_settings(path), Config)
    except ConfigError as error:
        one_line(error, str(path))


def midi_file(data: bytes) -> None:
    """Any file as a MIDI file: events in order, or one line that names the file."""
    path = SCRATCH / "any.mid"
    path.write_bytes(data)
    for read in (read_events, read_messages, read_tracks):
        try:
            read(path)
        except DataError as error:
            one_line(error, str(path))


def model_file(data: bytes) -> None:
    """Any file as a model: it plays, or is refused in one line that names the file."""
    path = SCRATCH / "any.onnx"
    path.write_bytes(data)
    try:
        Model.load(path)
    except DataError as error:
        one_line(error, str(path))


def _streams() -> list[bytes]:
    chord = bytes((0x90, 60, 80, 64, 80, 67, 80, 0x80, 60, 0, 64, 0, 67, 0))
    clock = b"\xfa\xf8\xf8\xf2\x10\x00\xfb\xf8\xfc"
    pedal = b"\xb0\x40\x7f\x90\x3c\x50\xf8\x80\x3c\x40\xb0\x40\x00\xb0\x78\x00\xb0\x7b\x00"
    sysex = b"\xf0\x7e\x7f\x06\x01\xf7\xc0\x05\xe1\x00\x40\xd2\x40\xa0\x3c\x10"
    return [chord, clock, pedal, sysex, chord + clock + pedal + sysex]


def _performances() -> list[bytes]:
    on, off = b"\x14\x90\x3c\x50", b"\x50\x80\x3c\x40"
    return [on + off + b"\xf0\xf8\xf8\xf8", on + b"\x0a\xb0\x40\x7f" + off + b"\xf1\x90\x40\x10"]


def _page_messages() -> list[bytes]:
    return [
        b'["set", "density", 0.5]', b'["set", "key", "D"]', b'["set", "gate", false]',
        b'["do", "panic"]', b'["receive", [144, 60, 80]]', b'["ping", 1.5]', b'["watch", 3]',
        b'["restate"]', b'["set", "register", 1e400]', b"[[[[]]]]",
    ]  # fmt: skip


def _requests() -> list[bytes]:
    return [
        b'{"minutes": 10, "starred": true, "download": false}', b'{"minutes": 120}',
        b'{"name": "calm", "replace": true}', b'{"input": "virtual", "output": "FLUID:0"}',
    ]  # fmt: skip


def _datagrams() -> list[bytes]:
    from segued.page.osc_codec import OscMessage, encode

    made = [
        encode(OscMessage(f"/segue/{address}", arguments))
        for address, arguments in (
            ("set/density", (0.5,)), ("set/mode", ("duet",)), ("set/register", (-3,)),
            ("do/take", (1.0,)), ("note", (60, 80, 1)), ("cc", (64, 127)), ("ask", ()),
        )
    ]  # fmt: skip
    parts = b"".join(len(part).to_bytes(4, "big") + part for part in made[:3])
    return [*made, b"#bundle\0" + bytes(8) + parts]


def _configs() -> list[bytes]:
    text = (ROOT / "config.yaml").read_bytes()
    parts = [b"\n".join(part.splitlines()[:20]) for part in text.split(b"\n\n")]
    return [text, *parts, b"ports: {backend: tcp, tcp_port: 0}\nturns: {silence: 1.0}\n"]


def _phrases() -> list[bytes]:
    files = sorted((ROOT / "daemon/segued/phrases").glob("*.mid"))
    return [min((file.read_bytes() for file in files), key=len), TINY_FILE]


TINY_FILE = (
    b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\x18\0\xff\x51\3\7\xa1\x20\0\x90\x3c\x50"
    b"\x60\x80\x3c\x40\0\xff\x2f\0"
)


def _models() -> list[bytes]:
    from tests.support.tiny import write_model

    return [write_model(SCRATCH / f"{p}.onnx", p).read_bytes() for p in ("fp32", "int8")]


TARGETS = {
    "stream": Target(stream, _streams, 750_000),
    "midi_file": Target(midi_file, _phrases, 70_000),
    "config": Target(config, _configs, 60_000),
    "tcp": Target(tcp, _streams, 50_000),
    "page": Target(page, _page_messages, 35_000),
    "request": Target(request, _requests, 10_000),
    "osc": Target(osc, _datagrams, 10_000),
    "player": Target(player, _performances, 30_000),
    "model_file": Target(model_file, _models, 5_000),
}
"""All that reads what comes from outside. A million inputs in all, the slow ones fewer."""
