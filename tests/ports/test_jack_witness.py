"""The process that looks for a JACK server in our stead, and what is opened when it finds one."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
from segued.ports import jack_witness, rtmidi_clients
from segued.ports.bindings import NAMES, Binding
from segued.ports.jack_witness import UNKNOWN, JackWitness, Server, loaded
from segued.ports.port_names import NoBackend
from segued.ports.rtmidi_clients import FRESH_STARTS, dismiss_witness, open_clients

from tests.support.waiting import wait_for

STANDS_IN = """
import os, sys, time
said = b""
while not os.path.exists(sys.argv[1]):
    if said != b"none\\n":
        os.write(1, said := b"none\\n")
    time.sleep(0.01)
os.write(1, b"there\\n")
names = b""
while names.count(b"\\n") < 2:
    read = os.read(0, 4096)
    if not read:
        sys.exit()
    names += read
os.write(1, b"%d %d\\n" % tuple(map(len, names.split(b"\\n")[:2])))
time.sleep(0.05)
os.write(1, b"-1 7\\n")
os.read(0, 1)
"""
"""A file takes the place of the server; what it counts are the letters of the names."""

StandsIn = Callable[[str], Path]
HANGS = "import time; time.sleep(60)"
ENDS = ""


@pytest.fixture
def stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandsIn]:
    """Another program as the witness; the file that it takes for the server."""
    monkeypatch.setattr(jack_witness, "CLOSE_TIMEOUT", 0.2)

    def program(text: str) -> Path:
        server = tmp_path / "server"
        (tmp_path / "witness.py").write_text(text)
        monkeypatch.setattr(jack_witness, "PROGRAM", str(tmp_path / "witness.py"))
        return server

    yield program
    dismiss_witness()


def test_it_waits_for_the_server_and_counts_when_it_knows_the_names(stands_in: StandsIn) -> None:
    server = stands_in(STANDS_IN)
    witness = JackWitness(str(server))
    assert witness.ask(10.0) is Server.NONE and witness.ask() is Server.NONE
    server.touch()
    wait_for(lambda: witness.ask() is Server.THERE)
    assert witness.counts() == UNKNOWN
    witness.follow("In", "Out é")
    wait_for(lambda: witness.counts() == (2, 6))
    wait_for(lambda: witness.counts() == (-1, 7))
    assert witness.ask() is Server.THERE
    witness.close()
    assert (witness.ask(), witness.counts()) == (Server.UNKNOWN, UNKNOWN)
    witness.close()


def test_a_server_that_does_not_answer_costs_only_what_one_waits(stands_in: StandsIn) -> None:
    witness = JackWitness(str(stands_in(HANGS)))
    assert witness.ask(0.1) is Server.SILENT and witness.ask() is Server.SILENT
    witness.close()
    assert witness.ask(5.0) is Server.UNKNOWN


def test_one_that_ends_or_cannot_run_knows_nothing(
    stands_in: StandsIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = JackWitness(str(stands_in(ENDS)))
    assert witness.ask(10.0) is Server.UNKNOWN and witness.counts() == UNKNOWN
    witness.follow("In", "Out")
    assert JackWitness("").ask(5.0) is Server.UNKNOWN
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert JackWitness("libjack.so").ask(5.0) is Server.UNKNOWN


class Raw:
    """RtMidi's clients on a server that may be dead; `clients` has all that were made."""

    clients: ClassVar[list["Raw"]] = []
    dies_at = 99

    def __init__(self, *arguments: object) -> None:
        if len(self.clients) >= self.dies_at:
            raise RuntimeError("no server")
        self.clients.append(self)
        self.deleted = False

    def set_error_callback(self, callback: object) -> None:
        pass

    def get_port_count(self) -> int:
        return 0

    def ignore_types(self, **types: bool) -> None:
        pass

    def get_message(self) -> None:
        pass

    def send_message(self, message: list[int]) -> None:
        pass

    def close_port(self) -> None:
        pass

    def delete(self) -> None:
        self.deleted = True


@pytest.fixture
def jack(monkeypatch: pytest.MonkeyPatch) -> list[Raw]:
    """A binding with JACK, and all clients of it."""
    monkeypatch.setattr(Raw, "clients", [])
    module = SimpleNamespace(MidiIn=Raw, MidiOut=Raw)
    made = Binding(NAMES[1], module, (RuntimeError,), {"UNIX_JACK": 3})
    monkeypatch.setattr(rtmidi_clients, "binding", lambda: made)
    monkeypatch.setattr(rtmidi_clients, "loaded", lambda name: jack_witness.__file__ + ".server")
    return Raw.clients


def test_no_client_is_opened_before_the_server_answers(
    stands_in: StandsIn, jack: list[Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = stands_in(STANDS_IN)
    monkeypatch.setattr(rtmidi_clients, "loaded", lambda name: str(server))
    for _ in range(2):
        with pytest.raises(NoBackend, match="no JACK server is running") as caught:
            open_clients("jack", "Segue")
        assert caught.value.watched and not jack
    server.touch()
    wait_for(lambda: rtmidi_clients._witnesses[0].ask() is Server.THERE)
    clients = open_clients("jack", "Segue")
    assert len(jack) == 2
    clients.watch.follow("In", "Out")
    wait_for(lambda: clients.watch.peers() == (2, 3))
    others = open_clients("jack", "Segue")  # they have a witness of their own
    assert others.watch.peers() == UNKNOWN and clients.watch.peers() != UNKNOWN
    for each in (others, clients):
        each.close()
    assert all(client.deleted for client in jack)


def test_a_server_that_hangs_is_not_asked(
    stands_in: StandsIn, jack: list[Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    stands_in(HANGS)
    monkeypatch.setattr(rtmidi_clients, "_patience", [0.1])
    with pytest.raises(NoBackend, match="does not answer") as caught:
        open_clients("jack", "Segue")
    assert caught.value.watched and not jack


def test_while_another_client_is_leaving_the_first_of_ours_is_opened_anew(
    stands_in: StandsIn, jack: list[Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the second one may wait for the semaphore of the one that has left."""
    stands_in(STANDS_IN).touch()
    monkeypatch.setattr(rtmidi_clients, "loaded", lambda name: jack_witness.__file__)
    looks = iter([True, True, False])
    monkeypatch.setattr(rtmidi_clients, "left_behind", lambda: next(looks))
    clients = open_clients("jack", "Segue")
    assert [client.deleted for client in jack] == [True, True, False, False]
    clients.close()
    monkeypatch.setattr(rtmidi_clients, "left_behind", lambda: True)
    open_clients("jack", "Segue").close()
    assert len(jack) == 4 + FRESH_STARTS + 2


def test_when_the_server_dies_between_two_clients_the_first_is_left_to_libjack(
    stands_in: StandsIn, jack: list[Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has freed it by then: to delete it is a segmentation fault."""
    stands_in(STANDS_IN).touch()
    monkeypatch.setattr(rtmidi_clients, "loaded", lambda name: jack_witness.__file__)
    monkeypatch.setattr(Raw, "dies_at", 1)
    with pytest.raises(NoBackend, match="no JACK server is running") as caught:
        open_clients("jack", "Segue")
    assert not caught.value.watched and [client.deleted for client in jack] == [False]
    assert not rtmidi_clients._witnesses, "it looked at a server that is gone"


def test_the_library_is_the_one_that_is_loaded() -> None:
    assert loaded("no such library") == ""
    assert "libc" in loaded("libc.")
