"""The page of a real daemon: where it is told, who may come in, and what a reload changes."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from segued.service import runtime_dirs
from segued.service.command_sender import ENDING, CommandSender
from segued.service.state_reader import Reader
from segued.tools.live_session import LiveSession
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.service.test_daemon import children, fetch, free_port, segued, status
from tests.support.waiting import wait_for

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.name != "posix", reason="sockets that are files"),
]
ROOT = Path(__file__).parents[2]
TCP = ("ports.backend=tcp", "ports.tcp_port=0", "sampling.seed=1")


def answers(port: int, host: str = "localhost", path: str = "/") -> bytes:
    """The first line of the answer to a request."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    return fetch(("127.0.0.1", port), request.encode()).partition(b"\r\n")[0]


def state_path(session: LiveSession) -> Path:
    return session.runtime / (runtime_dirs.stem("Segue") + runtime_dirs.STATE_SUFFIX)


def test_for_a_phone_there_is_a_token_which_only_its_owner_is_told(tmp_path: Path) -> None:
    port = free_port()
    settings = (*TCP, f"page.port={port}", "page.host=0.0.0.0")
    with LiveSession(settings, runtime=tmp_path) as session:
        wait_for(lambda: b"403" in answers(port))
        assert any(re.search(rf"ready on .*; page http://\S+:{port}/$", s) for s in session.log)
        wait_for(lambda: "token" in session.log[-1])
        found = re.search(r"token: (http://\S+:(\d+)/\?token=(\S+))", session.log[-1])
        assert found and int(found[2]) == port
        assert b"303" in answers(port, path=f"/?token={found[3]}")
        assert b"421" in answers(port, host="evil.example", path=f"/?token={found[3]}")
        assert found[1] in segued(tmp_path, "status").stdout
        told = segued(tmp_path, "status", "--json").stdout
        assert json.loads(told)["page"] == found[1]
        with pytest.raises(InvalidStatus):
            connect(f"ws://127.0.0.1:{port}/live")
        cookie = {"Cookie": f"segue={found[3]}"}
        with connect(f"ws://127.0.0.1:{port}/live", additional_headers=cookie) as page:
            assert "table" in json.loads(page.recv(timeout=5))
        fields = f"Host: localhost\r\nCookie: segue={found[3]}\r\nConnection: close"
        shown = fetch(("127.0.0.1", port), f"GET /status HTTP/1.1\r\n{fields}\r\n\r\n".encode())
        assert found[3].encode() not in shown
        assert session.stop() == 0


def test_a_reload_moves_the_page_and_takes_it_away(tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    config = tmp_path / "config.yaml"
    config.write_text(f"page:\n  port: {first}\n")
    with daemon(tmp_path / "run", config) as process:
        wait_for(lambda: b"200" in answers(first))
        config.write_text(f"page:\n  port: {second}\n")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: b"200" in answers(second) and not answers(first))
        assert str(second) in status(tmp_path / "run")["page"]
        config.write_text("page:\n  port: null\n")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: not answers(second))
        wait_for(lambda: status(tmp_path / "run")["page"] == "" and not children(process.pid))
        process.terminate()
        assert process.wait(15) == 0


@contextlib.contextmanager
def daemon(
    runtime: Path, config: Path, settings: Sequence[str] = TCP
) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon whose page is as a file says."""
    command = [sys.executable, "-m", "segued", "run", "--config", str(config)]
    for setting in settings:
        command += ["--set", setting]
    paths = {"PYTHONPATH": str(ROOT / "daemon"), "RUNTIME_DIRECTORY": str(runtime)}
    with subprocess.Popen(command, env={**os.environ, **paths}) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_commands_stay_its_owner_s(tmp_path: Path) -> None:
    with LiveSession((*TCP, "page.port=0"), runtime=tmp_path) as session:
        path = state_path(session).with_suffix(ENDING)
        assert path.stat().st_mode & 0o077 == 0
        sender = CommandSender(path)
        assert sender.send("set", "mode", "duet") and sender.send("garbage")
        wait_for(lambda: status(tmp_path)["mode"] == "duet")
        sender.close()
        assert session.stop() == 0
        assert not path.exists()


def test_commands_are_in_the_recording(tmp_path: Path) -> None:
    """What is turned and played by commands is replayed note for note."""
    folder = tmp_path / "takes"
    settings = (*TCP, f"record.folder={folder}", "turns.silence=0.3", "turns.reply_length=2")
    with LiveSession(settings, runtime=tmp_path / "run") as session:
        sender = CommandSender(state_path(session).with_suffix(ENDING))
        sender.send("set", "register", 12)
        for pitch in (60, 64, 67, 72):
            sender.send("receive", [0x90, pitch, 80])
            time.sleep(0.1)
            sender.send("receive", [0x80, pitch, 64])
        session.play(until=lambda _, got: sum(m[0] == 0x90 and m[2] > 0 for _, m in got) > 8)
        sender.close()
        assert session.stop() == 0
    (take,) = folder.glob("*.mid")
    done = segued(tmp_path, "render", "--replay", str(take), str(tmp_path / "again.mid"))
    assert done.returncode == 0 and "identical to the recording" in done.stdout, done


def test_nothing_is_told_while_nobody_looks_and_the_server_rests(tmp_path: Path) -> None:
    with LiveSession((*TCP, "page.port=0"), runtime=tmp_path) as session:
        reader = Reader(state_path(session))
        port = int(reader.read().facts["page"].rstrip("/").rpartition(":")[2])
        wait_for(lambda: b"200" in answers(port))
        events = reader.events()
        session.play([(0.0, b"\x90\x3c\x50"), (0.1, b"\x80\x3c\x40")], seconds=0.3)
        assert events.read() == []
        (server,) = children(session.process.pid)
        before = _ticks(server)
        time.sleep(2.0)
        assert _ticks(server) - before <= 2, "of 200 hundredths of a second"
        with connect(f"ws://127.0.0.1:{port}/live", max_queue=None):
            wait_for(lambda: events.read())
        reader.close()
        assert session.stop() == 0


def _ticks(process: int) -> int:
    """Hundredths of a second that a process has computed."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
