"""`segued learn`: where it runs, what it says before it downloads anything, what it hands on."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from segued.cli import main
from segued.errors import InstallError
from segued.system import realtime
from segued.tools import learn

WANTED = ["onnx>=1", "torch>=2", "tqdm"]
Ran = list[list[str]]


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """What was executed, on a machine without torch, whose index answers."""
    commands: Ran = []
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(learn, "TRAINERS", ("no_such_torch",))
    monkeypatch.setattr(learn, "requirements", lambda: WANTED)
    monkeypatch.setattr(learn, "cpu_index", lambda: "https://index")
    monkeypatch.setattr(learn, "run", commands.append)
    monkeypatch.setattr(realtime, "idle", lambda: commands.append(["idle"]))
    return commands


def no_pip(monkeypatch: pytest.MonkeyPatch) -> Ran:
    """A pip that does nothing but be called; the environment itself is made."""
    called: Ran = []
    whole = subprocess.run

    def run(command: list[str], **more: Any) -> object:
        if "pip" not in command:
            return whole(command, **more)
        called.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(learn, "VENV", ["venv", "--without-pip"])
    return called


def test_torch_that_is_here_is_used(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learn, "TRAINERS", ("json",))
    main(["learn", "somewhere", "--minutes", "3", "--idle", "--set", "turns.silence=1"])
    assert ran == [["idle"], [
        sys.executable, "-m", "segue_export", "learn", "somewhere", "--minutes=3", "--idle",
        "--set=turns.silence=1",
    ]]  # fmt: skip


def test_a_list_needs_no_torch(ran: Ran) -> None:
    main(["learn", "--list"])
    assert ran[0][0] == sys.executable and ran[0][-1] == "--list"


def test_nothing_is_downloaded_unasked(
    ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["learn"]) == 64
    error = capsys.readouterr().err
    assert "250 MB to download" in error and str(tmp_path) in error and "--yes" in error
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert main(["learn"]) == 64
    assert "nothing was downloaded" in capsys.readouterr().err
    assert not ran and not [*tmp_path.iterdir()]


def test_what_cuda_brings_is_said(
    ran: Ran, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "cpu_index", lambda: None)
    monkeypatch.setattr(learn, "_brings_cuda", lambda: True)
    assert main(["learn"]) == 64
    assert "3 GB to download" in capsys.readouterr().err


def test_an_environment_is_made_once_and_finds_segue(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called = no_pip(monkeypatch)
    main(["learn", "--yes"])
    assert "250 MB to download" in capsys.readouterr().out
    python = Path(ran[0][0])
    assert python.is_relative_to(tmp_path / "segue")
    assert called[0][-3:] == ["--index-url", "https://index", "torch>=2"]
    assert called[1][-3:] == WANTED
    code = "import segued, segue_export.learn.command, numpy, sys; print(segued.__file__)"
    found = subprocess.check_output([python, "-c", code], text=True, env={})
    assert found.strip() == str(Path(learn.__file__).parents[1] / "__init__.py")
    main(["learn"])
    assert len(called) == 2 and len(ran) == 2


def test_half_an_environment_is_made_anew(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "segue" / "learn-environment"
    folder.mkdir(parents=True)
    (folder / "left over").write_text("")
    called = no_pip(monkeypatch)
    main(["learn", "--yes"])
    assert called and not (folder / "left over").exists()


def test_pip_that_fails_leaves_nothing_that_is_taken_for_whole(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_pip(monkeypatch)
    whole = subprocess.run

    def run(command: list[str], **more: Any) -> object:
        if "pip" in command:
            return subprocess.CompletedProcess(command, 1, "", "\nERROR: No space left on device\n")
        return whole(command, **more)

    monkeypatch.setattr(subprocess, "run", run)
    assert main(["learn", "--yes"]) == InstallError.status
    error = capsys.readouterr().err
    assert "no environment to learn in (ERROR: No space left on device)" in error
    assert error.count("\n") == 1 and not ran
    assert main(["learn"]) == 64  # it asks again


def test_what_training_needs_is_what_the_package_says() -> None:
    names = {re.split("[<>=]", line)[0] for line in learn.requirements()}
    assert names == {*learn.TRAINERS}
