"""The daemon as a service: real processes, real signals, real sockets."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from segued.errors import PortError
from segued.ports.options import OscOptions, PageOptions
from segued.ports.tcp import TcpClient
from segued.ports.transport import open_client
from segued.service import page_process, runtime_dirs
from segued.service.page_process import PageProcess
from segued.service.state_file import StateFile
from segued.service.status import about, find
from segued.tools.live_session import Arrived, LiveSession

from tests.support.fakes import Synth
from tests.support.waiting import wait_for

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
TCP = ("ports.backend=tcp", "ports.tcp_port=0")
QUICK = ("turns.silence=0.2", "ports.reply_channel=16", "sampling.seed=1")
ENDLESS = (*TCP, *QUICK, "turns.reply_length=endless")
REPLY_ON = 0x9F
NO_PAGE = PageOptions(port=None)
PHRASE = [(0.0, b"\x90\x3c\x50"), (0.1, b"\x80\x3c\x40"), (0.1, b"\x90\x40\x50"),
          (0.2, b"\x80\x40\x40")]  # fmt: skip


def segued(runtime: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command beside the daemon that has its files in `runtime`."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "daemon"),
        "RUNTIME_DIRECTORY": str(runtime),
    }
    return subprocess.run(
        [sys.executable, "-m", "segued", *arguments],
        capture_output=True, text=True, timeout=60, cwd=runtime, env=environment,
    )  # fmt: skip


def status(runtime: Path) -> dict[str, Any]:
    """What `segued status --json` prints, without an interpreter of its own."""
    own = runtime / (runtime_dirs.stem("Segue") + runtime_dirs.STATE_SUFFIX)
    if not own.exists():
        (own,) = runtime.glob(f"*{runtime_dirs.STATE_SUFFIX}")
    found = about(own)
    assert found["running"], found
    return found


def replied(notes: int) -> Callable[[float, list[Arrived]], bool]:
    return lambda _, arrived: sum(message[0] == REPLY_ON for _, message in arrived) >= notes


def sounding(*rows: Sequence[Arrived]) -> set[tuple[int, int]]:
    synth = Synth(deaf=True)
    for _, message in (timed for row in rows for timed in row):
        synth.take(message)
    return synth.sounding


def fetch(where: tuple[str, int], request: bytes) -> bytes:
    """The answer; nothing where nobody listens, or who does hangs up."""
    answer = b""
    with contextlib.suppress(OSError), socket.create_connection(where, 10) as line:
        line.sendall(request)
        while data := line.recv(65536):
            answer += data
    return answer


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def children(process: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


# --- what was sounding -------------------------------------------------------------------------


def test_after_kill_9_whoever_connects_first_hears_the_note_offs(tmp_path: Path) -> None:
    """A synth that knows no all-notes-off: only its own note-offs end what the dead one left."""
    with LiveSession(ENDLESS, runtime=tmp_path) as stage:
        _, first = stage.play(PHRASE, replied(4), 15)
        held = [(0.0, bytes((0x92, pitch, 90))) for pitch in (40, 47)]
        _, second = stage.play([*held, (0.0, b"\xb2\x40\x7f")], lambda _, got: len(got) > 9, 0.5)
        stage.process.kill()
        stage.process.wait()
        _, rest = stage.play(seconds=0.2)
    left = sounding(first, second, rest)
    assert {(2, 40), (2, 47)} <= left
    last = segued(tmp_path, "status")
    assert last.returncode == 69 and "the last one crashed" in last.stderr
    with LiveSession(ENDLESS, runtime=tmp_path) as stage:
        _, after = stage.play(seconds=0.3)
        assert not sounding(first, second, rest, after)
        assert after[0][1][0] & 0xF0 == 0x80, "silence comes before anything else"
        assert any("the previous segued crashed" in line for line in stage.log)
        assert (0xB2, 64, 0) in [tuple(m) for _, m in after], "the pedal stayed down"
        stage.client.close()
        stage.client = stage.connect()
        _, again = stage.play(seconds=0.2)
        assert {m[1] for _, m in again if m[0] == 0x82} == {40, 47}, "the next to connect too"
        assert stage.stop() == 0
    with LiveSession(ENDLESS, runtime=tmp_path) as stage:
        assert stage.play(seconds=0.2)[1] == [], "it was silenced, and that is over"
        assert not any("disorder" in line for line in stage.log)


@contextlib.contextmanager
def daemon(runtime: Path, *settings: str) -> Iterator[subprocess.Popen[str]]:
    """A daemon with nobody but named ports; its log is read by the line."""
    command = [sys.executable, "-m", "segued", "run"]
    for setting in settings:
        command += ["--set", setting]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "daemon"),
        "RUNTIME_DIRECTORY": str(runtime),
    }
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "ready on" in line:
                break
        else:
            pytest.fail("it did not start")
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_an_error_in_the_loop_closes_every_note_by_the_account(tmp_path: Path) -> None:
    """Even where the player itself cannot any more: then the account of the wire does it."""
    stage = LiveSession(ENDLESS, runtime=tmp_path, module=("tests.support.breaking", "run"))
    with stage:
        _, first = stage.play([*PHRASE, (0.0, b"\x93\x30\x50")], replied(4), 15)
        stage.process.send_signal(signal.SIGUSR1)
        assert stage.process.wait(15) == 70
        _, rest = stage.play(seconds=0.3)
        assert sounding(first) and not sounding(first, rest)
    summary = next(line for line in stage.log if "broken:" in line)
    assert "RuntimeError: a fault in the" in summary and "all notes were ended" in summary
    assert any("Traceback" in line for line in stage.log)
    assert "a fault in the" in segued(tmp_path, "status").stderr, "the last words are kept"
    with LiveSession(ENDLESS, runtime=tmp_path) as again:
        assert not any("disorder" in line for line in again.log)
        wait_for(lambda: any("fault" in error["line"] for error in status(tmp_path)["errors"]))


# --- status and metrics ------------------------------------------------------------------------


def test_status_tells_what_it_does_and_why_it_is_silent(tmp_path: Path) -> None:
    with LiveSession(ENDLESS, runtime=tmp_path) as stage:
        wait_for(lambda: status(tmp_path)["ports"]["peers_in"] == 1)  # a look every half second
        first = status(tmp_path)
        assert first["process"] == stage.process.pid and first["state"] == "running"
        assert first["model"]["precision"] == "int8"
        assert "no input yet" in first["why"][0]
        stage.play([(0.0, b"\x91\x3c\x50")], seconds=0.5)
        held = status(tmp_path)
        assert held["why"] == ["waiting for silence: key 60 (C4) on channel 2 is held"]
        assert held["sounding"] == [{"channel": 2, "pitch": 60, "voices": 1}]
        assert held["counts"]["notes_thru"] == 1 and held["counts"]["received"] == 1
        stage.play([(0.0, b"\x81\x3c\x40")], replied(3), 15)
        wait_for(
            lambda: status(tmp_path)["counts"]["notes_played"] >= 3
        )  # told four times a second
        playing = status(tmp_path)
        assert playing["why"] == ["Segue is playing"] and playing["replying"]
        assert playing["counts"]["notes_played"] >= 3 and playing["counts"]["steps"] > 3
        assert 0 < playing["step_ms"]["median"] <= playing["step_ms"]["max"]
        assert playing["late_ms"]["median"] >= 0
        text = segued(tmp_path, "status")
        assert text.returncode == 0 and "Segue is playing" in text.stdout
        metrics = segued(tmp_path, "status", "--metrics").stdout
        assert 'segue_notes_thru_total{name="Segue"} 1' in metrics
        assert stage.stop() == 0
    gone = segued(tmp_path, "status")
    assert gone.returncode == 69 and "the last one was stopped" in gone.stderr


def test_only_its_owner_may_read_its_state(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    with LiveSession(ENDLESS, runtime=runtime) as stage:
        assert stat.S_IMODE((runtime / "Segue.board").stat().st_mode) == 0o600
        assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
        assert children(stage.process.pid) == [], "nothing beside it that nobody asked for"


def test_nobody_at_the_metrics_port_can_hold_it_up(tmp_path: Path) -> None:
    where = ("127.0.0.1", free_port())
    with LiveSession((*ENDLESS, f"service.metrics_port={where[1]}"), runtime=tmp_path) as stage:
        wait_for(lambda: fetch(where, b"GET /metrics HTTP/1.0\r\n\r\n"))
        with contextlib.ExitStack() as stack:
            for _ in range(40):  # silent ones, more than it takes
                line = stack.enter_context(socket.socket())
                line.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    line.connect(where)
            _, arrived = stage.play(PHRASE, replied(3), 15)
            assert replied(3)(0.0, arrived), "the music waited"
            assert segued(tmp_path, "status").returncode == 0
            wait_for(lambda: fetch(where, b"GET /status HTTP/1.0\r\n\r\n"), 20)
        for request, answer in (
            (b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"HTTP/1.1 404"),
            (b"GET /live HTTP/1.0\r\n\r\n", b"HTTP/1.1 404"),
            (b"POST /status HTTP/1.0\r\n\r\n", b"HTTP/1.1 405"),
            (b"GET /status HTTP/1.0\r\nHost: evil.example\r\n\r\n", b"HTTP/1.1 421"),
            (b"\x00\xff\n\n", b"HTTP/1.1 400"),
        ):
            assert fetch(where, request).startswith(answer), request[:20]


def test_who_may_not_ask_is_told_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below /run/private, where systemd keeps the files of its users without names, even a stat is
    refused."""
    theirs = tmp_path / "theirs"

    def refused(path: Path) -> list[str]:
        if path == theirs:
            raise PermissionError(13, "Permission denied", str(path))
        return []

    monkeypatch.setattr(runtime_dirs, "searched", lambda: [tmp_path / "own", theirs])
    monkeypatch.setattr("os.listdir", refused)
    with pytest.raises(PortError, match=f"of yours .* {theirs} is closed to you.* sudo$"):
        find("Segue")


