"""A daemon whose ports are not there, or no longer: it answers, and takes a reload that helps."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from segued.errors import PortError
from segued.ports.jack_witness import CLOSE_TIMEOUT
from segued.ports.transport import open_client
from segued.service.status import about
from segued.tools.live_session import SETTLE, LiveSession

from tests.support.jack import Peer, jack_server
from tests.support.waiting import wait_for

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
NOWHERE = "ports:\n  input: no such keyboard\n"
TCP = "ports:\n  backend: tcp\n  tcp_port: 0\n"
WAITS = "waiting for its ports"
SOON = 1.4  # seconds; what waits for ports looks every 1.5


class Waiting:
    """A daemon that a service manager has started with a settings file, and the manager's ear."""

    def __init__(self, folder: Path, text: str, *settings: str) -> None:
        self.runtime, self.config = folder / "run", folder / "config.yaml"
        self.config.write_text(text)
        self._settings = [word for setting in settings for word in ("--set", setting)]
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "daemon"),
            "RUNTIME_DIRECTORY": str(self.runtime),
        }
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ear.bind(str(folder / "notify"))
        self._ear.setblocking(False)
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [*self._command("run")], stderr=subprocess.PIPE, text=True,
            env={**self._environment, "NOTIFY_SOCKET": str(folder / "notify"),
                 "WATCHDOG_USEC": "900000"},
        )  # fmt: skip

    def __enter__(self) -> "Waiting":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        self._ear.close()

    def _command(self, name: str) -> list[str]:
        command = [sys.executable, "-m", "segued", name, "--config", str(self.config)]
        return [*command, *self._settings]

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """A command beside the daemon."""
        return subprocess.run(
            self._command(name), capture_output=True, text=True, timeout=60, env=self._environment
        )

    def heard(self) -> list[str]:
        """All that the manager has heard until now."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.said += self._ear.recv(8192).decode().split("\n")
        return self.said

    def status(self) -> dict[str, Any]:
        """What its state file says; empty before there is one."""
        files = list(self.runtime.glob("*.board"))
        try:
            return about(files[0]) if files else {}
        except PortError:  # it is being made
            return {}

    def waits(self) -> bool:
        self.heard()
        return self.status().get("state") == WAITS

    def plays(self) -> bool:
        self.heard()
        return self.status().get("state") == "running"

    def reload(self, text: str) -> float:
        """Seconds until it plays, after SIGHUP with another settings file."""
        self.config.write_text(text)
        began = time.monotonic()
        self.process.send_signal(signal.SIGHUP)
        wait_for(self.plays)
        return time.monotonic() - began


def test_a_box_without_its_keyboard_boots_answers_and_takes_another_port(tmp_path: Path) -> None:
    with Waiting(tmp_path, NOWHERE) as daemon:
        wait_for(lambda: "READY=1" in daemon.heard())
        told = daemon.said[daemon.said.index("READY=1") + 1]
        assert told.startswith(f"STATUS={WAITS}: no MIDI input matches 'no such keyboard'")
        wait_for(lambda: daemon.heard().count("WATCHDOG=1") >= 3)
        seen = daemon.status()
        assert seen["state"] == WAITS and not seen["ports"]["connected"]
        assert seen["ports"]["missing"].startswith("no MIDI input matches 'no such keyboard'")
        page = daemon.run("status")
        assert page.returncode == 0 and f"Segue: {WAITS}" in page.stdout
        assert "why         waiting for the ports: no MIDI input matches" in page.stdout
        panic = daemon.run("panic")
        assert panic.returncode == 69 and "'Segue' has no ports now" in panic.stderr
        daemon.config.write_text("ports:\n  input: another typo\n")
        taken = daemon.run("reload")
        assert taken.returncode == 0 and taken.stdout.startswith(
            "reloaded: ports.input\nwaiting for the ports: no MIDI input matches 'another typo'"
        )
        daemon.config.write_text("ports:\n  inputs: no such key\n")
        refused = daemon.run("reload")
        assert refused.returncode == 78 and ":2: " in refused.stderr
        assert daemon.reload(TCP) < SOON
        client = open_client("tcp", daemon.status()["ports"]["input"])
        client.send(b"\x90\x3c\x50")
        wait_for(lambda: client.receive() == b"\x90\x3c\x50")
        client.close()
        daemon.process.terminate()
        assert daemon.process.wait(15) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_that_waits_ends_at_once_and_cleanly(tmp_path: Path, number: int) -> None:
    with Waiting(tmp_path, NOWHERE) as daemon:
        wait_for(daemon.waits)
        began = time.monotonic()
        daemon.process.send_signal(number)
        assert daemon.process.wait(15) == 0
        assert time.monotonic() - began < SOON + CLOSE_TIMEOUT  # of what looks for a JACK server
        last = daemon.run("status")
        assert last.returncode == 69 and "the last one was stopped" in last.stderr


def test_at_a_terminal_a_port_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with Waiting(tmp_path, NOWHERE) as daemon:
        wait_for(daemon.waits)
        told = daemon.run("run")
        assert told.returncode == 69 and "another segued" in told.stderr
        daemon.process.kill()
        daemon.process.wait()
        told = daemon.run("run")
        assert told.returncode == 69
        assert "no MIDI input matches 'no such keyboard'" in told.stderr


def test_what_a_dead_one_left_sounding_ends_when_the_ports_are_there(tmp_path: Path) -> None:
    """It sounds on while the ports are waited for, whatever is reloaded meanwhile."""
    with LiveSession(["ports.backend=tcp"], runtime=tmp_path / "run") as stage:
        stage.play([(0.0, b"\x92\x28\x5a"), (0.0, b"\xb2\x40\x7f")], seconds=0.3)
        stage.process.kill()
        stage.process.wait()
    with Waiting(tmp_path, NOWHERE) as daemon:
        wait_for(daemon.waits)
        daemon.config.write_text(f"{NOWHERE}  thru: false\n")
        assert daemon.run("reload").stdout.startswith("reloaded: ports.thru\nwaiting for the ports")
        assert daemon.status()["sounding"] == [{"channel": 3, "pitch": 40, "voices": 1}]
        daemon.reload(TCP)
        client = open_client("tcp", daemon.status()["ports"]["input"])
        heard: list[bytes] = []

        def lifted() -> bool:
            heard.append(client.receive() or b"")
            return b"\xb2\x40\x00" in heard

        wait_for(lifted)
        assert next(message for message in heard if message) == b"\x82\x28\x40"
        client.close()


@pytest.fixture
def on_jack(tmp_path: Path) -> Iterator[Waiting]:
    with (
        jack_server(period=128),
        Waiting(
            tmp_path, "ports:\n  input: Keys Out\n", "ports.backend=jack",
            f"ports.name=Segue {os.getpid()}", "turns.silence=30",
        ) as daemon,
    ):  # fmt: skip
        yield daemon


def test_a_keyboard_is_found_whenever_it_is_plugged_in(on_jack: Waiting) -> None:
    wait_for(on_jack.waits)
    for _ in range(2):
        with Peer("", "Keys"):
            came = time.monotonic()
            wait_for(on_jack.plays)
            assert time.monotonic() - came < 2.0
            on_jack.said.clear()
            wait_for(lambda: on_jack.heard().count("WATCHDOG=1") >= 3)
            assert "WATCHDOG_USEC=30000000" not in on_jack.said
        wait_for(lambda: on_jack.status()["state"] == "waiting for its lost ports")
        assert on_jack.status()["why"][0].startswith("the ports are gone: waiting for JACK")
    assert on_jack.status()["counts"]["ports_lost"] == 2


def test_a_keyboard_that_is_lost_for_good_is_replaced_by_a_reload(on_jack: Waiting) -> None:
    with Peer("", "Other") as other:
        with Peer("", "Keys"):
            wait_for(on_jack.plays)
        wait_for(lambda: not on_jack.plays())
        assert on_jack.reload("ports:\n  input: Other Out\n  output: Other In\n") < SOON
        time.sleep(SETTLE)
        other.send(b"\x91\x3c\x50")
        other.received_until(b"\x91\x3c\x50")
        assert on_jack.status()["ports"]["input"].endswith("Other Out")
        on_jack.process.terminate()
        assert on_jack.process.wait(15) == 0
