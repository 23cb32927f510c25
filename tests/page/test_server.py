"""The page's server in a process of its own, over real sockets, with a state file and a command
port that stand for the music."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from segued.control.knobs import ACTIONS, KNOBS
from segued.player.commands import PANIC, Receive, Set
from segued.ports.options import PageOptions
from segued.service.command_port import CommandPort, HearPreset, UseModel, Watch
from segued.service.event_ring import KNOB, NOTE, PLANNED, REPLANNED
from segued.service.page_process import MODULE, PagePort, open_page_port
from segued.service.state_file import StateFile
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.waiting import wait_for

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.name != "posix", reason="sockets that are files"),
]
ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"


class Stage:
    """A page without a daemon: what would be the music is the test."""

    def __init__(self, folder: Path, token: str = "") -> None:
        self.state_file = StateFile(folder / "x.board", "x")
        self.state_file.tell(name="x", state="running", transport="test", page_token=token)
        self.commands = CommandPort(folder / "x.commands")
        port = open_page_port(PageOptions(port=0))
        assert port is not None
        self.port: PagePort = port
        self.number: int = port.listener.getsockname()[1]
        self.where = ("127.0.0.1", self.number)
        self.host = f"127.0.0.1:{self.number}"
        file = port.listener.fileno()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                MODULE,
                str(folder / "x.board"),
                "--page",
                str(file),
                "127.0.0.1",
            ],
            stdin=subprocess.PIPE,
            pass_fds=[file],
            env={**os.environ, "PYTHONPATH": str(ROOT / "daemon")},
        )
        wait_for(lambda: self.get("/", **({"Cookie": f"segue={token}"} if token else {}))[0] == 200)

    def get(self, path: str, **fields: str) -> tuple[int, dict[str, str], bytes]:
        """Status, fields and body of an answer; 0 when there is none."""
        fields = {"Host": self.host, "Connection": "close", **fields}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return self.ask(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())

    def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        answer = b""
        with contextlib.suppress(OSError), socket.create_connection(self.where, 5) as line:
            line.sendall(request)
            while data := line.recv(65536):
                answer += data
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head:
            return 0, {}, b""
        first, *rest = head.decode().split("\r\n")
        named = {n.lower(): v for n, _, v in (line.partition(": ") for line in rest)}
        return int(first.split()[1]), named, body

    def page(self, **options: Any) -> ClientConnection:
        """A page that is open."""
        options.setdefault("max_queue", None)  # what nobody takes must not stop its good-bye
        options.setdefault("origin", f"http://{self.host}")
        page: ClientConnection = connect(f"ws://{self.host}/live", **options)
        return page

    def command(self) -> object:
        """The next command that is not about watching."""
        found: list[object] = []

        def come() -> bool:
            command = self.commands.receive()
            if command is not None and not isinstance(command, Watch):
                found.append(command)
            return bool(found)

        wait_for(come)
        return found[0]

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(10) == 0, "it ends with the daemon"
        self.port.close()
        self.commands.close()
        self.state_file.close()


@contextlib.contextmanager
def stage_in(folder: Path, token: str = "") -> Iterator[Stage]:
    stage = Stage(folder, token)
    try:
        yield stage
    finally:
        if stage.process.poll() is None:
            stage.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage_in(tmp_path_factory.mktemp("page")) as stage:
        yield stage


def until(page: ClientConnection, good: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The first frame that is `good`."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        frame: dict[str, Any] = json.loads(page.recv(timeout=10))
        if good(frame):
            return frame
    raise AssertionError("no such frame came")


def settled(page: ClientConnection) -> None:
    """Past the table and how all stood."""
    until(page, lambda frame: frame.get("anew"))


# --- what is served ------------------------------------------------------------------------------


def test_the_page_and_its_parts_are_served_with_a_strict_policy(stage: Stage) -> None:
    for path in (
        "/",
        *(f"/static/{f.name}" for f in (ROOT / "daemon/segued/page/static").iterdir()),
    ):
        status, fields, body = stage.get(path)
        assert status == 200 and body, path
        assert fields["content-security-policy"].startswith("default-src 'self';")
        assert fields["x-content-type-options"] == "nosniff"
        assert "server" not in fields
    assert b"http://" not in stage.get("/")[2] and b"https://" not in stage.get("/")[2]
    assert json.loads(stage.get("/status")[2])["name"] == "x"
    assert b'segue_up{name="x"} 1' in stage.get("/metrics")[2]


@pytest.mark.parametrize(
    "path", ["/none", "/static/../server.py", "/static/%2e%2e/server.py", "/static//etc/passwd"]
)
def test_nothing_else_is_served(stage: Stage, path: str) -> None:
    assert stage.get(path)[0] == 404


def test_only_reading_is_allowed(stage: Stage) -> None:
    body = (
        f"POST / HTTP/1.1\r\nHost: {stage.host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    )
    assert stage.ask(body.encode())[0] == 405


def test_a_page_is_told_the_table_and_what_happens(stage: Stage) -> None:
    with stage.page() as page:
        table = until(page, lambda frame: "table" in frame)["table"]
        assert [knob["name"] for knob in table["knobs"]] == [knob.name for knob in KNOBS]
        assert table["actions"] == ACTIONS
        settled(page)
        now = time.perf_counter()
        stage.state_file.events.add(now, NOTE, 2, 60, 80)
        stage.state_file.events.add(now + 1, PLANNED, 62, 70)
        stage.state_file.events.add(now, KNOB, 3, value=1.5)
        told: list[list[float]] = []
        while len(told) < 3:
            told += json.loads(page.recv(timeout=5)).get("events", [])
        assert told[0] == [now, NOTE, 2, 60, 80, 0.0] and told[2][1:3] == [KNOB, 3]
        with stage.page() as second:  # one that comes later is told how all stands
            stands = until(second, lambda frame: frame.get("anew"))["events"]
            assert [now, NOTE, 2, 60, 80, 0.0] in stands and [now, KNOB, 3, 0, 0, 1.5] in stands
            assert [now + 1, PLANNED, 62, 70, 0, 0.0] in stands
        stage.state_file.events.add(now, REPLANNED)
        until(page, lambda frame: [now, REPLANNED, 0, 0, 0, 0.0] in frame.get("events", []))
        with stage.page() as third:
            stands = until(third, lambda frame: frame.get("anew"))["events"]
            assert not [event for event in stands if event[1] == PLANNED]
        health = until(page, lambda frame: "health" in frame)["health"]
        assert health["running"] and health["why"]


def test_commands_reach_the_music(stage: Stage) -> None:
    with stage.page() as page:
        page.send(json.dumps(["set", "density", 0.5]))
        assert stage.command() == Set("density", 0.5)
        page.send(json.dumps(["do", "panic"]))
        assert stage.command() == PANIC
        page.send(json.dumps(["receive", [0x90, 60, 80]]))
        assert stage.command() == Receive(b"\x90\x3c\x50")
        page.send(json.dumps(["model", "folk"]))
        assert stage.command() == UseModel("folk")
        calm = {"density": 0.5, "mode": "duet", "model": "shipped", "hear": "yes"}
        stage.state_file.tell(presets=[("calm", calm)])
        page.send(json.dumps(["recall", "calm"]))
        assert stage.command() == Set("density", 0.5)
        assert stage.command() == Set("mode", "duet")
        assert stage.command() == UseModel("shipped")
        assert stage.command() == HearPreset("calm")
        page.send(json.dumps(["recall", "none"]))
        assert until(page, lambda frame: "refused" in frame)["refused"] == "there is no such preset"
        page.send(json.dumps(["ping", 1.5]))
        assert until(page, lambda frame: "pong" in frame)["pong"] == 1.5
    assert stage.command() == Receive(b"\x80\x3c\x40"), "a page that goes lets go of its keys"


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[]", "null", "[[1]]", "\0", "[" * 500, '["set","density",9]', '["set","x",1]',
        '["set","density","1"]', '["set",["density"],1]', '["do","rm -rf"]', '["do",{}]',
        '["receive",[144,60,80,1]]', '["receive",[248,0,0]]', '["receive","144"]', '["watch",9]',
        '["receive",[144,60,128]]', '["ping","x"]', '["set","density",NaN]', '["model","a/b"]',
    ],
)  # fmt: skip
def test_what_is_no_command_is_refused_in_one_line(stage: Stage, text: str) -> None:
    with stage.page() as page:
        page.send(text)
        refused = until(page, lambda frame: "refused" in frame)["refused"]
        assert refused and len(refused.splitlines()) == 1
        page.send(json.dumps(["do", "tap"]))
    assert stage.command().action == "tap", "nothing of it came through"  # type: ignore[attr-defined]


def test_bytes_are_no_command(stage: Stage) -> None:
    with stage.page() as page:
        page.send(b"\x90\x3c\x50")
        until(page, lambda frame: "refused" in frame)
        page.send(json.dumps(["ping", 2]))
        until(page, lambda frame: frame.get("pong") == 2)


# --- who may not come in -------------------------------------------------------------------------


def test_a_foreign_host_or_origin_is_refused(stage: Stage) -> None:
    assert stage.get("/", Host="evil.example")[0] == 421
    assert stage.get("/status", Host=f"evil.example:{stage.number}")[0] == 421
    assert stage.get("/status", Origin="http://evil.example")[0] == 403
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{stage.number + 1}"):
        with pytest.raises(InvalidStatus) as refused:
            stage.page(origin=origin)
        assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus):
        stage.page(additional_headers={"Host": "evil.example"})


def test_off_loopback_only_the_token_opens(tmp_path: Path) -> None:
    with stage_in(tmp_path, token="right") as stage:
        for path in ("/", "/status", "/metrics", "/static/main.js", "/?token=wrong", "/?token="):
            assert stage.get(path)[0] == 403, path
        assert stage.get("/", Cookie="segue=wrong")[0] == 403
        with pytest.raises(InvalidStatus):
            stage.page()
        status, fields, _ = stage.get("/?token=right")
        assert status == 303 and fields["location"] == "/"
        cookie = fields["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        known = {"Cookie": cookie.partition(";")[0]}
        assert stage.get("/", **known)[0] == 200
        with stage.page(additional_headers=known) as page:
            settled(page)


# --- who means no good ---------------------------------------------------------------------------


def test_a_megabyte_of_json_ends_that_page_alone(stage: Stage) -> None:
    with stage.page() as good, stage.page() as bad:
        settled(good)
        with contextlib.suppress(ConnectionClosed):
            bad.send(json.dumps(["set", "density", "x" * 1_000_000]))
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                bad.recv(timeout=5)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009
        good.send(json.dumps(["ping", 1]))
        until(good, lambda frame: "pong" in frame)


def test_silent_sockets_are_shown_out(stage: Stage) -> None:
    """More of them than it takes: while they stay others are refused, and they do not stay."""
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection(stage.where)) for _ in range(80)]
        for line in lines[:10]:
            line.sendall(b"GET / HT")
        began = time.monotonic()
        wait_for(lambda: stage.get("/")[0] == 200, 15)
        assert time.monotonic() - began < 8
        for line in lines:
            line.settimeout(5)
            with contextlib.suppress(ConnectionResetError):
                assert line.recv(1) == b""


def test_so_many_pages_and_no_more(stage: Stage) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            settled(stack.enter_context(stage.page()))
        with stage.page() as more, pytest.raises(ConnectionClosed) as closed:
            while True:
                more.recv(timeout=5)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1013


def test_a_page_that_never_reads_holds_nobody_up(stage: Stage) -> None:
    with stage.page() as good, socket.create_connection(stage.where) as bad:
        settled(good)
        bad.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        bad.sendall(
            f"GET /live HTTP/1.1\r\nHost: {stage.host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        slowest = 0.0
        for number in range(200):
            for _ in range(100):
                stage.state_file.events.add(time.perf_counter(), NOTE, 2, number % 128, 80)
            sent = time.perf_counter()
            good.send(json.dumps(["ping", number]))
            until(good, lambda frame, number=number: frame.get("pong") == number)  # type: ignore[misc]
            slowest = max(slowest, time.perf_counter() - sent)
        assert slowest < 1.0
    memory = Path(f"/proc/{stage.process.pid}/statm")
    if memory.exists():
        megabytes = int(memory.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        assert megabytes < 60


def test_ten_thousand_requests(stage: Stage) -> None:
    asked = 0
    request = f"GET /status HTTP/1.1\r\nHost: {stage.host}\r\n\r\n".encode()
    while asked < 10_000:
        with socket.create_connection(stage.where, 5) as line:
            line.sendall(request * 500)
            got = b""
            while got.count(b"HTTP/1.1 200") < 500:
                data = line.recv(1 << 20)
                assert data, got[-200:]
                got += data
        asked += 500
    assert stage.get("/")[0] == 200


def test_a_flood_of_commands_is_cut_to_a_rate(stage: Stage) -> None:
    while stage.commands.receive() is not None:
        pass
    with stage.page() as page:
        settled(page)
        for _ in range(3000):
            page.send('["do","tap"]')
        page.send(json.dumps(["ping", 0]))
        seen = 0
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            command = stage.commands.receive()
            seen += command is not None and not isinstance(command, Watch)
    assert 0 < seen < 3000


def test_a_big_chord_comes_through_whole_and_in_order(stage: Stage) -> None:
    """The system keeps ten datagrams for a music that is busy; the rest waits here."""
    while stage.commands.receive() is not None:
        pass
    with stage.page() as page:
        settled(page)
        chord = [Receive(bytes((0x90, pitch, 80))) for pitch in range(40, 70)]
        for _, pitch, velocity in (note.message for note in chord):
            page.send(json.dumps(["receive", [0x90, pitch, velocity]]))
        time.sleep(0.3)
        assert [stage.command() for _ in chord] == chord
    lifted = [stage.command() for _ in chord]
    assert lifted == [Receive(bytes((0x80, note.message[1], 64))) for note in chord]


def test_a_flood_leaves_no_note_hanging(stage: Stage) -> None:
    while stage.commands.receive() is not None:
        pass
    with stage.page() as page:
        settled(page)
        page.send(json.dumps(["receive", [0x90, 60, 80]]))
        assert stage.command() == Receive(b"\x90\x3c\x50")
        for _ in range(1500):
            page.send('["do","tap"]')
        page.send(json.dumps(["receive", [0x90, 60, 0]]))
        time.sleep(1.0)  # the music is too busy to look, and the system keeps but a few for it
        wait_for(lambda: stage.commands.receive() == Receive(b"\x90\x3c\x00"))


# --- the port ------------------------------------------------------------------------------------


def test_the_next_free_port_is_taken() -> None:
    first = open_page_port(PageOptions(port=0))
    assert first is not None
    number = first.listener.getsockname()[1]
    second = open_page_port(PageOptions(port=number))
    assert second is not None and second.listener.getsockname()[1] > number
    assert second.token == "" and second.address == second.url
    first.close()
    first.close()
    again = open_page_port(PageOptions(port=number))
    assert again is not None and again.listener.getsockname()[1] == number
    again.close()
    second.close()
    assert open_page_port(PageOptions(port=None)) is None


def test_off_loopback_there_is_a_token() -> None:
    ports = [open_page_port(PageOptions(port=0, host="0.0.0.0")) for _ in range(2)]
    own = open_page_port(PageOptions(port=0, host="0.0.0.0", token="mine"))
    assert own is not None and own.address.endswith("?token=mine")
    tokens = {port.token for port in ports if port is not None}
    assert len(tokens) == 2 and min(map(len, tokens)) >= 20
    for port in (*ports, own):
        assert port is not None
        port.close()


def test_where_no_port_can_be_had_the_music_plays_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert open_page_port(PageOptions(port=8765, host="203.0.113.7")) is None
    assert "no page on 203.0.113.7:8765" in capsys.readouterr().err