def test_metrics_on_the_loopback_when_asked_for(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "c.yaml"
    config.write_text(f"service:\n  metrics_port: {port}\n")

    def metrics() -> bytes:
        return fetch(("127.0.0.1", port), b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")

    with LiveSession(ENDLESS, runtime=tmp_path, config=config):
        wait_for(lambda: b"segue_up" in metrics())
        assert b"text/plain; version=0.0.4" in metrics()
        config.write_text("")
        assert segued(tmp_path, "reload", "--config", str(config)).returncode == 0
        wait_for(lambda: not metrics())
        assert segued(tmp_path, "status").returncode == 0


def test_a_metrics_port_that_another_program_has_is_one_line_and_taken_once_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page_process, "TRY_AGAIN", 1.0)
    board = StateFile(tmp_path / "x.board", "x")
    beside = PageProcess(tmp_path / "x.board")
    try:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            where = taken.getsockname()
            assert not beside.change(PageOptions(port=None), OscOptions(), where[1]), (
                "there is no page"
            )
            beside.check(0.0)
            beside.check(0.5)
        beside.check(0.9)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(where)
        beside.check(1.1)
        assert fetch(where, b"GET /metrics HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")
        beside.change(PageOptions(port=0), OscOptions(), where[1])
        assert beside.page is not None, "one process serves both"
        beside.check(20.0)
        for port in (where[1], beside.page.listener.getsockname()[1]):
            got = fetch(("127.0.0.1", port), b"GET /status HTTP/1.0\r\n\r\n")
            assert got.startswith(b"HTTP/1.1 200")
    finally:
        beside.stop()
        board.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and f"no metrics on 127.0.0.1:{where[1]} yet: " in lines[0]


def test_who_answers_for_it_is_replaced_and_ends_with_it(tmp_path: Path) -> None:
    where = ("127.0.0.1", free_port())
    with LiveSession((*ENDLESS, f"service.metrics_port={where[1]}"), runtime=tmp_path) as stage:
        wait_for(lambda: fetch(where, b"GET /metrics HTTP/1.0\r\n\r\n"))
        first = children(stage.process.pid)
        os.kill(first[0], signal.SIGKILL)
        wait_for(lambda: children(stage.process.pid) not in ([], first), 20)
        wait_for(lambda: fetch(where, b"GET /metrics HTTP/1.0\r\n\r\n"))
        second = children(stage.process.pid)[0]
        stage.process.kill()
        stage.process.wait()
        wait_for(lambda: not Path(f"/proc/{second}").exists())


def test_a_second_one_of_the_same_name_is_refused(tmp_path: Path) -> None:
    with LiveSession(ENDLESS, runtime=tmp_path) as stage:
        second = segued(tmp_path, "run", "--set", "ports.backend=tcp", "--set", "ports.tcp_port=0")
        assert second.returncode == 69
        assert second.stderr == (
            f"segued: another segued (process {stage.process.pid}) is running as 'Segue': give "
            "this one another ports.name, or stop that one\n"
        )
        with LiveSession(ENDLESS, "Segue 2", runtime=tmp_path):
            other = segued(tmp_path, "status", "--json", "--set", "ports.name=Segue 2")
            assert json.loads(other.stdout)["name"] == "Segue 2"
            unknown = segued(tmp_path, "status", "--set", "ports.name=Nobody")
            assert unknown.returncode == 69 and "'Segue', 'Segue 2'" in unknown.stderr


def test_without_a_folder_for_its_files_it_plays_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    port = free_port()
    with daemon(
        tmp_path / "file" / "run", "ports.backend=tcp", f"ports.tcp_port={port}"
    ) as process:
        client = TcpClient("127.0.0.1", port)
        client.send(b"\x90\x3c\x50")
        wait_for(lambda: client.receive() == b"\x90\x3c\x50")
        client.close()
        process.terminate()
        assert process.wait(15) == 0


# --- reload ------------------------------------------------------------------------------------


def test_a_reload_takes_what_is_right_and_refuses_what_is_not(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("sampling:\n  highest_pitch: 108\n")
    with LiveSession(ENDLESS, runtime=tmp_path, config=config) as stage:
        _, first = stage.play(PHRASE, replied(4), 15)
        config.write_text("sampling:\n  highest_pitch: 45\n  longest_note: 0.5\n")
        taken = segued(tmp_path, "reload")
        assert taken.returncode == 0, taken
        assert taken.stdout == "reloaded: sampling.highest_pitch, sampling.longest_note\n"
        _, second = stage.play(until=replied(12), seconds=15)
        _, third = stage.play(until=replied(8), seconds=15)
        lower = [m[1] for _, m in third if m[0] == REPLY_ON]
        assert len(lower) >= 8 and max(lower) <= 45, "on the same connection, by the new settings"
        config.write_text("sampling:\n  highest_pitch: 45\n  longest_note: long\n")
        refused = segued(tmp_path, "reload")
        assert refused.returncode == 78
        assert f"{config}:3: sampling.longest_note must be a number" in refused.stderr
        _, fourth = stage.play(until=replied(4), seconds=15)
        assert max(m[1] for _, m in fourth if m[0] == REPLY_ON) <= 45, "the old settings stay"
        now = status(tmp_path)
        assert now["counts"]["reloads"] == 1 and now["counts"]["refusals"] == 1
        assert "c.yaml:3" in now["last_reload"]
        assert stage.stop() == 0
        _, rest = stage.play(seconds=0.3)
        assert not sounding(first, second, third, fourth, rest)


def test_a_model_is_swapped_while_it_plays(tmp_path: Path) -> None:
    models = ROOT / "daemon" / "segued" / "models"
    config = tmp_path / "c.yaml"
    config.write_text("{}")
    with LiveSession(ENDLESS, runtime=tmp_path, config=config) as stage:
        _, first = stage.play(PHRASE, replied(6), 15)
        config.write_text(f"model:\n  path: {models / 'segue-fp32.onnx'}\n")
        stage.process.send_signal(signal.SIGHUP)
        _, second = stage.play(until=lambda *_: any("reloaded" in s for s in stage.log), seconds=15)
        _, third = stage.play(until=replied(8), seconds=15)
        assert replied(8)(0.0, third), "it plays on"
        now = status(tmp_path)
        assert now["model"]["precision"] == "fp32" and now["counts"]["skipped_ids"] == 0
        broken = tmp_path / "broken.onnx"
        broken.write_bytes((models / "segue-int8.onnx").read_bytes()[:-1000])
        config.write_text(f"model:\n  path: {broken}\n")
        refused = segued(tmp_path, "reload")
        assert refused.returncode == 78 and "broken.onnx" in refused.stderr
        _, fourth = stage.play(until=replied(3), seconds=15)
        assert replied(3)(0.0, fourth)
        assert status(tmp_path)["model"]["precision"] == "fp32"
        assert stage.stop() == 0
        _, rest = stage.play(seconds=0.3)
        assert not sounding(first, second, third, fourth, rest)


def test_a_reload_may_move_the_ports_and_keeps_the_old_ones_if_it_cannot(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = (*QUICK, "turns.reply_length=endless", "ports.backend=tcp")
        config.write_text(f"ports:\n  tcp_port: {port}\n")
        with LiveSession(settings, runtime=tmp_path, config=config) as stage:
            _, first = stage.play(PHRASE, replied(3), 15)
            config.write_text(f"ports:\n  tcp_port: {taken.getsockname()[1]}\nsampling:\n  seed: 1")
            refused = segued(tmp_path, "reload")
            assert refused.returncode == 78 and "cannot listen" in refused.stderr
            _, rest = stage.play(seconds=0.2)
            assert not sounding(first, rest)
            stage.client.close()
            stage.client = TcpClient("127.0.0.1", port)
            _, again = stage.play(PHRASE, replied(3), 15)
            assert replied(3)(0.0, again), "back on the old port"
            taken.close()
            moved = segued(tmp_path, "reload")
            assert moved.returncode == 0 and "ports.tcp_port" in moved.stdout
            stage.client.close()
            stage.client = TcpClient("127.0.0.1", taken_port(config))
            _, there = stage.play(PHRASE, replied(3), 15)
            assert replied(3)(0.0, there)


def taken_port(config: Path) -> int:
    return int(config.read_text().split("tcp_port:")[1].split()[0])


@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_a_signal_that_comes_while_it_starts_counts(tmp_path: Path, number: str) -> None:
    """When the engine is being made, nobody is there yet to be told."""
    code = f"""if True:
        import os, signal, sys
        from segued.service import daemon, setup
        from segued.settings.yaml_file import load_settings

        def reread():
            os.kill(os.getpid(), signal.SIGTERM)
            return config

        def player(self, send, make=setup.Setup.player):
            os.kill(os.getpid(), signal.{number})
            return make(self, send)

        setup.Setup.player = player
        config = load_settings(None, ["ports.backend=tcp", "ports.tcp_port=0"])
        sys.exit(daemon.run(config, reread, "a test"))
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "daemon"),
        "RUNTIME_DIRECTORY": str(tmp_path),
    }
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "stopped, all notes ended" in done.stderr


# --- the service manager -----------------------------------------------------------------------


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's ear."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(0.05)
        yield ear


def heard(ear: socket.socket, seconds: float) -> list[str]:
    lines: list[str] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            lines += ear.recv(4096).decode().split("\n")
    return lines


def test_the_manager_hears_when_it_is_ready_how_it_goes_and_when_it_hangs(
    tmp_path: Path, manager: socket.socket
) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
    with LiveSession(ENDLESS, runtime=tmp_path / "run", environment=environment) as stage:
        said = heard(manager, 1.0)
        ready = said.index("READY=1")
        assert said[ready + 1].startswith("STATUS=listening on tcp 127.0.0.1")
        assert said.count("WATCHDOG=1") >= 3
        stage.play(PHRASE, replied(2), 15)
        assert any(line.startswith("STATUS=playing on tcp") for line in heard(manager, 0.6))
        stage.process.send_signal(signal.SIGHUP)
        said = heard(manager, 4.0)
        assert said.index("RELOADING=1") < said.index("READY=1")
        stage.process.send_signal(signal.SIGSTOP)
        heard(manager, 0.3)
        assert heard(manager, 1.0) == [], "who hangs must not say that he lives"
        wait_for(lambda: "hangs" in " ".join(status(tmp_path / "run")["why"]))
        stage.process.send_signal(signal.SIGCONT)
        assert "WATCHDOG=1" in heard(manager, 1.0)
        assert stage.stop() == 0
        assert "STOPPING=1" in heard(manager, 0.3)


def test_a_log_on_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "segued", "run"]
    for setting in TCP:
        command += ["--set", setting]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "daemon"),
        "RUNTIME_DIRECTORY": str(tmp_path),
    }
    with open("/dev/full", "wb") as full:
        process = subprocess.Popen(command, stderr=full, cwd=tmp_path, env=environment)
    try:
        wait_for(lambda: segued(tmp_path, "status").returncode == 0)
        wait_for(lambda: status(tmp_path)["state"] == "running")
        client = open_client("tcp", status(tmp_path)["ports"]["input"])
        client.send(b"\x90\x3c\x50")
        wait_for(lambda: client.receive() == b"\x90\x3c\x50")
        client.close()
        process.terminate()
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()


def test_in_the_journal_each_line_has_its_priority_and_no_name(tmp_path: Path) -> None:
    """JOURNAL_STREAM names the very file that stderr is; another one means nothing."""
    out = tmp_path / "log"
    for inode, first in ((0, "segued: "), (1, "<6>")):
        with open(out, "wb") as log:
            about = os.fstat(log.fileno())
            stream = f"{about.st_dev}:{about.st_ino if inode else 1}"
            code = "from segued.service.log import say, shown; say('a line'); say('two\\nlines', 3)"
            subprocess.run(
                [sys.executable, "-c", code], stderr=log, check=True, cwd=ROOT,
                env={**os.environ, "JOURNAL_STREAM": stream},
            )  # fmt: skip
        lines = out.read_text().splitlines()
        error = first.replace("6", "3")
        assert lines == [f"{first}a line", f"{error}two", f"{error}lines"]
