"""The page starts, follows and stops learning: with processes that stand for `segued learn`."""

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from segued.errors import BusyError
from segued.page import learn_routes
from segued.page.learner import Learner
from segued.page.requests import LearnRequest
from segued.service.learning import alone, learn_folder, learner, open_folder

from tests.page.test_server import ROOT, stage_in
from tests.support.waiting import wait_for

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.name != "posix", reason="locks and signals of POSIX"),
]

LEARNS = """
import sys, time
from segued.service.learning import open_folder, telling
with telling(open_folder()) as progress:
    for step in range(1000):
        progress.tell("learning", step / 1000)
        time.sleep(0.02)
"""
WINS = """
from segued.service.learning import DONE, open_folder, telling
with telling(open_folder()) as progress:
    progress.tell("judging")
    progress.tell(DONE, 1.0, "kept as x; it plays now", "It is better.")
"""
FAILS = """
from segued.errors import DataError
from segued.service.learning import open_folder, telling
with telling(open_folder()) as progress:
    raise DataError("the takes hold 1 different pieces")
"""
REFUSES = "import sys; sys.exit('segued: no takes to learn from')"
DIES = "import os; os.kill(os.getpid(), 9)"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "daemon"))
    return tmp_path


@pytest.fixture
def learning() -> Iterator[Learner]:
    """One that learns for long."""
    running = that_runs(LEARNS)
    running.start([])
    wait_for(lambda: running.told()["stage"] == "learning")
    yield running
    running.stop()
    wait_for(lambda: not running.told()["running"])


def that_runs(code: str) -> Learner:
    return Learner([sys.executable, "-c", code])


def ended(running: Learner) -> dict[str, Any]:
    wait_for(lambda: not running.told()["running"])
    return running.told()


def test_nothing_is_told_before_the_first() -> None:
    assert Learner().told() == {"running": False, "stage": ""}
    assert not Learner().stop()
    assert not (learn_folder() or Path("/")).exists(), "a look makes no folder"


def test_it_is_followed_and_stopped_as_by_ctrl_c(learning: Learner) -> None:
    wait_for(lambda: learning.told().get("share", 0) > 0)
    assert learning.told()["running"] and "left_s" in learning.told()
    assert learning.stop()
    told = ended(learning)
    assert told["stage"] == "stopped" and "goes on from there" in told["line"]
    assert not learning.stop()


def test_two_at_once_are_refused_in_one_line(learning: Learner) -> None:
    with pytest.raises(BusyError, match="another segued learn is at work") as refused:
        learning.start([])
    assert len(str(refused.value).splitlines()) == 1
    elsewhere = Learner()  # a page of another daemon, or this one after it was started anew
    assert elsewhere.told()["running"] and elsewhere.told()["stage"] == "learning"
    with pytest.raises(BusyError):
        elsewhere.start([])
    assert elsewhere.stop()
    assert ended(elsewhere)["stage"] == "stopped"


def test_the_verdict_is_told_and_what_it_left_only_its_owner_may_read() -> None:
    running = that_runs(WINS)
    running.start([])
    told = ended(running)
    assert (told["stage"], told["verdict"]) == ("done", "It is better.")
    assert told["line"] == "kept as x; it plays now"
    for path in open_folder().iterdir():
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.parametrize(
    ("code", "line"),
    [(FAILS, "the takes hold 1"), (REFUSES, "no takes to learn from"), (DIES, "start it again")],
)
def test_a_failure_is_told_in_one_line(code: str, line: str) -> None:
    running = that_runs(code)
    running.start([])
    told = ended(running)
    assert told["stage"] == "failed" and line in told["line"]
    assert Learner().told() == told, "a page that is started anew tells the same"
    running = that_runs(WINS)
    running.start([])
    assert ended(running)["stage"] == "done"


def test_one_that_was_killed_is_seen_to_have_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", LEARNS])
    wait_for(lambda: Learner().told()["running"])
    assert learner(open_folder()) == child.pid
    child.kill()
    child.wait()
    told = Learner().told()
    assert told["stage"] == "failed" and "goes on from there" in told["line"]
    assert learner(open_folder()) is None


