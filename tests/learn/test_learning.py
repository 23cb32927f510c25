"""`segue-export learn` from end to end, with a small model in the place of the shipped one."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from segue_export.__main__ import main
from segue_export.learn import judging, learning, training
from segue_export.learn.workplace import Listener, plays
from segue_export.train import Trainer
from segued.errors import BusyError
from segued.model import own_models
from segued.model.loading import model_path
from segued.model.session import Model
from segued.service.learning import alone, open_folder
from segued.settings.config import Config

from ..support.tiny import write_model
from .made import recording, tune

pytestmark = pytest.mark.slow

LISTENED = {"listened": 0.5, "listened_low": 0.4, "listened_high": 0.6, "families": {"pulse": 0.5}}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, and a small model that is the shipped one."""
    data = tmp_path / "data" / "segue"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr("segue_export.report.plot", lambda *about: None)
    fp32 = write_model(tmp_path / "shipped-fp32.onnx")
    int8 = write_model(tmp_path / "shipped-int8.onnx", "int8")
    monkeypatch.setattr(learning, "SHIPPED_FOR_GPU", fp32)
    monkeypatch.setattr(learning, "SHIPPED_MODEL", int8)
    monkeypatch.setattr("segued.model.loading.SHIPPED_MODEL", int8)
    monkeypatch.setattr(training, "LENGTH", 200)
    monkeypatch.setattr(training, "ROWS", 4)
    monkeypatch.setattr(training, "RATE", 0.02)
    monkeypatch.setattr(training, "PASSES", 4)
    monkeypatch.setattr(training, "MIN_UPDATES", 40)
    monkeypatch.setattr(training, "BATCH", 4)
    monkeypatch.setattr(training, "TIME", 64)
    monkeypatch.setattr(judging, "PLACES", 2)
    monkeypatch.setattr("segue_export.learn.storing.PARITY", 50)
    monkeypatch.setattr(judging, "duet_test", lambda *about: LISTENED)
    return data


@pytest.fixture
def takes(tmp_path: Path) -> Path:
    """An evening of one manner: walks in one register, in even notes."""
    for seed in range(12):
        recording(tmp_path / "takes" / f"{seed:02}.mid", tune(seed, notes=90))
    return tmp_path / "takes"


def learn(takes: Path, *more: str) -> int:
    return main(["learn", "--set", f"record.folder={takes}", "--minutes", "5", *more])


