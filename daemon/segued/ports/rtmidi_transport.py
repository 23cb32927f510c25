"""The transport through MIDI ports of the operating system.

While somebody plays, the input is polled. After a while without input it sleeps until the first
message (`bindings.Input` explains why not always).
"""

import time
from collections import deque
from collections.abc import Callable, Iterable

from ..midi.messages import is_message
from ..midi.stream import messages_of
from .bindings import Input, Output, RtMidiFailure
from .jack_calls import Called
from .jack_health import JackHealth, NoHealth
from .port_names import VIRTUAL, NoBackend, NoPort, choose, newcomer, plain
from .rtmidi_clients import BACKENDS, open_clients, quiet

POLL = 0.0005  # seconds between polls of the input while somebody plays
TRIES = 5  # attempts to open a port while other ports come and go
OPENINGS = 3  # attempts to open both clients while the server leaves one of them out


class RtMidiTransport:
    """MIDI input and output through RtMidi. All methods must be called in one thread.

    `input_port` and `output_port` are "virtual" (a virtual port named `client_name` In or Out) or a
    part of the name of a port to connect to. Raises PortError. When its server has died, it must be
    closed before anything else of RtMidi is opened.
    """

    def __init__(
        self, backend: str, input_port: str, output_port: str, client_name: str = "Segue"
    ) -> None:
        if backend == "winmm" and VIRTUAL in (input_port, output_port):
            raise NoBackend(
                "Windows has no virtual MIDI ports",
                "set ports.input and ports.output (loopMIDI provides virtual cables)",
            )
        self.backend = backend
        self._more: deque[bytes] = deque()  # received messages that `receive` will return next
        self._closed = self._lost = False
        self.welcome: Callable[[], Iterable[bytes]] = tuple
        for _ in range(OPENINGS):
            with quiet():
                self._open(input_port, output_port, client_name)
                called = self._watch.called()
                if called is Called.BOTH:
                    break
                self._end(hangs=called is Called.NONE and self._watch.alive())
        else:
            raise NoBackend("the JACK server does not call Segue", "restart it", watched=True)
        self._watch.follow(*self._full_names)
        self.input_name, self.output_name = self._from.name, self._to.name
        self.name = f"{BACKENDS[backend].label}, ports '{self.input_name}' and '{self.output_name}'"

    def _open(self, input_port: str, output_port: str, client_name: str) -> None:
        """Open clients and ports, and wait until others have been told of them."""
        self._clients = open_clients(self.backend, client_name)
        self._input, self._output, self._watch = self._clients
        try:
            before = self._names() if self.backend == "jack" else ([], [])
            own_input, own_output = _own(client_name)
            self._from = End(self._input, "input", input_port, own_input, self._watch)
            self._to = End(self._output, "output", output_port, own_output, self._watch)
            after = self._names() if self.backend == "jack" else ([], [])
            self._full_names = map(newcomer, before, after, _own(client_name))
        except BaseException:
            self._clients.close()
            raise
        self._watch.settle()

    def _names(self) -> tuple[list[str], list[str]]:
        """The names of all input ports and of all output ports."""
        return self._clients.output.ports(), self._clients.input.ports()

    def receive(self) -> bytes | None:
        """The next complete message, or None (after 0.5 µs). Never blocks.

        Clock messages are included; system exclusive and active sensing are not.
        """
        if self._more:
            return self._more.popleft()
        if self._closed:
            return None
        while (message := self._input.get()) is not None:
            if is_message(message):
                return message
            self._more += messages_of(message)
            if self._more:
                return self._more.popleft()
        return None

    def send(self, message: bytes) -> None:
        """Send a complete message. Never raises; takes under 1 µs (JACK).

        If a message cannot be sent, nothing more is sent and `alive` is False from then on: the
        lost message may be a note-off. If the server hangs, one call may take 0.25 s.
        """
        if self._lost or not self._watch.room(len(message)):
            self._lost = True
            return
        try:
            self._output.send(message)
        except RtMidiFailure:
            self._lost = True

    def wait(self, seconds: float, resting: bool = False) -> None:
        """Return when a message has arrived or after `seconds`, to 0.1 ms.

        It polls: a message is seen up to `POLL` late, and waiting takes about 4 % of a core. When
        `resting`, it sleeps instead: use that when nobody plays and nothing is computed.
        """
        if resting and not self._more and not self._closed:
            self._input.sleep(seconds)
            return
        deadline = time.perf_counter() + seconds
        while not self._more:
            message = self.receive()
            if message is not None:
                self._more.appendleft(message)
                return
            left = deadline - time.perf_counter()
            if left <= 0:
                return
            time.sleep(min(left, POLL))

    def alive(self) -> bool:
        """Whether server and named ports exist and all messages were sent.

        For the hot loop about once a second. On JACK it takes 2.4 µs; with two named ports 0.1 ms,
        and 0.5 ms once after ports came or went (24 clients); see `End.there`. When only the input
        is lost, messages are still sent.
        """
        if self._lost:
            return False
        inputs, outputs = self._watch.peers()
        self._lost = not (self._watch.alive() and self._to.there() and self._to.joined(outputs))
        return not self._lost and self._from.there() and self._from.joined(inputs)

    def peers(self) -> tuple[int, int]:
        """The numbers of ports connected to the input and to the output; -1: unknown."""
        return self._watch.peers()

    def close(self) -> None:
        """Wait until all messages were sent, then close the ports. Idempotent.

        Takes 0.1 s, also when the server has died (1 s outside the main thread). If the server
        hangs, closing would never return, so the clients stay open until it continues or dies.
        """
        if self._closed:
            return
        self._closed = self._lost = True
        self._more.clear()
        with quiet():
            self._end(self._watch.hangs())

    def _end(self, hangs: bool) -> None:
        """Close the clients, or leave them open because the server hangs."""
        if hangs:
            self._clients.abandon()
        else:
            self._clients.close()


