"""Which port a name means, and the watch on a server, without any MIDI system."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from segued.ports.jack_health import FULL_PATIENCE, RING, JackHealth, unix_sockets
from segued.ports.port_names import NoPort, choose, plain

Watched = tuple[JackHealth, socket.socket, socket.socket, list[int]]

THERE = [
    "Midi Through:Midi Through Port-0 14:0",
    "Arturia KeyStep 37:Arturia KeyStep 37 MIDI 1 20:0",
    "Arturia KeyStep 32:Arturia KeyStep 32 MIDI 1 24:0",
    "a2j:nanoKEY2 [28] (capture): nanoKEY2 MIDI 1",
]


@pytest.mark.parametrize(
    ("pattern", "index"),
    [
        ("through", 0),
        ("keystep", 1),
        ("KeyStep 32", 2),
        ("Arturia KeyStep 32:Arturia KeyStep 32 MIDI 1 20:0", 2),  # it was 20:0 yesterday
        ("a2j:nanoKEY2 [20] (capture): nanoKEY2 MIDI 1", 3),
        (" nanokey2 ", 3),
        ("24:0", 2),
        ("Arturia KeyStep 32:Arturia KeyStep 32 MIDI 1 24:0", 2),
    ],
)
def test_a_part_of_the_name_is_enough(pattern: str, index: int) -> None:
    assert choose(THERE, pattern, "input") == index


def test_of_two_ports_of_one_name_the_number_tells_which() -> None:
    two = ["Keystep:Keystep MIDI 1 20:0", "Keystep:Keystep MIDI 1 24:0"]
    assert [choose(two, pattern, "input") for pattern in (two[1], "keystep", "24:0")] == [1, 0, 1]


def test_whole_words_go_before_parts_of_them() -> None:
    there = ["Mio:Port 10 1 20:9", "Mio:Port 11", "Mio:Port 1 Extra"]
    assert choose(there, "Port 1", "input") == 2
    assert choose(there, "Por", "input") == 0


def test_an_equal_name_goes_before_a_longer_one() -> None:
    assert choose(["Synth B:Out 2", "Synth B:Out"], "synth b:out", "output") == 1


@pytest.mark.parametrize("pattern", ["", " ", "21:0", "0:0", "Moog"])
def test_no_such_port_is_one_line_with_those_that_are_there(pattern: str) -> None:
    with pytest.raises(NoPort) as caught:
        choose(THERE, pattern, "input")
    line = str(caught.value)
    assert line.startswith(f"no MIDI input matches '{pattern}'; there are: 'Midi Through:")
    assert "20:0'," not in line.split(";")[1] and "ports.input" in line and "\n" not in line
    assert caught.value.status == 69
    with pytest.raises(NoPort, match="there are: none"):
        choose([], "Moog", "output")


@given(st.lists(st.text(max_size=12), max_size=6), st.text(max_size=6))
def test_whatever_the_names_the_chosen_one_contains_the_pattern(
    names: list[str], pattern: str
) -> None:
    try:
        index = choose(names, pattern, "input")
    except NoPort:
        return
    contained = plain(pattern).strip().lower() in plain(names[index]).lower()
    assert contained or names[index].endswith(pattern.strip())


@pytest.fixture
def watched() -> Iterator[Watched]:
    """A watch whose server is the other end of a socket pair, with calls that we count."""
    ours, server = socket.socketpair(socket.AF_UNIX)
    watch = JackHealth({ours.fileno()}, set())
    calls = [0]
    setattr(watch, "_sleeps", lambda: [calls[0]])  # noqa: B010
    watch._seen = watch._opened = [0]
    yield watch, ours, server, calls
    watch.close()
    ours.close()
    server.close()


def test_a_server_that_hangs_up_is_dead_though_our_own_socket_is_closed(watched: Watched) -> None:
    watch, ours, server, _ = watched
    assert watch.alive()
    server.send(b"something to read is no hanging up")
    assert watch.alive()
    ours.close()
    server.close()
    assert not watch.alive()
    assert not watch.drain(5)


@given(st.lists(st.tuples(st.sampled_from(["send", "fetch", "sleep"]), st.integers(1, 1500))))
@example(  # the last sleep ends a call that was made before the last look
    [
        *(("fetch", 1), ("sleep", 1), ("send", 150), ("fetch", 1), ("send", 1100)),
        *(("sleep", 1), ("send", 1500), ("send", 1500)),
    ]
)
def test_the_ring_is_never_filled_beyond_its_size(steps: list[tuple[str, int]]) -> None:
    watch, sleeps, ring = JackHealth(set(), set()), 0, 0
    setattr(watch, "_sleeps", lambda: [sleeps])  # noqa: B010
    watch._seen = watch._opened = [0]
    setattr(watch, "drain", lambda seconds: False)  # noqa: B010
    fetched = False
    for what, count in steps:
        if what == "fetch":  # JACK calls and empties the ring; it need not sleep at once
            ring, fetched = 0, True
        elif what == "sleep":  # ... and it sleeps only after a call
            sleeps, fetched = sleeps + fetched, False
        else:
            for _ in range(count):
                if not watch.room(3):
                    return
                ring += 7
                assert ring <= RING


def test_a_full_ring_waits_for_calls_but_not_for_ever(watched: Watched) -> None:
    watch, _, _, calls = watched
    for _ in range(RING // 7):
        assert watch.room(3)
    began = time.monotonic()
    assert not watch.room(3)
    assert FULL_PATIENCE <= time.monotonic() - began < FULL_PATIENCE + 1

    def call() -> list[int]:
        calls[0] += 1
        return [calls[0]]

    setattr(watch, "_sleeps", call)  # noqa: B010
    assert all(watch.room(3) for _ in range(5000))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_only_sockets_to_other_processes_count() -> None:
    before = unix_sockets()
    here, there = socket.socketpair(socket.AF_UNIX)
    alone = socket.socket(socket.AF_UNIX)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"\0segue-test-{os.getpid()}")
    listener.listen()
    code = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); "
        "s.connect('\\0' + sys.argv[1]); s.recv(1)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, f"segue-test-{os.getpid()}"])
    connection, _ = listener.accept()
    assert unix_sockets() - before == {connection.fileno()}
    for each in (here, there, alone, listener, connection):
        each.close()
    assert child.wait(10) == 0
