"""Which file of settings is taken where none is named."""

import os
from pathlib import Path

import pytest
from segued.errors import ConfigError
from segued.settings import folders
from segued.settings.yaml_file import load_known
from segued.system import paths

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to be in, and others for the user and the system."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setattr(folders, "SYSTEM", tmp_path / "etc")


def settings(folder: Path) -> Path:
    (folder / "segue").mkdir(parents=True)
    path = folder / "segue" / "config.yaml"
    path.touch()
    return path


@pytest.mark.skipif(os.name != "posix", reason="/etc is Unix's")
def test_the_users_file_goes_before_the_systems(tmp_path: Path) -> None:
    assert folders.find_settings() is None
    system = settings(tmp_path / "etc")
    assert folders.find_settings() == system
    user = settings(tmp_path / "user")
    assert folders.find_settings() == user


def test_config_yaml_of_a_folder_counts_in_the_running_checkout_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("config.yaml").touch()
    Path("daemon/segued").mkdir(parents=True)
    assert folders.find_settings() is None
    user = settings(tmp_path / "user")
    monkeypatch.chdir(ROOT / "tests")
    assert folders.find_settings() == user
    monkeypatch.chdir(ROOT)
    assert folders.find_settings() == Path("config.yaml")


def test_what_is_said_of_them() -> None:
    assert folders.source_of(Path("x.yaml")) == "x.yaml"
    assert folders.source_of(None).startswith("built-in defaults (there is no ")


def test_a_relative_folder_of_xdgs_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    if os.name == "posix":
        assert folders.user_settings() == Path("/home/me/.config/segue")


def test_without_a_home_folder_there_are_no_settings_of_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert paths.home() is None and folders.user_settings() is None
    assert folders.find_settings() is None
    with pytest.raises(ConfigError, match=r"model.path: no home folder for '~/mine.onnx'"):
        paths.expanded("~/mine.onnx", "model.path")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("turns: {silence: long}\nports: {name: Bass}", "Bass"),
        ("ports: {name: Bass, tcp_port: many, input: 20:0}", "Bass"),
        ("ports: {name: [1, 2]}", "Segue"),
        ("ports: {name: Bass", "Segue"),
        ("ports: 5", "Segue"),
        ("- list", "Segue"),
        ("\0", "Segue"),
    ],
)
def test_of_a_file_with_a_mistake_what_finds_the_daemon_is_known(
    tmp_path: Path, text: str, name: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    config, mistake = load_known(path, ["ports.tcp_host=localhost"])
    assert (config.ports.name, config.ports.tcp_host) == (name, "localhost")
    assert str(path) in mistake and "\n" not in mistake
    with pytest.raises(ConfigError, match=r"--set"):
        load_known(path, ["ports.name=5"])


def test_of_a_right_file_all_is_known(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("turns: {silence: 2}")
    config, mistake = load_known(path)
    assert config.turns.silence == 2 and mistake == ""
    missing = tmp_path / "none.yaml"
    assert load_known(missing)[1] == f"{missing}: cannot be read: {os.strerror(2)}"
