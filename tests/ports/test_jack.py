"""The ports on a real JACK server: what other programs see of them, and what its death does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from segued.errors import PortError
from segued.ports import bindings
from segued.ports.jack_health import RING
from segued.ports.port_names import NoBackend
from segued.ports.rtmidi_clients import list_ports
from segued.ports.transport import Transport, open_client, open_transport

from tests.support.jack import Peer, Server, jack_server

pytestmark = pytest.mark.live

NOTE = b"\x90\x3c\x64"
NAME = f"Segue {os.getpid()}"  # two runs of the tests at a time must not have clients of one name


@pytest.fixture(params=bindings.NAMES, autouse=True)
def binding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bindings.Binding:
    """All of this through each binding that is installed here, also in processes of our own."""
    monkeypatch.setenv(bindings.FORCE, request.param)
    try:
        return bindings.binding()
    except PortError as error:
        pytest.skip(str(error))


@pytest.fixture
def server(binding: bindings.Binding) -> Iterator[Server]:
    with jack_server() as server:
        yield server


def opened(name: str = NAME) -> Transport:
    """Opened as a daemon does it: a busy machine's server may refuse a client or answer late."""
    deadline = time.monotonic() + 10.0
    while True:
        try:
            return open_transport("jack", client_name=name)
        except NoBackend as error:
            if not error.watched or time.monotonic() > deadline:
                raise
            time.sleep(0.25)


@pytest.fixture
def transport(server: Server) -> Iterator[Transport]:
    transport = opened()
    yield transport
    transport.close()


