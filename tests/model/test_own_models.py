"""Models of one's own on disk: found, chosen, deleted, and never half there."""

import os
import stat
from pathlib import Path

import pytest
from segued.errors import DataError
from segued.model import own_models
from segued.model.loading import SHIPPED_MODEL, at_hand, model_name, model_path
from segued.model.options import SHIPPED
from segued.model.own_models import CARD, CURRENT, FOR_CPU, FOR_GPU
from segued.settings.config import Config

from tests.support.fakes import settings


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for name in ("a", "b"):
        make(tmp_path / "segue" / "models" / name)
    return tmp_path / "segue" / "models"


def make(folder: Path, *files: str) -> None:
    folder.mkdir(parents=True)
    for name in files or (FOR_CPU, FOR_GPU, CARD):
        (folder / name).write_text("{}")


def test_the_shipped_model_plays_until_another_is_chosen(models: Path) -> None:
    assert own_models.current() is None and model_path(Config()) == SHIPPED_MODEL
    own_models.use("b")
    assert model_path(Config()) == models / "b" / FOR_CPU
    assert model_path(Config(), "cuda") == models / "b" / FOR_GPU
    own_models.use(SHIPPED)
    assert model_path(Config()) == SHIPPED_MODEL
    own_models.use(SHIPPED)


def test_who_deletes_the_one_that_plays_plays_the_shipped_one(models: Path) -> None:
    own_models.use("b")
    own_models.delete("a")
    assert model_path(Config()) == models / "b" / FOR_CPU
    own_models.delete("b")
    assert model_path(Config()) == SHIPPED_MODEL
    assert not (models / CURRENT).exists() and not [*models.iterdir()]


def test_names_that_are_not_there(models: Path) -> None:
    for act in (own_models.use, own_models.delete):
        with pytest.raises(DataError, match="no model 'c' of yours; there are: shipped, a, b"):
            act("c")


@pytest.mark.parametrize("missing", [FOR_CPU, CARD])
def test_half_a_model_is_none(models: Path, missing: str) -> None:
    own_models.use("b")
    (models / "b" / missing).unlink()
    assert [model.name for model in own_models.own_models()] == ["a"]
    assert model_path(Config()) == SHIPPED_MODEL


@pytest.mark.parametrize("text", ["../a", "", "b/../a", "\0", "nonsense"])
def test_a_choice_that_makes_no_sense(models: Path, text: str) -> None:
    (models / CURRENT).write_text(text)
    assert model_path(Config()) == SHIPPED_MODEL


def test_broken_cards_and_hidden_folders(models: Path) -> None:
    (models / "a" / CARD).write_text("[")
    make(models / ".new")
    assert [model.name for model in own_models.own_models()] == ["b"]


def test_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setattr("segued.system.paths.home", lambda: None)
    assert own_models.own_models() == [] and own_models.current() is None
    assert model_path(Config()) == SHIPPED_MODEL
    own_models.use(SHIPPED)


def test_what_is_written_is_its_owners_alone(models: Path) -> None:
    before = os.umask(0)
    try:
        own_models.use("a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((models / CURRENT).stat().st_mode) == 0o600
    assert [path.name for path in models.iterdir() if path.name.startswith(".")] == []


def named(name: str) -> Config:
    return settings(f"model.path={name}")


def test_a_model_is_named_in_the_settings(models: Path) -> None:
    own_models.use("b")
    assert model_path(named("a")) == models / "a" / FOR_CPU and model_name(named("a")) == "a"
    assert model_path(named("a"), "cuda") == models / "a" / FOR_GPU
    assert model_path(named(SHIPPED)) == SHIPPED_MODEL and model_name(named(SHIPPED)) == SHIPPED
    assert model_name(Config()) == "b"
    own_models.use(SHIPPED)
    assert model_name(Config()) == SHIPPED
    assert model_path(named("./a")) == Path("a") and model_name(named("x/a.onnx")) == "x/a.onnx"
    with pytest.raises(DataError, match="no model 'c' of yours; there are: shipped, a, b"):
        model_path(named("c"))


def test_a_model_gets_another_name(models: Path) -> None:
    own_models.use("a")
    own_models.rename("a", "folk-tunes_2")
    assert [model.name for model in own_models.own_models()] == ["b", "folk-tunes_2"]
    playing = own_models.current()
    assert playing is not None and playing.name == "folk-tunes_2"
    own_models.rename("b", "Lück")
    assert playing == own_models.current()


@pytest.mark.parametrize(
    "name", ["b", "../c", "", "c.d", "-c", "c" * 33, "default", "shipped", "current", "a\n"]
)
def test_names_that_a_model_cannot_have(models: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot be the name: it takes up to 32"):
        own_models.rename("a", name)
    assert [model.name for model in own_models.own_models()] == ["a", "b"]


def test_a_model_without_a_file_for_gpus_has_the_other_one(models: Path) -> None:
    (models / "a" / FOR_GPU).unlink()
    assert model_path(named("a"), "cuda") == model_path(named("a")) == models / "a" / FOR_CPU


def test_a_recording_finds_its_model_among_them(models: Path) -> None:
    assert {models / "a" / FOR_CPU, models / "b" / FOR_GPU, SHIPPED_MODEL} <= {*at_hand()}
