"""Ports that are chosen on the page, or with `segued connect`."""

import json
import os
from pathlib import Path

import pytest
from segued.page.port_routes import choices

from tests.page.test_daemon_page import answers, daemon
from tests.page.test_server import Stage, stage_in
from tests.service.test_daemon import fetch, free_port, segued, status
from tests.support.jack import Peer, jack_server
from tests.support.waiting import wait_for

FOUND = [
    ["alsa", "input", "Keystation:0"],
    ["alsa", "input", "Segue:Segue Out"],
    ["alsa", "output", "FLUID Synth:0"],
    ["alsa", "output", "Segue In"],
    ["jack", "input", "system:midi_capture_1"],
]


def test_only_ports_of_the_system_in_use_and_not_our_own_can_be_chosen() -> None:
    facts = {"backend": "alsa", "name": "Segue", "input": "Keystation:0", "output": "Segue Out"}
    assert choices(facts, FOUND) == {
        "backend": "alsa",
        "input": ["virtual", "Keystation:0"],
        "output": ["virtual", "FLUID Synth:0"],
        "using": {"input": "Keystation:0", "output": "virtual"},
    }
    assert choices({"backend": "tcp", "name": "x"}, FOUND)["input"] == ["virtual"]


live = pytest.mark.live
posix = pytest.mark.skipif(os.name != "posix", reason="sockets that are files")


@live
@posix
def test_what_is_no_choice_is_refused(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        assert json.loads(stage.get("/ports")[2])["input"] == ["virtual"]
        for body in (b"", b"[]", b"{}", b'{"inpt": "x"}', b"[" * 2000, b"\xff", b'"input"'):
            assert post(stage, body)[0] == 400
        for name in ('"--help"', '"; rm -rf /"', '["virtual"]', "null", '"../x"'):
            assert post(stage, b'{"input": %s}' % name.encode())[0] == 404
        assert post(stage, b"x" * 3000)[0] == 413
        assert post(stage, b'{"input": "virtual"}', "http://evil.example")[0] == 403


def post(stage: Stage, body: bytes, origin: str = "") -> tuple[int, str]:
    head = f"POST /ports HTTP/1.1\r\nHost: {stage.host}\r\nConnection: close\r\n"
    head += f"Origin: {origin or 'http://' + stage.host}\r\nContent-Length: {len(body)}\r\n\r\n"
    answered, _, text = stage.ask(head.encode() + body)
    return answered, text.decode()


@live
@posix
def test_a_choice_is_kept_in_the_settings_and_taken(tmp_path: Path) -> None:
    config, port = tmp_path / "config.yaml", free_port()
    text = f"# my settings\npage:\n  port: {port}  # here\nports:\n  input: nothing\n"
    config.write_text(text)
    with daemon(tmp_path / "run", config) as process:
        wait_for(lambda: b"200" in answers(port))
        answer = choose(port, input="virtual")
        assert b"200 OK" in answer and b"reloaded: ports.input" in answer
        assert config.read_text() == text.replace("nothing", "virtual")
        assert "ports.input" in segued(tmp_path / "run", "status").stdout
        assert status(tmp_path / "run")["config"] == str(config)
        process.terminate()
        assert process.wait(15) == 0


def choose(port: int, **names: str) -> bytes:
    body = json.dumps(names).encode()
    head = "POST /ports HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += f"Content-Length: {len(body)}"
    return fetch(("127.0.0.1", port), f"{head}\r\n\r\n".encode() + body)


@live
@posix
def test_a_keyboard_and_a_synth_are_chosen_and_played(tmp_path: Path) -> None:
    config, port = tmp_path / "config.yaml", free_port()
    text = f"page: {{port: {port}}}\n"
    config.write_text(text)
    settings = ("ports.backend=jack", "sampling.seed=1")
    with (
        jack_server(),
        Peer(name="", own="Keys") as peer,
        daemon(tmp_path / "run", config, settings) as process,
    ):
        wait_for(lambda: b"200" in answers(port))
        ask = b"GET /ports HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        found = json.loads(fetch(("127.0.0.1", port), ask).partition(b"\r\n\r\n")[2])
        assert len(found["input"]) == len(found["output"]) == 2, "its own are not among them"
        (_, keys), (_, synth) = found["input"], found["output"]
        assert b"200 OK" in choose(port, input=keys, output=synth)

        def connected() -> bool:
            ports = status(tmp_path / "run")["ports"]
            return (ports["connected"], ports["input"], ports["output"]) == (True, keys, synth)

        wait_for(connected)
        peer.send(b"\x90\x3c\x50", b"\x80\x3c\x40")
        assert b"\x90\x3c\x50" in peer.received_until(b"\x80\x3c\x40")
        kept = config.read_text()
        assert kept.startswith(text) and keys in kept
        choose(port, input="virtual", output="virtual")
        wait_for(lambda: status(tmp_path / "run")["ports"]["input"] == "Segue In")
        process.terminate()
        assert process.wait(15) == 0


def test_without_a_daemon_the_choice_is_kept(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    done = segued(tmp_path, "connect", "--config", str(config), "--input", "Keys: 1")
    assert done.returncode == 0 and f"saved in {config}; no segued runs" in done.stdout
    assert config.read_text() == "ports:\n  input: 'Keys: 1'\n"
    done = segued(tmp_path, "connect", "--config", str(config))
    assert done.returncode == 64 and "--input" in done.stderr
    config.write_text("ports: {input: [}")
    done = segued(tmp_path, "connect", "--config", str(config), "--output", "x")
    assert done.returncode == 78 and str(config) in done.stderr
    assert config.read_text() == "ports: {input: [}"
