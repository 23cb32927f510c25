"""Opening ports while others come and go, and waking from rest, without any MIDI system."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from segued.errors import PortError
from segued.ports import rtmidi_transport
from segued.ports.bindings import NAMES, Binding, Input, Output
from segued.ports.jack_calls import Called
from segued.ports.jack_health import NoHealth
from segued.ports.port_names import NoBackend, NoPort
from segued.ports.rtmidi_clients import Clients
from segued.ports.rtmidi_transport import End

NOTE, OTHER, THIRD = [0x90, 60, 64], [0x80, 60, 64], [0x90, 61, 64]


class RtMidiError(Exception):
    """As the bindings have one."""


class Raw:
    """RtMidi as a binding shows it. `lists` are the ports at each look; the last one stays."""

    def __init__(self, *lists: list[str]) -> None:
        self.lists, self.closed = list(lists), 0
        self.opened: list[str] = []
        self.queue: list[tuple[list[int], float]] = []
        self.callback: Any = None
        self.complain: Any = None

    def __call__(self, *arguments: object) -> "Raw":
        return self

    def get_port_count(self) -> int:
        if len(self.lists) > 1:
            self.lists.pop(0)
        return len(self.lists[0])

    def get_port_name(self, number: int) -> str:
        return self.lists[0][number]

    def open_port(self, number: int, own_name: str) -> None:
        if number >= len(self.lists[0]):
            self.complain(0, "the 'portNumber' argument is invalid", None)
            return
        self.opened.append(self.lists[0][number])

    def open_virtual_port(self, own_name: str) -> None:
        pass

    def delete(self) -> None:
        pass

    def close_port(self) -> None:
        self.closed += 1

    def set_error_callback(self, callback: Any) -> None:
        self.complain = callback

    def ignore_types(self, **types: bool) -> None:
        pass

    def set_callback(self, callback: Any) -> None:
        self.callback = callback

    def cancel_callback(self) -> None:
        self.callback = None

    def get_message(self) -> tuple[list[int], float] | None:
        assert self.callback is None, "RtMidi complains"
        return self.queue.pop(0) if self.queue else None

    def send_message(self, message: list[int]) -> None:
        raise RtMidiError("it is gone")

    def come(self, message: list[int], gap: float) -> None:
        """As RtMidi's own thread does it."""
        if self.callback is None:
            self.queue.append((message, gap))
        else:
            self.callback(message, gap, None)


def binding(raw: Raw) -> Binding:
    module = SimpleNamespace(MidiIn=raw, MidiOut=raw)
    return Binding(NAMES[1], module, (RtMidiError,), {"LINUX_ALSA": 2})


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> NoHealth:
    monkeypatch.setattr(NoHealth, "settle", lambda self: None)
    return NoHealth()


def opened(raw: Raw, watch: NoHealth, pattern: str = "keystep") -> End:
    return End(Output(binding(raw), 2, "Segue"), "output", pattern, "Segue Out", watch)


def test_a_number_that_shifted_is_noticed_and_the_right_port_opened(watch: NoHealth) -> None:
    before, after = ["Pad", "Synth", "Keystep"], ["Synth", "Keystep", "Clock"]

    class Shifting(Raw):
        def open_port(self, number: int, own_name: str) -> None:
            self.opened.append(after[number])  # "Clock", unseen

    raw = Shifting([], [], before, after)
    end = opened(raw, watch)
    assert raw.opened == ["Clock", "Keystep"] and raw.closed == 1
    assert end.name == "Keystep" and end.there()


def test_a_port_that_vanishes_before_it_is_open_is_one_line(watch: NoHealth) -> None:
    class Vanishing(Raw):
        def open_port(self, number: int, own_name: str) -> None:
            self.lists = [["Pad"]]
            super().open_port(number, own_name)

    with pytest.raises(NoPort) as caught:
        opened(Vanishing(["Pad", "Keystep"]), watch)
    line = str(caught.value)
    assert line.startswith("no MIDI output matches 'keystep'; there are: 'Pad'")
    assert caught.value.status == 69 and "\n" not in line


def test_a_system_that_always_refuses_is_given_up(watch: NoHealth) -> None:
    class Refusing(Raw):
        def open_port(self, number: int, own_name: str) -> None:
            raise RtMidiError("ALSA says no")

    raw = Refusing(["Keystep"])
    with pytest.raises(NoPort):
        opened(raw, watch)