def _own(client_name: str) -> tuple[str, str]:
    """The names of our input and our output."""
    return f"{client_name} In", f"{client_name} Out"


class End:
    """A virtual port, or the connection to the port that `pattern` names.

    Raises NoPort, also when the port goes away while it is being opened.
    """

    def __init__(
        self,
        client: Input | Output,
        direction: str,
        pattern: str,
        own_name: str,
        watch: JackHealth | NoHealth,
    ) -> None:
        self._client = client
        self._number, self._full = -1, ""
        self.name = own_name
        if pattern.lower() == VIRTUAL:
            client.open_virtual_port(own_name)
            return
        for _ in range(TRIES):
            if self._open(direction, pattern, own_name):
                return
            watch.settle()
            client.close_port()
        raise NoPort(direction, pattern, [])

    def _open(self, direction: str, pattern: str, own_name: str) -> bool:
        """Open the port; return whether the right one is open.

        RtMidi opens ports by number, and the numbers change when a port comes or goes. So the list
        is read again afterwards: if it is unchanged up to the number, the right port is open.
        """
        names = self._names()
        number = choose(names, pattern, direction)
        try:
            self._client.open_port(number, own_name)
        except RtMidiFailure:
            return False
        self._number, self._full, self.name = number, names[number], plain(names[number])
        return self._names()[: number + 1] == names[: number + 1]

    def _names(self) -> list[str]:
        for _ in range(TRIES - 1):
            try:
                return self._client.ports()
            except RtMidiFailure:  # a port went away while the list was read
                continue
        return self._client.ports()

    def joined(self, peers: int) -> bool:
        """Whether the named port is still connected; `peers`: our number of connections.

        It is not if the port went and came back under the same name between two checks.
        """
        return not self._full or peers != 0

    def there(self) -> bool:
        """Whether the named port still exists.

        This takes two calls as long as its number is the same, and the whole list after a change.
        """
        if not self._full:
            return True
        client = self._client
        try:
            if self._number < client.count() and client.port(self._number) == self._full:
                return True
            names = client.ports()
        except RtMidiFailure:
            return False
        if self._full not in names:
            return False
        self._number = names.index(self._full)
        return True
