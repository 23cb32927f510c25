"""The page's list of models."""

import json
from pathlib import Path

import pytest
from segued.page.model_routes import listed

from tests.model.test_own_models import make
from tests.page.test_server import stage_in


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "segue" / "models"


def test_the_shipped_one_comes_first(models: Path) -> None:
    (shipped,) = listed()
    assert shipped["name"] == "shipped" and 1e6 < shipped["bytes"] < 1e8
    make(models / "folk")
    assert listed() == [shipped, {"name": "folk", "bytes": 2}]


@pytest.mark.live
def test_a_page_asks_for_them(models: Path, tmp_path: Path) -> None:
    make(models / "folk")
    with stage_in(tmp_path) as stage:
        answer = stage.get("/models")
        assert answer[0] == 200 and json.loads(answer[2]) == listed()
