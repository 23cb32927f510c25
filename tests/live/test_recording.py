"""A real daemon records itself through real ports; its recording is replayed to the tick."""

import os
import signal
from pathlib import Path

import pytest
import segued
from segued.recording.journal_file import read
from segued.recording.performance import APPLY, JOURNAL
from segued.recording.replay import replay_file
from segued.tools.live_session import LiveSession

from tests.support.jack import jack_server

from ..support.waiting import wait_for
from .test_playing import QUICK, REPLY_ON, backend, phrase, replied

pytestmark = pytest.mark.live

__all__ = ["backend"]  # a fixture


def settings_for(folder: Path) -> list[str]:
    return [*QUICK, f"record.folder={folder}", "turns.reply_length=endless"]


def only_file(folder: Path, suffix: str = ".mid") -> Path:
    files = [*folder.iterdir()]
    assert [file.suffix for file in files] == [suffix]
    return files[0]


def test_a_performance_is_recorded_and_replayed(backend: list[str], tmp_path: Path) -> None:
    clock = [(0.5 + i / 48, b"\xf8") for i in range(40)]
    with LiveSession([*backend, *settings_for(tmp_path)]) as stage:
        sent, arrived = stage.play(phrase(), lambda _, got: replied(got, 6), 10)
        more = sorted([*clock, (0.5, b"\xfa"), *phrase(0.8, (50, 57))])
        sent_more, arrived_more = stage.play(more, lambda _, got: replied(got, 4), 10)
        assert stage.stop() == 0
        _, rest = stage.play(seconds=0.3)
    recorded = only_file(tmp_path)
    recording = read(recorded)
    notes = [message for _, message in [*sent, *sent_more] if message[0] < 0xF0]
    assert [message for _, message in recording.performed] == notes
    heard = [m for _, m in [*arrived, *arrived_more, *rest] if m[0] == REPLY_ON]
    assert [m for _, m in recording.played if m[0] == REPLY_ON] == heard
    ticks = sum(entry.data == b"\xf8" for entry in recording.entries)
    assert len(clock) - 3 <= ticks <= len(clock)  # it was stopped with the last on their way
    assert replay_file(recorded, tmp_path / "again.out") == len(recording.played) > 10


def test_kill_9_leaves_what_was_recorded(tmp_path: Path) -> None:
    settings = ["ports.backend=tcp", "ports.tcp_port=0", *settings_for(tmp_path)]
    with LiveSession(settings) as stage:
        _, arrived = stage.play(phrase(), lambda _, got: replied(got, 10), 10)
        wait_for(lambda: len(read(only_file(tmp_path, JOURNAL)).played) > 5)
        stage.stop(signal.SIGKILL)
    journal = only_file(tmp_path, JOURNAL)
    recording = read(journal)
    assert [m for _, m in recording.performed] == [m for _, m in phrase()]
    assert {m for _, m in recording.played if m[0] == REPLY_ON} <= {m for _, m in arrived}
    assert replay_file(journal, tmp_path / "again.out") == len(recording.played)


def test_the_loss_of_the_ports_is_part_of_the_recording(tmp_path: Path) -> None:
    name = f"Segue {os.getpid()}"
    settings = ["ports.backend=jack", *settings_for(tmp_path)]
    with jack_server(period=128) as server, LiveSession(settings, name) as stage:
        stage.play(phrase(), lambda _, got: replied(got, 4), 10)
        stage.client.close()
        server.kill()
        wait_for(lambda: any("went away" in line for line in stage.log))
        server.start()
        wait_for(lambda: any("back on JACK" in line for line in stage.log))
        stage.client = stage.connect()
        stage.play(phrase(), lambda _, got: replied(got, 4), 10)
        assert stage.stop() == 0
    recorded = only_file(tmp_path)
    recording = read(recorded)
    assert len(recording.performed) == 2 * len(phrase())
    assert replay_file(recorded, tmp_path / "again.out") == len(recording.played)


def test_a_reload_and_another_model_are_part_of_the_recording(tmp_path: Path) -> None:
    config, folder = tmp_path / "c.yaml", tmp_path / "takes"
    models = Path(segued.__file__).parent / "models"
    config.write_text("{}")
    settings = ["ports.backend=tcp", "ports.tcp_port=0", *settings_for(folder)]
    with LiveSession(settings, config=config) as stage:
        stage.play(phrase(), lambda _, got: replied(got, 6), 10)
        for text in ("sampling: {highest_pitch: 60}", f"model: {{path: {models}/segue-fp32.onnx}}"):
            config.write_text(text)
            count = sum("reloaded" in line for line in stage.log)
            stage.process.send_signal(signal.SIGHUP)
            stage.play(
                until=lambda _, got: (
                    sum("reloaded" in line for line in stage.log) > count  # noqa: B023
                    and replied(got, 6)
                ),
                seconds=15,
            )
        assert stage.stop() == 0
    recorded = only_file(folder)
    kinds = [entry.kind for entry in read(recorded).entries]
    assert kinds.count(APPLY) == 2
    assert replay_file(recorded, tmp_path / "again.out") > 18