def test_a_manner_is_learned_kept_and_played(
    home: Path, takes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert learn(takes) == 0
    said = capsys.readouterr().out
    assert "12 takes: " in said and "judged on what nothing was learned" in said
    (model,) = own_models.own_models()
    assert own_models.current() == model
    assert f"kept as {model.name}; it plays when segued is started" in said
    assert model_path(Config()) == model.file() == home / "models" / model.name / "segue-int8.onnx"
    assert model_path(Config(), "cuda") == model.file("cuda")
    assert Model.load(model.file()).info["licence"].startswith("private")
    verdict = model.card["judged"]["verdict"]
    assert verdict["after"] < verdict["before"] - 0.05
    assert not [*(home / "learn").glob("run-*")]
    for path in [home / "models", home / "learn", *home.rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    assert json.loads((home / "learn" / "progress.json").read_text())["stage"] == "done"
    assert str(takes) not in json.dumps(Model.load(model.file()).info)

    assert learn(takes) == 0
    assert f"nothing new to learn from since {model.name}" in capsys.readouterr().out


LEARNS = """
import ctypes, sys, torch
from segue_export.learn import training
from segue_export.learn.training import config_of, may_compile
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE
    sys.exit(9)
assert not may_compile() and config_of(1000, 100, 1.0, 1).precision == "fp32"
torch.backends.mkldnn.set_flags(False)
torch.nn.LSTM(8, 8)(torch.zeros(1, 4, 8))[0].sum().backward()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a protection of Linux")
def test_a_service_that_may_not_execute_what_it_writes_can_learn() -> None:
    """systemd's MemoryDenyWriteExecute: oneDNN cannot compile its kernels there."""
    done = subprocess.run([sys.executable, "-c", LEARNS], capture_output=True, text=True)
    if done.returncode == 9:
        pytest.skip("this kernel is older than 6.3")
    assert done.returncode == 0, done.stderr
    assert training.may_compile()


def test_what_is_not_better_is_not_kept(
    home: Path, takes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "RATE", 0.0)
    assert learn(takes) == 0
    assert "the model stays" in capsys.readouterr().out
    assert own_models.own_models() == [] and own_models.current() is None


def test_one_that_plays_worse_is_not_kept(
    home: Path, takes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    worse = judging.Playing({"pitch": 0.9}, {"pitch": 0.1}, -0.9, -0.7)
    monkeypatch.setattr(judging, "places_in", lambda pieces: [object()])
    monkeypatch.setattr(judging, "playing", lambda *about: worse)
    assert learn(takes) == 0
    assert "not kept: it predicts you better, but it plays on less like you" in (
        capsys.readouterr().out
    )
    assert own_models.own_models() == [] and not [*(home / "models").iterdir()]


def test_one_that_no_longer_listens_is_not_kept(
    home: Path, takes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([LISTENED, LISTENED | {"listened": 0.1, "listened_high": 0.2}])
    monkeypatch.setattr(judging, "duet_test", lambda *about: next(found))
    assert learn(takes) == 0
    assert "not kept: it predicts you better, but it no longer listens" in capsys.readouterr().out
    assert own_models.own_models() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_loses_nothing(
    home: Path, takes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:  # fmt: skip
    steps: list[int] = []
    whole = Trainer._step

    def step(trainer: Trainer) -> None:
        whole(trainer)
        steps.append(trainer.update)
        if len(steps) == 7:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Trainer, "_step", step)
    assert learn(takes) == 128 + number
    assert "run the same command again" in capsys.readouterr().out
    assert json.loads((home / "learn" / "progress.json").read_text())["stage"] == "stopped"
    assert learn(takes) == 0
    assert steps[:8] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(own_models.own_models()) == 1


def test_power_lost_while_it_trains(
    home: Path, takes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerLost(BaseException):
        pass

    steps: list[int] = []
    whole = Trainer._step

    def step(trainer: Trainer) -> None:
        if steps and steps[-1] == 33 and steps[0] == 1:
            raise PowerLost
        whole(trainer)
        steps.append(trainer.update)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_step", step)
        with pytest.raises(PowerLost):
            learn(takes)
        (run,) = (home / "learn").glob("run-*")
        (run / "last.pt.77.part").write_bytes(b"half a checkpoint")
        steps.clear()
        assert learn(takes) == 0
    assert 14 < steps[0] <= 33  # it went on from a checkpoint
    assert len(own_models.own_models()) == 1


def test_power_lost_while_it_judges(
    home: Path, takes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*about: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(learning, "judge", lost)
        patched.setattr(shutil, "rmtree", lambda *about, **more: None)  # nothing is tidied up
        assert learn(takes) == 130
    assert own_models.own_models() == []
    left = {path.name for path in (home / "models").iterdir()}
    assert len(left) == 1 and left.pop().endswith(".new")
    monkeypatch.setattr(Trainer, "_step", lost)  # and nothing is trained again
    assert learn(takes) == 0
    assert len(own_models.own_models()) == 1
    assert not [p for p in (home / "models").iterdir() if p.name.endswith(".new")]


def test_the_disk_is_full(
    home: Path, takes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "MIN_FREE", 1 << 60)
    assert learn(takes) == 74
    error = capsys.readouterr().err
    assert error.splitlines()[-1] == f"segue-export: {home / 'learn'}: No space left on device"


def test_the_disk_fills_up_while_it_learns(
    home: Path, takes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*about: object, **more: object) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        patched.setattr("segue_export.checkpoint.ROOM", 1 << 60)
        assert learn(takes) == 74
    assert "No space left on device" in capsys.readouterr().err.splitlines()[-1]
    assert learn(takes) == 0


def test_two_at_once(home: Path, takes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with alone(open_folder()):
        assert learn(takes) == BusyError.status == 75
        error = capsys.readouterr().err
    assert f"another segued learn is at work (process {os.getpid()})" in error
    assert error.count("\n") == 1


def test_a_killed_one_leaves_no_lock(home: Path) -> None:
    code = "from segued.service.learning import *; import os\n"
    code += "with alone(open_folder()): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    with alone(open_folder()):
        pass


@pytest.mark.parametrize("folder", ["none", "empty"])
def test_no_takes(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    (tmp_path / "empty").mkdir()
    assert learn(tmp_path / folder) == 64
    assert "no takes to learn from" in capsys.readouterr().err
    assert main(["learn", "--set", "record.folder=null"]) == 64
    assert "record.folder is not set" in capsys.readouterr().err
    assert not (home / "models").exists()


def test_too_few_takes(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording(tmp_path / "takes" / "a.mid", tune(1))
    assert learn(tmp_path / "takes") == 65
    assert "1 different pieces" in capsys.readouterr().err
    assert learn(tmp_path / "takes", "--list") == 65


def test_no_take_has_a_star(home: Path, takes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert learn(takes, "--starred") == 65
    assert "0 different pieces" in capsys.readouterr().err


def test_what_would_be_learned_is_listed_and_nothing_is_written(
    home: Path, takes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert learn(takes, "--list") == 0
    said = capsys.readouterr().out
    assert "to judge by" in said and "11.mid" in said
    assert not home.exists()


def test_the_model_is_swapped_while_it_learns(
    home: Path, takes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Path] = []
    whole = judging.judge

    def judge(name: str, new: Path, present: Path, *about: Any) -> judging.Judgement:
        judged.append(present)
        if len(judged) == 1:
            other = home / "models" / "20200101-000000"
            other.mkdir(mode=0o700)
            for file in (own_models.FOR_CPU, own_models.FOR_GPU):
                shutil.copy(present, other / file)
            (other / own_models.CARD).write_text("{}")
            own_models.use(other.name)
        return whole(name, new, present, *about)

    monkeypatch.setattr(learning, "judge", judge)
    assert learn(takes) == 0
    assert [path.parent.name for path in judged][1:] == ["20200101-000000"]
    assert len(judged) == 2


def test_the_last_three_are_kept_and_those_with_a_name(home: Path, takes: Path) -> None:
    for day in range(1, 6):
        folder = home / "models" / f"2020010{day}-000000"
        folder.mkdir(parents=True)
        for file in (own_models.FOR_CPU, own_models.FOR_GPU):
            shutil.copy(home.parents[1] / "shipped-int8.onnx", folder / file)
        (folder / own_models.CARD).write_text("{}")
    own_models.use("20200102-000000")
    own_models.rename("20200103-000000", "folk")
    assert learn(takes) == 0
    names = [model.name for model in own_models.own_models()]
    assert names[:2] == ["20200104-000000", "20200105-000000"] and names[3:] == ["folk"]


class Waiting:
    def __init__(self, answers: list[bool]) -> None:
        self.answers = answers

    def __call__(self) -> bool:
        return self.answers.pop(0) if self.answers else False


def test_it_waits_while_somebody_plays(
    home: Path, takes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    listener = Waiting([True, True, False, True, True, True])
    monkeypatch.setattr("segue_export.learn.command.Listener", lambda: listener)
    assert learn(takes, "--unless-playing") == 0
    assert len(slept) == 5 and len(own_models.own_models()) == 1


@pytest.fixture
def state_file(home: Path) -> Iterator[Callable[..., None]]:
    """The state file of a daemon that lives, and a way to write numbers into it."""
    from segued.service import runtime_dirs
    from segued.service.state_file import StateFile
    from segued.service.state_numbers import NUMBERS

    folder = runtime_dirs.make(runtime_dirs.own())
    file = StateFile(folder / f"x{runtime_dirs.STATE_SUFFIX}", "x")

    def write(**numbers: float) -> None:
        file.write([numbers.get(number.name, 0.0) for number in NUMBERS])

    yield write
    file.close()


def test_somebody_plays(state_file: Callable[..., None]) -> None:
    now = 1000.0
    state_file(clock=now)
    assert not Listener(lambda: now)()
    state_file(clock=now, last_struck=now - 5)
    assert Listener(lambda: now)()
    state_file(clock=now, last_played=now - 5)
    assert Listener(lambda: now)()
    state_file(clock=now, last_struck=now - 500, last_received=now - 1)  # a clock ticks
    assert not Listener(lambda: now)()


def test_a_daemon_that_has_ended_does_not_play(state_file: Callable[..., None]) -> None:
    from segued.service import runtime_dirs
    from segued.service.state_reader import Reader

    state_file(clock=1000.0, last_struck=999.0)
    reader = Reader(runtime_dirs.own() / f"x{runtime_dirs.STATE_SUFFIX}")
    reading = reader.read()
    reader.close()
    assert plays(reading, 1000.0)
    assert not plays(reading._replace(running=False), 1000.0)
