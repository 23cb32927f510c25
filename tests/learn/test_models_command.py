"""`segued models`: what it lists, chooses, deletes and forgets."""

import json
import os
import shutil
from pathlib import Path

import pytest
import segued
from segued.cli import main
from segued.model import own_models
from segued.model.loading import SHIPPED_FOR_GPU, SHIPPED_MODEL
from segued.recording.journal_file import lock
from segued.recording.performance import JOURNAL
from segued.recording.stars import set_star

from ..model.test_own_models import make
from ..page.test_takes import take_in

PHRASES = Path(segued.__file__).parent / "phrases"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    data = tmp_path / "data" / "segue"
    for name in ("20260101-000000", "20260201-000000"):
        make(data / "models" / name)
        card = {
            "pieces": 9,
            "judged": {"verdict": {"before": 2.5, "after": 2.25}, "elsewhere": 0.0312},
        }
        (data / "models" / name / own_models.CARD).write_text(json.dumps({"name": name, **card}))
    others = {"shipped": 2.5, "20260201-000000": 2.25}
    (data / "learn").mkdir()
    (data / "learn" / "judged.json").write_text(json.dumps({"figures": {"others": others}}))
    return data


def test_all_are_listed_beside_each_other(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_models.use("20260201-000000")
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:2] == ["shipped", "2.5000"]
    assert lines[2].split()[:2] == ["20260101-000000", "-"]
    assert lines[3].split()[:3] == ["*", "20260201-000000", "2.2500"]
    assert "9 pieces; 2.5000 before, 2.2500 after, +0.0312 elsewhere" in lines[3]
    assert main(["models", "rename", "20260201-000000", "folk"]) == 0
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "20260201-000000 is now folk"
    assert lines[4].split()[:3] == ["*", "folk", "2.2500"]


def test_none_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert main(["models"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("* shipped")
    assert main(["models", "forget", "--yes"]) == 65
    assert "nothing to forget" in capsys.readouterr().err


def test_one_is_chosen_and_gone_back_from(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "use", "20260101-000000"]) == 0
    said = capsys.readouterr().out
    assert "plays by default" in said and "at the next start" in said
    assert main(["models", "use", "shipped"]) == 0
    assert own_models.current() is None


def test_settings_that_name_a_file_are_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = ["--set", "model.path=mine.onnx"]
    assert main(["models", "use", "20260101-000000", *named]) == 0
    assert "model.path is mine.onnx: set it to default" in capsys.readouterr().out
    assert main(["models", *named]) == 0
    assert "that plays until it is default" in capsys.readouterr().out


def test_deleted_is_deleted(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_models.use("20260201-000000")
    assert main(["models", "delete", "20260201-000000"]) == 0
    assert "the shipped model plays by default" in capsys.readouterr().out
    assert main(["models", "delete", "20260101-000000"]) == 0
    assert not [*(data / "models").iterdir()]


def test_a_model_file_is_added_by_name(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, file in (("folk", SHIPPED_FOR_GPU), ("blues", SHIPPED_MODEL)):
        assert main(["models", "add", name, str(file)]) == 0
        assert f"added {name} from {file}" in capsys.readouterr().out
    assert {path.name for path in (data / "models" / "folk").iterdir()} == {
        own_models.CARD, own_models.FOR_CPU, own_models.FOR_GPU,
    }  # fmt: skip
    assert not (data / "models" / "blues" / own_models.FOR_GPU).exists(), "int8 is for CPUs"
    assert all(not path.stat().st_mode & 0o077 for path in (data / "models" / "folk").iterdir())
    assert main(["models"]) == 0
    assert "added from segue-fp32.onnx" in capsys.readouterr().out
    assert main(["check", "--set", "control.presets=[{name: a, model: blues}]"]) == 0
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"x")
    capsys.readouterr()
    for name, file, why in (
        ("rock", broken, "broken.onnx"),
        ("rock", tmp_path / "none.onnx", "none.onnx: no such model file"),
        ("folk", SHIPPED_MODEL, "'folk' cannot be the name"),
    ):
        assert main(["models", "add", name, str(file)]) == 65
        error = capsys.readouterr().err
        assert why in error and error.count("\n") == 1
    assert not (data / "models" / "rock").exists()


def test_all_is_forgotten_when_that_is_wanted(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "forget"]) == 64  # nobody can be asked
    assert "confirm with --yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: "no")
    assert main(["models", "forget"]) == 0
    assert own_models.own_models()
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert main(["models", "forget"]) == 0
    assert not [*data.iterdir()]


@pytest.mark.skipif(os.name != "posix", reason="journals are locked on posix alone")
def test_takes_are_forgotten_too_if_that_is_wanted(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "takes"
    take_in(folder), take_in(folder, "renamed.mid"), take_in(folder / "2026", "old.MID")
    set_star(folder, "renamed.mid", on=True)
    (folder / f"segue-20260101-130000{JOURNAL}").write_bytes(b"{}\n")  # a crashed run's
    (folder / "segue-20260101-140000.part").touch()
    mine = [folder / "notes.txt", folder / "song.mid", folder / "broken.mid", folder / "x.journal"]
    for path in mine:
        path.touch()
    shutil.copy(PHRASES / "beethoven-ode.mid", mine[1])
    other = take_in(tmp_path / "elsewhere")
    (folder / "link.mid").symlink_to(other)
    recording = f"record.folder={folder}"
    written = folder / f"segue-20260101-150000{JOURNAL}"
    with written.open("wb") as file:
        assert lock(file), "as the daemon that writes it"
        assert main(["models", "forget", "--takes"]) == 64
        assert "record.folder is not set" in capsys.readouterr().err
        assert main(["models", "list", "--takes"]) == 64
        assert "--takes goes with forget" in capsys.readouterr().err
        assert main(["models", "forget", "--set", recording, "--yes"]) == 0
        assert f"takes in {folder}" not in capsys.readouterr().out
        assert main(["models", "forget", "--takes", "--set", recording]) == 64
        question = capsys.readouterr().err
        assert f"delete 5 takes in {folder} (1 with a star) (not the one that is bei" in question
        assert main(["models", "forget", "--takes", "--set", recording, "--yes"]) == 0
        assert "deleted 5 takes" in capsys.readouterr().out
        left = {path for path in folder.rglob("*") if path.is_file()}
        assert left == {*mine, folder / "link.mid", written} and other.exists()
        assert main(["models", "forget", "--takes", "--set", recording, "--yes"]) == 65


@pytest.mark.parametrize("words", [["use"], ["use", "a", "b"], ["list", "a"], ["delete"], ["x"]])
def test_words_that_make_no_sense(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(["models", *words])
    except SystemExit as left:
        status = int(left.code or 0)
    assert status == 64 and capsys.readouterr().err.count("\n") == 1


def test_a_broken_verdict_is_none(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "learn" / "judged.json").write_text("[")
    assert main(["models"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[2] == "-"
