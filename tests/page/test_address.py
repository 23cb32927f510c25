"""`segued page`: the address, and the code for a phone."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import segno
from segued.errors import PortError
from segued.settings.config import Config
from segued.tools import page as tool
from segued.tools.live_session import LiveSession
from segued.tools.page import BORDER, DARK_AND_LIGHT, PLAIN, code, reachable

from ..service.test_daemon import ROOT, TCP, free_port, segued

ADDRESS = "http://192.168.1.20:8765/?token=AbCdEfGhIjKlMnOpQrStUv"
posix = pytest.mark.skipif(os.name != "posix", reason="the page needs a command port")
HALVES = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}  # 1: a dark module


def modules_of(lines: list[str]) -> list[list[int]]:
    """The modules that the lines show, without the border."""
    rows: list[list[int]] = []
    for line in lines:
        assert line.startswith(DARK_AND_LIGHT) and line.endswith(PLAIN)
        halves = [HALVES[c] for c in line.removeprefix(DARK_AND_LIGHT).removesuffix(PLAIN)]
        rows += [[half[i] for half in halves] for i in (0, 1)]
    size = len(rows[0]) - 2 * BORDER
    return [row[BORDER:-BORDER] for row in rows[BORDER : BORDER + size]]


def test_the_code_shows_the_address() -> None:
    expected = segno.make_qr(ADDRESS, error="l").matrix
    assert modules_of(code(ADDRESS)) == [list(map(int, row)) for row in expected]
    assert len(code(ADDRESS)) <= 20, "it fits a terminal of 24 lines"


def test_the_name_of_this_machine_becomes_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Studio")
    for url in ("http://192.168.1.20:8765/", "http://other:8765/", "http://[fe80::1]:8765/"):
        assert reachable(url) == url
    found = reachable("http://Studio:8765/")
    assert re.fullmatch(r"http://(Studio|\d+\.\d+\.\d+\.\d+):8765/", found)

    class Alone(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", Alone)
    assert reachable("http://Studio:8765/") == "http://Studio:8765/"


@pytest.mark.parametrize("facts", [("", ""), ("", "token")])
def test_without_a_page_it_says_so(monkeypatch: pytest.MonkeyPatch, facts: tuple[str, str]) -> None:
    monkeypatch.setattr(tool, "page_of", lambda config: facts)
    with pytest.raises(PortError, match=r"no page: page\.port is null"):
        tool.page(Config())


def at_a_terminal(runtime: Path) -> str:
    """What `segued page` prints there."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "daemon"),
        "RUNTIME_DIRECTORY": str(runtime),
        "PYTHONIOENCODING": "utf-8",
    }
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "segued", "page"]
    process = subprocess.Popen(command, stdout=theirs, cwd=runtime, env=environment)
    os.close(theirs)
    read = bytearray()
    try:
        while data := os.read(ours, 4096):
            read += data
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
    assert process.wait(30) == 0
    return read.decode()


@pytest.mark.live
@posix
def test_a_phone_may_scan_the_address(tmp_path: Path) -> None:
    settings = [*TCP, f"page.port={free_port()}", "page.host=0.0.0.0", "page.token=" + "x" * 22]
    with LiveSession(settings, runtime=tmp_path) as stage:
        told = segued(tmp_path, "page")
        assert told.returncode == 0
        lines = told.stdout.splitlines()
        assert all(line.startswith("http://") and line.endswith("x" * 22) for line in lines)
        shown = at_a_terminal(tmp_path).splitlines()
        assert shown[: len(lines)] == lines
        expected = segno.make_qr(lines[-1], error="l").matrix
        assert modules_of(shown[len(lines) :]) == [list(map(int, row)) for row in expected]
        assert stage.stop() == 0


@pytest.mark.live
@posix
def test_on_loopback_there_is_no_code(tmp_path: Path) -> None:
    port = free_port()
    with LiveSession([*TCP, f"page.port={port}"], runtime=tmp_path) as stage:
        told = segued(tmp_path, "page")
        assert told.stdout.splitlines()[0] == f"http://127.0.0.1:{port}/"
        assert "page.host: 0.0.0.0" in told.stdout
        assert stage.stop() == 0
