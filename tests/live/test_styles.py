"""A real daemon changes its model while it plays: by program change and by `segued models`."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from segued.errors import DataError
from segued.model.loading import SHIPPED_FOR_GPU, SHIPPED_MODEL
from segued.model.model_file import checksum
from segued.model.own_models import CARD, FOR_CPU, FOR_GPU
from segued.model.session import Model
from segued.recording.journal_file import read
from segued.recording.performance import APPLY
from segued.recording.replay import replay_file
from segued.service import runtime_dirs
from segued.service.command_sender import ENDING, CommandSender
from segued.tools.live_session import LiveSession

from tests.service.test_daemon import status
from tests.support.waiting import wait_for

from .test_playing import QUICK, Synth, phrase, replied

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.name != "posix", reason="commands come over a socket that is a file"),
]

STYLES = ("folk", "broken", "gone", "shipped")
PROGRAM = {name: bytes((0xC0, number)) for number, name in enumerate(STYLES)}
MAP = ", ".join(f"{{program: {n + 1}, preset: {name}}}" for n, name in enumerate(STYLES))
PRESETS = ", ".join(f"{{name: {name}, model: {name}}}" for name in STYLES)
SETTINGS = (
    *("ports.backend=tcp", "ports.tcp_port=0", *QUICK, "turns.reply_length=endless"),
    *(f"control.map=[{MAP}]", f"control.presets=[{PRESETS}]", "control.learned=null"),
)


def another(name: str) -> bytes:
    """The shipped model, unrounded, as another file: with a doc_string (field 6 in ONNX)."""
    data = SHIPPED_FOR_GPU.read_bytes() + bytes((6 << 3 | 2, len(name))) + name.encode()
    before = Model.load(SHIPPED_FOR_GPU).info["checksum"]
    return data.replace(before.encode(), checksum(data, before).encode(), 1)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with the models `folk`, which is whole, and `broken`."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    models = tmp_path / "data" / "segue" / "models"
    for name in ("folk", "broken"):
        (models / name).mkdir(parents=True)
        shutil.copy(SHIPPED_FOR_GPU, models / name / FOR_GPU)
        (models / name / FOR_CPU).write_bytes(another(name))
        (models / name / CARD).write_text("{}")
    (models / "broken" / FOR_CPU).write_bytes(SHIPPED_MODEL.read_bytes()[:1000])
    return tmp_path


@pytest.fixture
def session(data: Path) -> Iterator[LiveSession]:
    settings = (*SETTINGS, f"record.folder={data / 'takes'}")
    with LiveSession(settings, runtime=data / "run") as session:
        yield session
        assert session.stop() == 0


def playing(session: LiveSession) -> str:
    return str(status(session.runtime)["model"]["name"])


def segued(session: LiveSession, *words: str) -> str:
    """The output of a command."""
    paths = {"RUNTIME_DIRECTORY": str(session.runtime)}
    command = [sys.executable, "-m", "segued", *words]
    done = subprocess.run(command, env={**os.environ, **paths}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_program_change_chooses_the_model_while_a_reply_sounds(
    session: LiveSession, data: Path
) -> None:
    assert playing(session) == "shipped"
    arrived = session.play(phrase(), lambda _, got: replied(got, 6), 10)[1]

    def send(style: str, line: str) -> None:
        """Choose a style, wait for the line in the log, and let it play on."""

        def count() -> int:
            return sum(line in said for said in session.log)

        before = count()
        change = [(0.0, PROGRAM[style])]
        played = session.play(change, lambda _, got: count() > before and replied(got, 6), 15)
        arrived.extend(played[1])
        assert count() == before + 1, [*session.log]

    send("folk", "the model folk plays now")
    wait_for(lambda: playing(session) == "folk")
    send("broken", f"the model stays: {data}/data/segue/models/broken/{FOR_CPU}: ")
    send("gone", "the model stays: no model 'gone' of yours; there are: shipped, broken, folk")
    session.process.send_signal(signal.SIGHUP)
    wait_for(lambda: any("reloaded: nothing has changed" in line for line in session.log))
    assert playing(session) == "folk", "a reload keeps it"
    send("shipped", "the model shipped plays now")
    assert playing(session) == "shipped"
    assert session.stop() == 0
    arrived += session.play(seconds=0.3)[1]
    assert not Synth(arrived).sounding

    (recorded,) = (data / "takes").glob("*.mid")
    kinds = [entry.kind for entry in read(recorded).entries]
    assert kinds.count(APPLY) == 3
    assert replay_file(recorded, data / "again.out") > 24
    shutil.move(data / "data/segue/models/folk", data / "data/segue/models/celtic")
    assert replay_file(recorded, data / "again.out") > 24, "it is found by what it is"
    shutil.rmtree(data / "data/segue/models/celtic")
    shutil.rmtree(data / "data/segue/models/broken")
    with pytest.raises(DataError, match="was played with another model than those of segued mode"):
        replay_file(recorded, data / "again.out")


def test_a_command_chooses_it_and_the_terminal_tells(session: LiveSession) -> None:
    path = session.runtime / (runtime_dirs.stem("Segue") + runtime_dirs.STATE_SUFFIX)
    sender = CommandSender(path.with_suffix(ENDING))
    assert sender.send("model", "folk")
    sender.close()
    wait_for(lambda: playing(session) == "folk")
    assert "segued plays folk now" in segued(session, "models")
    assert "the model blues plays now" in segued(session, "models", "rename", "folk", "blues")
    assert "the model shipped plays now" in segued(session, "models", "use", "shipped")
    assert playing(session) == "shipped", "the default, whatever was chosen before"
    assert "the model blues plays now" in segued(session, "models", "use", "blues")
    assert "the model shipped plays now" in segued(session, "models", "delete", "blues")
