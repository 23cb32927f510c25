"""MIDI over TCP with real sockets; mido is the independent peer."""

import random
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator

import mido
import mido.sockets
import pytest
from segued.errors import PortError
from segued.ports import transport as transports
from segued.ports.port_names import NoBackend
from segued.ports.tcp import MAX_CLIENTS, TcpClient, TcpTransport
from segued.ports.transport import Transport, open_client, open_transport

pytestmark = pytest.mark.live

NOTE = b"\x90\x3c\x64"
Connect = Callable[[], socket.socket]


@pytest.fixture
def transport() -> Iterator[TcpTransport]:
    transport = TcpTransport(port=0)
    yield transport
    transport.close()


@pytest.fixture
def connect(transport: TcpTransport) -> Iterator[Connect]:
    """Bare sockets to the transport, closed afterwards."""
    opened: list[socket.socket] = []

    def one() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", transport.port)))
        transport.wait(1)
        return opened[-1]

    yield one
    for connection in opened:
        connection.close()


def take(transport: Transport, count: int, seconds: float = 5.0) -> list[bytes]:
    messages: list[bytes] = []
    deadline = time.monotonic() + seconds
    while len(messages) < count and time.monotonic() < deadline:
        transport.wait(0.02)
        while (message := transport.receive()) is not None:
            messages.append(message)
    return messages


def settle(transport: TcpTransport) -> list[bytes]:
    """Everything that has come by now."""
    return take(transport, 1 << 30, seconds=0.1)


def read(connection: socket.socket, count: int, seconds: float = 5.0) -> bytes:
    connection.settimeout(seconds)
    data = b""
    while len(data) < count:
        more = connection.recv(1 << 16)
        if not more:
            break
        data += more
    return data