def numbered(count: int) -> list[bytes]:
    """Messages that are all different, of two and three bytes."""
    return [
        bytes((0xC0 | i % 16, i // 16 % 128)) if i % 5 == 0 else bytes((0x90, i % 128, i // 128))
        for i in range(count)
    ]


def take(transport: Transport, count: int, seconds: float = 10.0) -> list[bytes]:
    messages: list[bytes] = []
    deadline = time.monotonic() + seconds
    while len(messages) < count and time.monotonic() < deadline:
        transport.wait(0.02)
        while (message := transport.receive()) is not None:
            messages.append(message)
    return messages


def until_dead(transport: Transport, seconds: float) -> float:
    began = time.monotonic()
    while transport.alive() and time.monotonic() - began < seconds:
        time.sleep(0.01)
    return time.monotonic() - began


def test_others_see_its_ports_until_it_closes(server: Server, transport: Transport) -> None:
    assert transport.name == f"JACK, ports '{NAME} In' and '{NAME} Out'"
    assert (transport.input_name, transport.output_name) == (f"{NAME} In", f"{NAME} Out")
    seen = server.ports()
    assert f"{NAME}:{NAME} In" in seen
    assert any(port.endswith(f":{NAME} Out") for port in seen)
    assert transport.alive()
    transport.close()
    assert not any("Segue" in port for port in server.ports())
    assert not transport.alive()
    transport.send(NOTE)
    transport.wait(0.001)
    assert transport.receive() is None
    transport.close()


def test_messages_go_both_ways_whole_and_in_order(transport: Transport) -> None:
    sent = numbered(2000)
    with Peer(NAME) as peer:
        peer.send(*sent)
        assert take(transport, len(sent)) == sent
        for message in sent:
            transport.send(message)
        assert peer.received(len(sent)) == sent
    assert transport.alive()


def test_a_flood_of_3000_a_second_that_waits_five_seconds_in_the_queue_is_whole(
    transport: Transport,
) -> None:
    sent = numbered(2000) * 7
    with Peer(NAME) as peer:
        for start in range(0, len(sent), 150):
            peer.send(*sent[start : start + 150])
            time.sleep(0.02)
        peer.send(b"\xfc")
        time.sleep(0.3)
        assert take(transport, len(sent) + 1) == [*sent, b"\xfc"]


def test_clock_comes_through_and_what_is_no_message_of_ours_does_not(transport: Transport) -> None:
    with Peer(NAME) as peer:
        peer.send(b"\xf0\x7e\x00\x06\x01\xf7", b"\xf8", b"\xfe", b"\x90\x3c", b"\x3c\x40", NOTE)
        assert take(transport, 3, seconds=0.5) == [b"\xf8", NOTE]


def test_wait_returns_at_a_message_and_else_on_time(transport: Transport) -> None:
    for seconds in (0.0, 0.0002, 0.0031, 0.02):
        began = time.perf_counter()
        transport.wait(seconds)
        assert seconds <= time.perf_counter() - began < seconds + 0.05
    with Peer(NAME) as peer:
        peer.send(NOTE)
        began = time.perf_counter()
        transport.wait(5)
        assert time.perf_counter() - began < 1
        assert transport.receive() == NOTE


def test_at_rest_the_first_message_wakes_it_and_the_others_follow_in_order(
    transport: Transport,
) -> None:
    with Peer(NAME) as peer:
        for start in range(0, 60, 12):
            time.sleep(0.1)  # sooner after the last message is no rest
            transport.wait(0.02, resting=True)
            assert transport.receive() is None
            sent = [bytes((0x90, start + i, 64)) for i in range(12)]
            peer.send(*sent)
            began = time.perf_counter()
            transport.wait(5, resting=True)
            assert time.perf_counter() - began < 2
            assert take(transport, len(sent)) == sent
        time.sleep(0.1)
        transport.wait(0.02, resting=True)
        peer.send(NOTE)
        assert take(transport, 1) == [NOTE], "rest gives way to play without a message"


def test_a_transport_may_be_closed_while_it_rests(server: Server, transport: Transport) -> None:
    transport.wait(0.01, resting=True)
    transport.close()
    assert not any("Segue" in port for port in server.ports())


def test_what_was_sent_just_before_closing_goes_out(server: Server, transport: Transport) -> None:
    sent = numbered(200)
    with Peer(NAME) as peer:
        for message in sent:
            transport.send(message)
        transport.close()
        assert peer.received(len(sent)) == sent


def test_named_ports_are_connected_whatever_their_case(server: Server) -> None:
    with Peer("") as peer:
        transport = open_transport("auto", "peer OUT", "Peer in", NAME)
        own = f"Peer {peer.process.pid}"
        assert transport.name == f"JACK, ports '{own}-01:Peer Out' and '{own}:Peer In'"
        peer.send(NOTE)
        assert take(transport, 1) == [NOTE]
        transport.send(NOTE)
        assert peer.received(1) == [NOTE]
        assert transport.alive()
    assert until_dead(transport, 2) < 2  # unplugged
    transport.send(NOTE)
    transport.close()


def test_a_named_port_that_moves_in_the_list_is_still_there(server: Server) -> None:
    with Peer(""):
        transport = open_transport("jack", "Peer Out", "virtual", NAME)
        others = [open_transport("jack", client_name=f"{NAME} {i}") for i in range(3)]
        assert transport.alive()
        for other in others:
            other.close()
        assert transport.alive()
        transport.close()


def test_no_such_port_is_one_line_with_those_that_are_there(server: Server) -> None:
    with Peer(""), pytest.raises(PortError) as caught:
        open_transport("jack", "Keystep", "virtual", NAME)
    line = str(caught.value)
    assert line.startswith("no MIDI input matches 'Keystep'; there are: 'Peer")
    assert "ports.input" in line and "\n" not in line
    assert not any("Segue" in port for port in server.ports())


def test_list_ports(server: Server, transport: Transport) -> None:
    found = list_ports()
    assert ("jack", "input", f"{NAME}-01:{NAME} Out") in found
    assert ("jack", "output", f"{NAME}:{NAME} In") in found


def counted(transport: Transport, wanted: tuple[int, int], seconds: float = 5.0) -> bool:
    """Whether `peers` comes to be what is wanted."""
    deadline = time.monotonic() + seconds
    while (found := transport.peers()) != wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    return found == wanted


def test_who_is_connected_is_counted(transport: Transport) -> None:
    assert counted(transport, (0, 0))
    with Peer(NAME), Peer(NAME):
        assert counted(transport, (2, 2))
    assert counted(transport, (0, 0))


def test_of_two_daemons_of_one_name_each_counts_its_own(transport: Transport) -> None:
    other = opened()
    try:
        with Peer(NAME):  # which connects to the first of that name
            assert counted(transport, (1, 1)) and counted(other, (0, 0))
    finally:
        other.close()
    assert other.peers() == (-1, -1)


def test_who_counts_may_be_killed_and_is_gone_with_the_ports(transport: Transport) -> None:
    assert counted(transport, (0, 0))
    looks = ["pgrep", "-P", str(os.getpid()), "-f", "jack_witness"]
    number = int(subprocess.run(looks, check=True, capture_output=True, text=True).stdout)
    os.kill(number, signal.SIGKILL)
    assert counted(transport, (-1, -1))
    assert transport.alive()
    again = opened(f"{NAME} again")
    assert counted(again, (0, 0))
    again.close()
    assert subprocess.run(looks, capture_output=True).returncode == 1, "one is left"


def test_the_other_side_by_name(transport: Transport) -> None:
    client = open_client("jack", transport.input_name, NAME)
    client.send(NOTE)
    assert take(transport, 1) == [NOTE]
    transport.send(NOTE)
    assert take(client, 1) == [NOTE]
    client.close()


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_the_servers_death_is_noticed_and_nothing_hangs(
    server: Server, transport: Transport, end: str
) -> None:
    getattr(server, end)()
    assert until_dead(transport, 2) < 2
    began = time.monotonic()
    for _ in range(5000):  # twice what the ring holds
        transport.send(NOTE)
    transport.wait(0.01)
    assert transport.receive() is None
    transport.close()
    assert time.monotonic() - began < 3
    server.start()
    again = opened()
    with Peer(NAME) as peer:
        again.send(NOTE)
        assert peer.received(1) == [NOTE]
    again.close()


def test_a_flood_never_spins_though_nobody_has_asked_whether_the_server_lives(
    server: Server, transport: Transport
) -> None:
    server.kill()
    for _ in range(5000):
        transport.send(NOTE)
    assert not transport.alive()


def test_a_server_that_hangs_stops_nothing_and_is_taken_up_again(
    server: Server, transport: Transport
) -> None:
    server.hang()
    deadline = time.monotonic() + 10.0
    while transport.alive() and time.monotonic() < deadline:  # calls that were due still come
        for _ in range(5000):
            transport.send(NOTE)
    assert not transport.alive()
    began = time.monotonic()
    transport.close()
    assert time.monotonic() - began < 4
    with pytest.raises(PortError, match="does not answer"):
        open_transport("jack")
    server.go_on()
    again = opened(f"Again {NAME}")
    seen = server.ports()
    assert f"Again {NAME}:Again {NAME} In" in seen
    assert not any(port.startswith(NAME) for port in seen)
    again.close()


def test_a_burst_of_three_rings_at_once_is_whole(transport: Transport) -> None:
    sent = numbered(3 * RING // 7)
    with Peer(NAME) as peer:
        for message in sent:
            transport.send(message)
        assert transport.alive()
        assert peer.received(len(sent)) == sent


SCRIPT = """
from segued.ports.transport import open_transport
import os, time
transport = open_transport("jack", client_name=f"Segue {{os.getpid()}}")
print("open", flush=True)
{then}
"""


def script(then: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(then=then)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def test_a_process_can_leave_though_the_server_hangs(server: Server) -> None:
    with script("input_ = __import__('sys').stdin.readline\ntime.sleep(1)\ntransport.close()") as p:
        assert p.stdout is not None and p.stdout.readline() == "open\n"
        server.hang()
        _, said = p.communicate(timeout=10)
        assert (p.returncode, said) == (0, "")
        server.go_on()


def test_without_a_server_jack_is_one_line_and_libjack_keeps_quiet() -> None:
    with script("", JACK_DEFAULT_SERVER="segue-no-such-server") as process:
        _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "start one" in said.splitlines()[-1] and "PortError" not in said.splitlines()[-2]
    assert not any(word in said for word in ("Cannot connect", "cannot be started", "ALSA lib"))
