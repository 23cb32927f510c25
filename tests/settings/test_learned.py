"""What was learned outlives the daemon: the file, and a real daemon that is taught and started
again."""

import stat
from pathlib import Path

import pytest
from segued.control.mapping import mapped_of
from segued.errors import ConfigError
from segued.settings.config import Config, describe
from segued.settings.learned import path_of, save, with_learned
from segued.settings.yaml_file import load_settings
from segued.tools.live_session import LiveSession

from ..support.fakes import control, note_off, note_on

FADER = mapped_of(
    {"cc": 33, "channel": 3, "knob": "density", "low": 0.5, "high": 2.0, "learned": True}
)
PAD = mapped_of({"note": 40, "channel": 10, "action": "take", "learned": True})


def settings(path: Path, *lines: str) -> Config:
    return load_settings(None, [f"control.learned={path}", *lines])


def test_what_is_saved_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "learned.yaml"
    assert with_learned(settings(path)) == settings(path)
    save(path, (FADER, PAD))
    assert with_learned(settings(path)).control.map == (FADER, PAD)
    save(path, ())
    assert with_learned(settings(path)).control.map == ()
    assert list(path.parent.iterdir()) == [path]


def test_it_is_a_file_for_people_and_shown_by_check(tmp_path: Path) -> None:
    path = tmp_path / "learned.yaml"
    save(path, (PAD,))
    line = "    - {note: 40, channel: 10, action: take, learned: true}\n"
    assert line in path.read_text()
    assert line in describe(with_learned(settings(path)))


def test_the_file_goes_before_entries_that_were_copied_to_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "learned.yaml"
    save(path, (FADER,))
    old = "{cc: 33, channel: 3, knob: tempo, learned: true}, {cc: 33, knob: gate}"
    config = with_learned(settings(path, f"control.map=[{old}]"))
    assert [m.name for m in config.control.map] == ["gate", "density"]


def test_an_entry_that_a_person_wrote_there_counts_as_learned(tmp_path: Path) -> None:
    path = tmp_path / "learned.yaml"
    path.write_text("control:\n  map:\n    - {cc: 20, knob: gate}\n")
    config = with_learned(settings(path, "control.map=[{cc: 20, knob: hold}]"))
    assert [(m.name, m.learned) for m in config.control.map] == [("hold", False), ("gate", True)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("control:\n  map:\n    - {cc: 20, knob: gat}\n", ":3: control.map: no knob named 'gat'"),
        ("turns:\n  silence: 1\n", ": only control.map may be set here"),
        ("\x00", ":1: broken YAML"),
    ],
)
def test_a_file_that_is_not_right(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "learned.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        with_learned(settings(path))
    assert str(caught.value).startswith(f"{path}{says}")


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = Config().control
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert path_of(options) == Path("/home/me/.local/state/segue/learned.yaml")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert path_of(options) == Path("/state/segue/learned.yaml")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/segue:/other")
    assert path_of(options) == Path("/var/lib/segue/learned.yaml")
    assert path_of(load_settings(None, ["control.learned=null"]).control) is None
    assert path_of(load_settings(None, ["control.learned=~/a b.yaml"]).control) == Path(
        "/home/me/a b.yaml"
    )


@pytest.mark.live
def test_a_daemon_that_is_taught_knows_it_after_its_next_start(tmp_path: Path) -> None:
    """A real process: learn gate for CC 90, end, start again, close the gate with CC 90."""
    path = tmp_path / "learned.yaml"
    lines = ["ports.backend=tcp", "ports.tcp_port=0", f"control.learned={path}",
             "turns.silence=0.2", "ports.reply_channel=16",
             "control.map=[{note: 24, learn: gate}]"]  # fmt: skip
    with LiveSession(lines, "Teach") as stage:
        taught = [(0.0, note_on(24)), (0.05, note_off(24)), (0.1, control(90, 127)),
                  (0.2, control(90, 0)), (0.3, note_on(60)), (0.4, note_off(60))]  # fmt: skip
        _, arrived = stage.play(taught, seconds=1.5)
        assert [message for _, message in arrived] == [note_on(60), note_off(60)]
        assert stage.stop() == 0
        assert any(
            "learned: cc 90 on channel 1 is now mapped to gate" in line for line in stage.log
        )
    assert "{cc: 90, channel: 1, knob: gate, learned: true}" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    phrase = [(0.0, note_on(60)), (0.1, note_off(60))]
    with LiveSession(lines, "PrimedModel") as stage:
        _, arrived = stage.play(phrase, lambda _, got: any(m[0] == 0x9F for _, m in got), 10)
        assert any(message[0] == 0x9F for _, message in arrived), "an open gate plays"
        _, arrived = stage.play([(0.0, control(90, 0))], seconds=0.3)
        assert control(90, 0) not in [message for _, message in arrived]
        _, arrived = stage.play(phrase, seconds=1.5)
        assert [message for _, message in arrived if message[0] == 0x9F] == []
        assert stage.stop() == 0