def transport(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> rtmidi_transport.RtMidiTransport:
    made = binding(raw)
    clients = Clients(Input(made, 2, "Segue"), Output(made, 2, "Segue"), NoHealth())
    monkeypatch.setattr(rtmidi_transport, "open_clients", lambda backend, name: clients)
    return rtmidi_transport.RtMidiTransport("alsa", "virtual", "virtual")


def test_no_call_goes_on_between_closing_the_port_and_leaving() -> None:
    """A call that began before reads the ring of RtMidi's output, which `delete` frees at once."""
    calls: list[str] = []

    class Ordered(Raw):
        def close_port(self) -> None:
            calls.append("port closed")

        def delete(self) -> None:
            calls.append("left")

    class Watch(NoHealth):
        def rest(self) -> None:
            calls.append("at rest")

    made = binding(Ordered([]))
    Clients(Input(made, 2, "Segue"), Output(made, 2, "Segue"), Watch()).close()
    assert calls == ["port closed", "at rest", "left", "left"]


class Server(NoHealth):
    """Says of each pair of clients which are called, and notes what becomes of the clients."""

    def __init__(self, called: list[Called], lives: bool = True) -> None:
        self.verdicts, self.lives = called, lives
        self.told: list[str] = []

    def called(self) -> Called:
        return self.verdicts.pop(0)

    def alive(self) -> bool:
        return self.lives

    def settle(self) -> None:
        pass

    def follow(self, input_port: str, output_port: str) -> None:
        self.told.append("followed")

    def open(self, monkeypatch: pytest.MonkeyPatch) -> rtmidi_transport.RtMidiTransport:
        def opened(backend: str, name: str) -> Clients:
            made = binding(Raw([]))
            return Clients(Input(made, 2, name), Output(made, 2, name), self)

        monkeypatch.setattr(rtmidi_transport, "open_clients", opened)
        monkeypatch.setattr(Clients, "close", lambda clients: self.told.append("closed"))
        monkeypatch.setattr(Clients, "abandon", lambda clients: self.told.append("abandoned"))
        return rtmidi_transport.RtMidiTransport("jack", "virtual", "virtual")


def test_clients_of_which_one_is_left_out_are_closed_and_others_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server([Called.ONE, Called.ONE, Called.BOTH])
    server.open(monkeypatch).close()
    assert server.told == ["closed", "closed", "followed", "closed"]


def test_ports_that_the_server_never_calls_are_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server([Called.ONE] * rtmidi_transport.OPENINGS)
    with pytest.raises(NoBackend, match="does not call Segue") as caught:
        server.open(monkeypatch)
    assert caught.value.watched and server.told == ["closed"] * rtmidi_transport.OPENINGS


def test_clients_of_a_server_that_hangs_are_not_closed_but_those_of_a_dead_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for lives, end in ((True, "abandoned"), (False, "closed")):
        server = Server([Called.NONE, Called.BOTH], lives)
        server.open(monkeypatch)
        assert server.told == [end, "followed"]


@pytest.mark.parametrize(
    ("event", "messages"),
    [
        ("903c50 904050", ["903c50", "904050"]),
        ("b06500 b06400 b0060c b02600", ["b06500", "b06400", "b0060c", "b02600"]),
        ("c00500", ["c005"]),
        ("c0050000", ["c005"]),
        ("fa0000", ["fa"]),
        ("f80000 903c50", ["f8", "903c50"]),
        ("f07e09f7", []),
        ("fe0000", []),
        ("00", []),
        ("903c", []),
        ("903c 904050", ["904050"]),
    ],
)
def test_every_message_of_a_packed_or_padded_event_is_taken(
    watch: NoHealth, monkeypatch: pytest.MonkeyPatch, event: str, messages: list[str]
) -> None:
    raw = Raw([])
    opened = transport(raw, monkeypatch)
    raw.queue = [([*bytes.fromhex(event)], 0.0), (NOTE, 0.0)]
    opened.wait(0.01)
    taken = []
    while (message := opened.receive()) is not None:
        taken.append(message)
    assert taken == [*(bytes.fromhex(message) for message in messages), bytes(NOTE)]
    opened.close()


def test_what_rtmidi_complains_of_is_a_port_error_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = Raw(["Keystep"])
    client = Output(binding(raw), 2, "Segue")
    for _ in range(2):
        with pytest.raises(PortError, match="portNumber"):
            client.open_port(7, "Segue Out")
    with pytest.raises(PortError, match="it is gone"):
        client.send(bytes(NOTE))
    monkeypatch.setattr(raw, "get_port_name", lambda number: b"Bontempi\xe9".decode())
    assert client.port(0) == "Bontempi�"


@pytest.fixture
def resting() -> tuple[Raw, Input]:
    raw = Raw([])
    source = Input(binding(raw), 2, "Segue")
    source.sleep(0.0)
    return raw, source


def test_the_first_message_wakes_and_takes_the_callback_away(resting: tuple[Raw, Input]) -> None:
    raw, source = resting
    assert source.get() is None
    threading.Timer(0.05, raw.come, (NOTE, 9.0)).start()
    source.sleep(10.0)
    raw.come(OTHER, 0.1)
    assert raw.callback is None
    assert [source.get(), source.get(), source.get()] == [bytes(NOTE), bytes(OTHER), None]


def test_what_came_just_before_the_callback_goes_first(resting: tuple[Raw, Input]) -> None:
    """Else a note-off would be passed on before its note-on."""
    raw, source = resting
    raw.queue.append((NOTE, 9.0))
    raw.come(OTHER, 0.01)
    raw.come(THIRD, 0.01)
    assert [source.get() for _ in range(4)] == [bytes(NOTE), bytes(OTHER), bytes(THIRD), None]


def test_it_may_rest_again_and_be_woken_for_good(resting: tuple[Raw, Input]) -> None:
    raw, source = resting
    source.wake()
    assert raw.callback is None
    raw.come(NOTE, 9.0)
    assert source.get() == bytes(NOTE)
    source.sleep(0.0)
    raw.come(OTHER, 9.0)
    source.wake()
    assert source.get() == bytes(OTHER)