def test_it_outlives_the_process_that_started_it() -> None:
    code = "from segued.page.learner import Learner; import sys; "
    code += f"Learner([sys.executable, '-c', {LEARNS!r}]).start([])"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    page = Learner()
    wait_for(lambda: page.told()["stage"] == "learning")
    assert page.stop()
    assert ended(page)["stage"] == "stopped"


def test_a_look_never_gets_in_the_way_of_one_that_begins() -> None:
    for _ in range(200):
        Learner().told()
        with alone(open_folder()):
            Learner().told()


class Facts:
    """The state file of a daemon."""

    facts = {"name": "Segue", "takes": "/my takes", "config": "/none.yaml"}  # noqa: RUF012

    def read(self) -> "Facts":
        return self


def test_what_has_to_be_downloaded_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    started: list[list[str]] = []
    said = ["250 MB to download"]

    async def run(command: list[str]) -> tuple[bool, list[str]]:
        asked.append(command)
        return True, said

    monkeypatch.setattr(learn_routes, "run", run)
    monkeypatch.setattr(Learner, "start", lambda self, arguments: started.append(arguments))
    routes = learn_routes.LearnRoutes(Facts())  # type: ignore[arg-type]
    answer = asyncio.run(routes._start(LearnRequest(10, False, False)))
    assert json.loads(bytes(answer.body)) == {"asks": "250 MB to download"} and not started
    asyncio.run(routes._start(LearnRequest(10, False, True)))
    own = ['--set=ports.name="Segue"', '--set=record.folder="/my takes"']
    assert started == [["--idle", "--minutes=10", "--yes", *own]]
    said[0] = learn_routes.NOTHING
    asyncio.run(routes._start(LearnRequest(30, True, False)))
    assert started[1] == ["--idle", "--minutes=30", "--starred", *own] and len(asked) == 2


def test_only_minutes_and_consent_come_from_the_page(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        told = json.loads(stage.get("/learn")[2])
        assert told == {"running": False, "stage": "", "minutes": [10, 30, 60, 120]}
        for body in (
            *(b"", b"[]", b"{}", b'{"minutes": "10"}', b'{"minutes": 11}', b'{"minutes": true}'),
            *(b'{"minutes": 10, "folder": "/etc"}', b'{"minutes": 10, "download": "; ls"}'),
            *(b'{"minutes": 10, "starred": 1}', b'{"minutes": [10]}', b'{"minutes": 1e999}'),
        ):
            assert asked_of(stage, "POST", body)[0] == 400, body
        assert asked_of(stage, "POST", b"x" * 3000)[0] == 413
        good = b'{"minutes": 10, "download": true}'
        assert asked_of(stage, "POST", good, "http://evil.example")[0] == 403
        assert asked_of(stage, "DELETE", b"", "http://evil.example")[0] == 403
        assert asked_of(stage, "DELETE") == (404, "nothing is being learned\n")
        assert not (learn_folder() or Path("/")).exists()
        child = subprocess.Popen([sys.executable, "-c", LEARNS])
        wait_for(lambda: json.loads(stage.get("/learn")[2])["running"])
        status, line = asked_of(stage, "POST", good)
        assert status == 409 and "another segued learn is at work" in line
        assert asked_of(stage, "DELETE")[0] == 200
        assert child.wait(10) == 128 + 15


def test_off_loopback_the_token_is_needed(tmp_path: Path) -> None:
    with stage_in(tmp_path, token="right") as stage:
        assert stage.get("/learn")[0] == 403
        assert asked_of(stage, "POST", b'{"minutes": 10, "download": true}')[0] == 403
        assert asked_of(stage, "DELETE")[0] == 403
        assert asked_of(stage, "POST", b'{"name": "x"}', path="/presets")[0] == 403


def asked_of(
    stage: Any, method: str, body: bytes = b"", origin: str = "", path: str = "/learn"
) -> tuple[int, str]:
    head = f"{method} {path} HTTP/1.1\r\nHost: {stage.host}\r\nConnection: close\r\n"
    head += f"Origin: {origin or 'http://' + stage.host}\r\nContent-Length: {len(body)}\r\n\r\n"
    answered, _, text = stage.ask(head.encode() + body)
    return answered, text.decode()
