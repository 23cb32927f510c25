"""A real daemon hears MIDI files: at its start, at a reload, and when it is told to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from segued.recording.journal_file import read
from segued.recording.performance import HEAR
from segued.recording.replay import replay_file
from segued.tools.live_session import Arrived, LiveSession

from ..player.test_repertoire import TUNE, quoted
from ..settings.test_repertoire import midi
from .test_recording import only_file

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.name != "posix", reason="sockets that are files"),
]

ROOT = Path(__file__).parents[2]
TCP = ["ports.backend=tcp", "ports.tcp_port=0", "ports.reply_channel=16", "sampling.seed=1",
       "turns.silence=1.5", "sampling.temperature=0.1"]  # fmt: skip
HEARD = 14  # notes of the tune that are played
BEGINNING = [
    message
    for i, pitch in enumerate(TUNE[:HEARD])
    for message in (
        (0.25 * i, bytes((0x90, pitch, 80))),
        (0.25 * i + 0.2, bytes((0x80, pitch, 64))),
    )
]


def segued(stage: LiveSession, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "daemon"),
        "RUNTIME_DIRECTORY": str(stage.runtime),
    }
    return subprocess.run(
        [sys.executable, "-m", "segued", *arguments],
        capture_output=True, text=True, timeout=60, cwd=stage.runtime, env=environment,
    )  # fmt: skip


def goes_on(stage: LiveSession) -> int:
    """How many notes of the tune the reply to its beginning goes on with."""

    def struck(arrived: list[Arrived]) -> list[int]:
        return [m[1] for time, m in arrived if m[0] == 0x9F and time > BEGINNING[-1][0]]

    _, arrived = stage.play(BEGINNING, lambda _, got: len(struck(got)) >= 6, 10)
    segued(stage, "panic")
    stage.play(seconds=0.3)
    return quoted(struck(arrived), HEARD)


def heard_in(recorded: Path) -> int:
    return sum(entry.kind == HEAR for entry in read(recorded).entries)


def test_files_of_the_settings_are_quoted_and_recorded(tmp_path: Path) -> None:
    config, folder, tune = (tmp_path / name for name in ("c.yaml", "takes", "tune.mid"))
    midi(tune, *TUNE, seconds=0.25)
    other = midi(tmp_path / "other.mid", 50, 52)
    config.write_text("memory:\n  hear: [tune.mid]\n")
    with LiveSession([*TCP, f"record.folder={folder}"], config=config) as stage:
        assert "segued: heard MIDI files before the start: 1" in stage.log
        assert goes_on(stage) >= 3
        config.write_text("memory:\n  hear: [tune.mid, other.mid, none.mid]\n")
        refused = segued(stage, "reload")
        assert refused.returncode == 78 and refused.stderr.endswith(
            f"{tmp_path / 'none.mid'}: no such MIDI file: correct or remove this path\n"
        )
        config.write_text("memory:\n  hear: [tune.mid, other.mid]\n")
        assert segued(stage, "reload").stdout == "reloaded: memory.hear\n"
        midi(other, 53, 55)
        reloaded = segued(stage, "reload").stdout
        assert reloaded == "reloaded: new music in the files of memory.hear\n"
        assert segued(stage, "reload").stdout == "reloaded: nothing has changed\n"
        assert stage.stop() == 0
    tune.unlink()
    other.unlink()
    recorded = only_file(folder)
    assert heard_in(recorded) == 3
    assert replay_file(recorded, tmp_path / "again.out") > 0


def test_a_running_daemon_is_told_to_hear_a_file(tmp_path: Path) -> None:
    tune, folder = midi(tmp_path / "tune.mid", *TUNE, seconds=0.25), tmp_path / "takes"
    with LiveSession([*TCP, f"record.folder={folder}"]) as stage:
        assert goes_on(stage) <= 1
        told = segued(stage, "hear", str(tune))
        assert (told.returncode, told.stdout) == (0, "heard 1 file: 90 tokens\n"), told
        assert goes_on(stage) >= 3
        assert stage.stop() == 0
    recorded = only_file(folder)
    assert heard_in(recorded) == 2
    assert replay_file(recorded, tmp_path / "again.out") > 0


def test_a_preset_has_files_of_its_own(tmp_path: Path) -> None:
    config, folder = tmp_path / "c.yaml", tmp_path / "takes"
    midi(tmp_path / "tune.mid", *TUNE, seconds=0.25)
    config.write_text(
        "control:\n  map: [{program: 5, preset: calm}]\n  presets: [{name: calm, hear: tune.mid}]\n"
    )
    with LiveSession([*TCP, f"record.folder={folder}"], config=config) as stage:
        stage.play([(0.0, bytes((0xC0, 4))), (1.0, bytes((0xC0, 4)))], seconds=2.0)
        assert goes_on(stage) >= 3
        assert stage.stop() == 0
    assert heard_in(only_file(folder)) == 1
    assert replay_file(only_file(folder), tmp_path / "again.out") > 0


def test_what_cannot_be_heard_is_one_line(tmp_path: Path) -> None:
    none = tmp_path / "none.mid"
    with LiveSession(TCP) as stage:
        refused = segued(stage, "hear", str(none))
        assert refused.returncode == 65
        assert refused.stderr == f"segued: {none}: no such MIDI file\n"
        for command in ("check", "run"):
            settings = ("--set", f"memory.hear=[{none}]", "--set", "ports.name=Another")
            refused = segued(stage, command, *settings)
            assert refused.returncode == 78
            assert refused.stderr == (
                f"segued: memory.hear: {none}: no such MIDI file: correct or remove this path\n"
            )
        runtime = stage.runtime
        assert stage.stop() == 0
        stage.runtime = runtime
        refused = segued(stage, "hear", str(midi(tmp_path / "a.mid", 60)))
        assert refused.returncode == 69
        assert "no segued runs as 'Segue'" in refused.stderr
