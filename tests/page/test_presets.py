"""Presets that are saved on the page, or with `segued save-preset`."""

import json
import os
from pathlib import Path

import pytest
from segued.control.presets import is_name
from segued.service.command_sender import ENDING, CommandSender
from segued.settings.yaml_file import load_settings
from segued.tools.live_session import LiveSession

from tests.page.test_daemon_page import TCP, answers, state_path
from tests.page.test_learner import asked_of
from tests.page.test_server import stage_in
from tests.service.test_daemon import fetch, free_port, segued, status
from tests.support.waiting import wait_for

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.name != "posix", reason="sockets that are files"),
]
SETTINGS = "# mine\ncontrol:\n  presets:\n    - {name: calm, density: 0.5}  # for evenings\n"


def test_names() -> None:
    assert is_name("calm") and is_name("Änne's 2nd; rm -rf /") and is_name("--help")
    for name in ("", " ", " calm", "two\nlines", "\0", "x" * 61, 7, None, ["calm"]):
        assert not is_name(name)


def test_the_knobs_are_saved_and_recalled(tmp_path: Path) -> None:
    config, run = tmp_path / "config.yaml", tmp_path / "run"
    config.write_text(SETTINGS)
    with LiveSession(TCP, config=config, runtime=run) as session:
        commands = CommandSender(state_path(session).with_suffix(ENDING))
        commands.send("set", "density", 2)
        commands.send("set", "mode", "duet")
        wait_for(lambda: status(run)["mode"] == "duet")
        file = f"--config={config}"
        done = segued(run, "save-preset", file, "wild; $(ls)")
        assert done.returncode == 0, done
        assert status(run)["presets"] == ["calm", "wild; $(ls)"]
        text = config.read_text()
        assert text.startswith(SETTINGS) and text.count("\n") == SETTINGS.count("\n") + 1
        preset = dict(load_settings(config).control.presets[1].values)
        assert preset["density"] == 2 and preset["mode"] == "duet" and preset["key"] == "off"
        assert len(preset) > 15

        done = segued(run, "save-preset", file, "calm")
        assert done.returncode == 64 and "--replace" in done.stderr
        assert config.read_text() == text
        assert segued(run, "save-preset", file, "calm", "--replace").returncode == 0
        calm = load_settings(config).control.presets[0]
        assert dict(calm.values)["density"] == 2 and "# for evenings" in config.read_text()

        done = segued(run, "save-preset", file, "two\nlines")
        assert done.returncode == 64 and done.stderr.count("\n") == 1
        before = config.read_text()
        config.write_text(before + "turns: {silnce: 1}\n")
        assert segued(run, "save-preset", file, "more").returncode == 78
        assert "more" not in config.read_text()
        commands.close()
        assert session.stop() == 0
    assert segued(run, "save-preset", file, "late").returncode == 69


def test_presets_of_the_command_line_hide_those_of_the_file(tmp_path: Path) -> None:
    """Then nothing is saved, rather than something that cannot be recalled."""
    config, run = tmp_path / "config.yaml", tmp_path / "run"
    config.write_text(SETTINGS)
    with LiveSession((*TCP, "control.presets=[]"), config=config, runtime=run) as session:
        done = segued(run, "save-preset", f"--config={config}", "wild")
        assert done.returncode == 78 and "command line" in done.stderr
        assert config.read_text() == SETTINGS
        assert session.stop() == 0


def test_from_the_page(tmp_path: Path) -> None:
    config, run, port = tmp_path / "config.yaml", tmp_path / "run", free_port()
    config.write_text(SETTINGS)
    with LiveSession((*TCP, f"page.port={port}"), config=config, runtime=run) as session:
        wait_for(lambda: b"200" in answers(port))
        assert b"200 OK" in saved(port, name="dawn")
        assert status(run)["presets"] == ["calm", "dawn"]
        assert b"409" in saved(port, name="dawn")
        assert b"200 OK" in saved(port, name="dawn", replace=True)
        assert session.stop() == 0


def saved(port: int, **asked: object) -> bytes:
    body = json.dumps(asked).encode()
    head = "POST /presets HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    return fetch(("127.0.0.1", port), f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def test_what_is_no_name_is_refused(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        for body in (b"", b"{}", b'{"name": 1}', b'{"name": ""}', b'{"name": "a\\u0000"}'):
            assert asked_of(stage, "POST", body, path="/presets")[0] == 400, body
        for body in (b'{"name": "x", "replace": 1}', b'{"name": "x", "file": "/etc/passwd"}'):
            assert asked_of(stage, "POST", body, path="/presets")[0] == 400, body
        good = b'{"name": "x"}'
        assert asked_of(stage, "POST", good, "http://evil.example", "/presets")[0] == 403
