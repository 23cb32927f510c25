"""Where a daemon's files are: the same for who writes and who asks."""

import os
import stat
from pathlib import Path

import pytest
from segued.service import runtime_dirs

posix = pytest.mark.skipif(os.name != "posix", reason="users and rights as Unix has them")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


@posix
def test_the_folders_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert runtime_dirs.own().name == "segue-1000"
    assert runtime_dirs.searched()[-1] == runtime_dirs.SYSTEM
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert runtime_dirs.own() == Path("/run/user/1000/segue")
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/segue:/run/other")
    assert runtime_dirs.own() == Path("/run/segue")
    assert runtime_dirs.searched() == [
        Path("/run/segue"), Path("/run/user/1000/segue"), runtime_dirs.SYSTEM,
    ]  # fmt: skip


@posix
def test_root_has_the_systems_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert runtime_dirs.own() == runtime_dirs.SYSTEM and runtime_dirs.searched() == [
        runtime_dirs.SYSTEM
    ]


@posix
def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = runtime_dirs.make(tmp_path / "a" / "b")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    assert stat.S_IMODE(runtime_dirs.make(folder).stat().st_mode) == 0o700


@posix
def test_what_somebody_else_made_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "segue-1000").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError):
        runtime_dirs.make(tmp_path / "segue-1000")
    (tmp_path / "theirs").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)
    with pytest.raises(PermissionError, match="another user"):
        runtime_dirs.make(tmp_path / "theirs")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        runtime_dirs.make(tmp_path / "file" / "x")


def test_other_names_are_other_files_and_none_is_a_path() -> None:
    names = ["Segue", "segue 2", "segue_2", "../../etc/passwd", "x" * 300, "x" * 301, "ü", "é"]
    stems = [runtime_dirs.stem(name) for name in names]
    assert len(set(stems)) == len(names)
    assert stems[0] == "Segue"
    for stem in stems:
        assert len(stem) < 60 and "/" not in stem and not stem.startswith(".")