def numbered(count: int) -> list[bytes]:
    return [bytes((0x90, i % 128, i // 128 % 127 + 1)) for i in range(count)]


def test_mido_plays_with_it(transport: TcpTransport) -> None:
    with mido.sockets.connect("127.0.0.1", transport.port) as keyboard:
        keyboard.send(mido.Message("note_on", note=60, velocity=100))
        keyboard.send(mido.Message("program_change", program=7))
        keyboard.send(mido.Message("sysex", data=(1, 2, 3)))
        keyboard.send(mido.Message("pitchwheel", pitch=-8192))
        assert take(transport, 3) == [NOTE, b"\xc0\x07", b"\xe0\x00\x00"]
        transport.send(b"\x80\x3c\x40")
        assert keyboard.receive() == mido.Message("note_off", note=60, velocity=64)


def test_port_0_takes_a_free_one_and_the_name_tells_it(transport: TcpTransport) -> None:
    assert transport.port > 0
    assert transport.name == f"tcp 127.0.0.1:{transport.port}"
    assert transport.input_name == transport.output_name == f"127.0.0.1:{transport.port}"
    client = open_client("tcp", transport.input_name)
    client.send(NOTE)
    assert take(transport, 1) == [NOTE]
    transport.send(NOTE)
    assert take(client, 1) == [NOTE]
    client.close()


def test_everything_goes_to_all_and_comes_from_all(
    transport: TcpTransport, connect: Connect
) -> None:
    first, second = connect(), connect()
    first.sendall(NOTE[:2])
    second.sendall(b"\x91\x40\x01")  # in the midst of the other's message
    assert take(transport, 1) == [b"\x91\x40\x01"]
    first.sendall(NOTE[2:])
    assert take(transport, 1) == [NOTE]
    transport.send(NOTE)
    assert read(first, 3) == read(second, 3) == NOTE


def test_one_too_many_is_turned_away_and_the_others_stay(
    transport: TcpTransport, connect: Connect
) -> None:
    connections = [connect() for _ in range(MAX_CLIENTS)]
    late = connect()
    assert read(late, 1) == b""
    transport.send(NOTE)
    assert all(read(connection, 3) == NOTE for connection in connections)
    connections[0].close()
    settle(transport)
    new = connect()
    transport.send(NOTE)
    assert read(new, 3) == NOTE


def test_a_flood_both_ways_is_whole_and_in_order(transport: TcpTransport, connect: Connect) -> None:
    connection, sent = connect(), numbered(16000)
    connection.sendall(b"".join(sent))
    assert take(transport, len(sent)) == sent
    back = b""
    for start in range(0, len(sent), 100):
        for message in sent[start : start + 100]:
            transport.send(message)
        back += read(connection, 300)
    assert back == b"".join(sent)


def test_a_client_that_does_not_read_is_dropped_and_stalls_nobody(
    transport: TcpTransport, connect: Connect
) -> None:
    stuck, well = connect(), connect()
    slowest = 0.0
    for _ in range(400):
        for message in numbered(1000):
            began = time.perf_counter()
            transport.send(message)
            slowest = max(slowest, time.perf_counter() - began)
        assert len(read(well, 3000)) == 3000
        if len(transport._peers) == 1:
            break
    assert len(transport._peers) == 1, "the stuck client is still there"
    assert slowest < 0.5
    transport.send(NOTE)
    assert read(well, 3) == NOTE
    stuck.close()


@pytest.mark.parametrize("abrupt", [False, True])
def test_what_a_client_held_down_comes_up_when_it_is_gone(
    transport: TcpTransport, connect: Connect, abrupt: bool
) -> None:
    connection, other = connect(), connect()
    connection.sendall(b"\x90\x3c\x64\x40\x64\x40\x00\xb2\x40\x7f\x91\x3c\x01\x81\x3c\x00")
    settle(transport)
    if abrupt:  # a reset instead of a goodbye
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    assert sorted(settle(transport)) == [b"\x80\x3c\x40", b"\xb2\x40\x00"]
    for _ in range(3):
        transport.send(NOTE)
    assert read(other, 9) == NOTE * 3
    assert transport.alive()


@pytest.mark.parametrize("pedal", [0x42, 0x45])
def test_every_pedal_of_a_client_that_is_gone_comes_up(
    transport: TcpTransport, connect: Connect, pedal: int
) -> None:
    connection = connect()
    connection.sendall(bytes((0x90, 0x3C, 0x50, 0xB0, pedal, 0x7F)))
    settle(transport)
    connection.close()
    assert settle(transport) == [b"\x80\x3c\x40", bytes((0xB0, pedal, 0))]


def test_a_pedal_that_another_client_holds_stays_down(
    transport: TcpTransport, connect: Connect
) -> None:
    first, second = connect(), connect()
    for connection in (first, second):
        connection.sendall(b"\xb0\x40\x7f\xb0\x42\x7f")
    second.sendall(b"\xb0\x42\x00")
    settle(transport)
    first.close()
    assert settle(transport) == [b"\xb0\x42\x00"]
    second.close()
    assert settle(transport) == [b"\xb0\x40\x00"]


def test_a_peer_that_goes_is_noticed_by_sending_too(
    transport: TcpTransport, connect: Connect
) -> None:
    connection = connect()
    connection.sendall(NOTE)
    take(transport, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    transport.send(NOTE)
    transport.send(NOTE)
    assert settle(transport) == [b"\x80\x3c\x40"]


def test_random_bytes_from_many_do_no_harm(transport: TcpTransport, connect: Connect) -> None:
    noise = random.Random(3)
    connections = [connect() for _ in range(4)]
    for _ in range(100):
        for connection in connections:
            connection.sendall(noise.randbytes(noise.randrange(1, 300)))
        while transport.receive() is not None:
            pass
    for connection in connections:
        connection.close()
    settle(transport)
    late = connect()
    late.sendall(b"\xf0" + bytes(100_000) + NOTE)
    assert take(transport, 1) == [NOTE]


def test_wait_returns_at_once_for_input_and_else_on_time(
    transport: TcpTransport, connect: Connect
) -> None:
    for seconds in (0.0, 0.0002, 0.0031, 0.02):
        began = time.perf_counter()
        transport.wait(seconds)
        assert seconds <= time.perf_counter() - began < seconds + 0.05
    connection = connect()
    connection.sendall(NOTE)
    began = time.perf_counter()
    transport.wait(5)
    transport.wait(5)  # there still is something to receive
    assert time.perf_counter() - began < 1
    assert transport.receive() == NOTE
    assert transport.receive() is None


def test_what_was_sent_just_before_closing_arrives(
    transport: TcpTransport, connect: Connect
) -> None:
    connection, sent = connect(), b"".join(numbered(500))
    for message in numbered(500):
        transport.send(message)
    connection.sendall(NOTE * 100)  # unread input must not cut it off
    time.sleep(0.05)
    transport.close()
    assert read(connection, len(sent)) == sent
    assert not transport.alive()
    transport.send(NOTE)
    transport.wait(0.001)
    assert transport.receive() is None
    transport.close()


def test_a_port_in_use_is_one_line_with_a_remedy(transport: TcpTransport) -> None:
    with pytest.raises(PortError, match=r"ports\.tcp_port") as caught:
        TcpTransport(port=transport.port)
    assert f"127.0.0.1:{transport.port}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_one_line(host: str) -> None:
    with pytest.raises(PortError, match=rf"{host}.*set ports\.tcp_host"):
        TcpTransport(host, 0)


def test_the_same_port_can_be_taken_again_at_once(
    transport: TcpTransport, connect: Connect
) -> None:
    connection = connect()
    transport.send(NOTE)
    transport.close()
    again = TcpTransport(port=transport.port)
    again.close()
    connection.close()


def test_a_client_without_a_daemon_is_one_line(transport: TcpTransport) -> None:
    transport.close()
    with pytest.raises(PortError, match="start segued"):
        TcpClient("127.0.0.1", transport.port)


def test_a_client_sees_its_daemon_go(transport: TcpTransport) -> None:
    client = TcpClient("127.0.0.1", transport.port)
    client.send(NOTE)
    assert take(transport, 1) == [NOTE]
    assert client.alive()
    transport.close()
    client.wait(1)
    assert not client.alive()
    client.send(NOTE)
    client.wait(0.001)
    assert client.receive() is None
    client.close()
    client.close()


@pytest.mark.skipif(sys.platform != "linux", reason="what auto tries depends on the system")
def test_auto_without_any_midi_system_listens_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segued.ports.bindings._load", lambda name: "libasound.so.2: not found")
    transport = open_transport("auto", tcp_port=0)
    assert transport.name.startswith("tcp 127.0.0.1:")
    assert "libasound.so.2" in transport.name
    transport.close()
    with pytest.raises(PortError, match=r"no MIDI output matches 'Keystep'.*ports\.output"):
        open_transport("auto", "virtual", "Keystep", tcp_port=0)
    with pytest.raises(PortError, match="does not load"):
        open_transport("alsa")


def test_a_reason_that_two_midi_systems_share_is_given_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*arguments: object) -> None:
        raise NoBackend("no binding loads", "install one")

    monkeypatch.setattr(transports, "RtMidiTransport", refused)
    monkeypatch.setattr(transports, "HERE", ("alsa", "jack"))
    opened = open_transport("auto", tcp_port=0)
    opened.close()
    assert opened.name.endswith(" (no binding loads)")
