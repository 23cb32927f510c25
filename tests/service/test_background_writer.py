"""The thread that says and saves what the hot loop must not."""

import pytest
from segued.player.player import Player
from segued.service import background_writer, log
from segued.service.background_writer import BackgroundWriter

from tests.support.fakes import FoldingModel, settings


def test_a_mistake_of_ours_ends_no_thread_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def say(line: str) -> None:
        if line == "first":
            raise RuntimeError("no such luck")
        said.append(line)

    broken: list[Exception] = []
    monkeypatch.setattr(background_writer, "say", say)
    monkeypatch.setattr(log, "broken", lambda error, _: broken.append(error))
    player = Player(FoldingModel(), settings(), lambda owner, message: None, 1)
    player.notices.extend(["first", "second"])
    writer = BackgroundWriter()
    writer.collect(player)
    writer.close()
    assert said == ["second"] and [str(error) for error in broken] == ["no such luck"]
