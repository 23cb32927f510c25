"""The command line as a user meets it: exit statuses, one line of error, what is written."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from segued.midi.files import read_tracks, write_messages
from segued.tools.live_session import LiveSession

ROOT = Path(__file__).parents[1]
PHRASES = ROOT / "daemon" / "segued" / "phrases"


def segued(
    *arguments: str, cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m segued` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "daemon"), **(environment or {})}
    return subprocess.run(
        [sys.executable, "-m", "segued", *arguments],
        capture_output=True, text=True, timeout=120, cwd=cwd, env=environment,
    )  # fmt: skip


def refused(status: int, *arguments: str, cwd: Path = ROOT) -> str:
    """The one line of a refusal."""
    done = segued(*arguments, cwd=cwd)
    assert done.returncode == status, done
    # a user without the right to real-time priority is told so first
    lines = [line for line in done.stderr.splitlines() if "normal priority" not in line]
    assert len(lines) == 1 and lines[0].startswith("segued"), done.stderr
    return lines[0]


def test_wrong_usage() -> None:
    assert "invalid choice: 'dance'" in refused(64, "dance")
    assert "required: IN.mid, OUT.mid" in refused(64, "render")
    assert "--seed" in refused(64, "render", "a.mid", "b.mid", "--seed", "many")
    line = refused(64, "render", "--replay", "a.mid", "b.mid", "--seed", "1")
    assert "from the recording" in line


@pytest.mark.slow
def test_wrong_configuration(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("turns:\n  silense: 1\n")
    line = refused(78, "check", "--config", str(file))
    assert f"{file}:2" in line and "did you mean 'silence'" in line
    file.write_text("turns:\n  silence: 100\n")
    assert "from 0.05 to 60 or a text such as 2 beats or 4 bars or auto, not 100" in refused(
        78, "check", "--config", str(file)
    )
    file.write_text("turns: {")
    assert f"{file}:1: broken YAML" in refused(78, "check", "--config", str(file))
    assert "cannot be read" in refused(78, "run", "--config", str(tmp_path / "none.yaml"))
    assert "did you mean 'turns'" in refused(78, "run", "--set", "turn.silence=1")


@pytest.mark.slow
def test_the_users_settings_are_found_and_an_option_before_the_command_counts(
    tmp_path: Path,
) -> None:
    (tmp_path / "segue").mkdir()
    file = tmp_path / "segue" / "config.yaml"
    file.write_text("turns:\n  silence: 3.5\n")
    (tmp_path / "config.yaml").write_text("somebody: else's\n")
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    done = segued("check", cwd=tmp_path, environment=environment)
    assert f"# settings: {file}\n" in done.stdout and "silence: 3.5" in done.stdout, done
    both = segued("--set", "turns.silence=4.5", "check", cwd=tmp_path, environment=environment)
    assert "silence: 4.5" in both.stdout, both


def test_a_checkout_has_settings_of_its_own() -> None:
    assert "# settings: config.yaml\n" in segued("check").stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", ["status", "panic", "reload"])
def test_a_mistake_in_a_file_stops_nobody_who_asks(tmp_path: Path, command: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("turns: {silense: 1}\nports: {name: Nobody}\n")
    done = segued(command, "--config", str(file))
    *warned, line = done.stderr.splitlines()
    assert done.returncode == 69 and "Nobody" in line, done
    assert [f"{file}:1" in w and "silense" in w for w in warned] == [True] * (command != "reload")
    wrong = segued(command, "--config", str(file), "--set", "ports.thru=maybe")
    assert wrong.returncode == 78, wrong


NO_HOME = """
import pwd, sys
def unknown(user):
    raise KeyError(user)
pwd.getpwuid = unknown
from segued.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the password file is Unix's")
def test_without_a_home_folder() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "daemon")}
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "STATE_DIRECTORY"):
        environment.pop(name, None)
    for arguments, status in (
        (["check"], 0),
        (["status"], 69),
        (["check", "--set", "control.learned=~/x.yaml"], 78),
        (["install-service", "--root", "/nowhere", "--segued", "/bin/true"], 73),
    ):
        done = subprocess.run(
            [sys.executable, "-c", NO_HOME, *arguments],
            capture_output=True, text=True, timeout=60, cwd="/", env=environment,
        )  # fmt: skip
        assert done.returncode == status and done.stderr.count("\n") <= 1, done


@pytest.mark.slow
def test_wrong_models(tmp_path: Path) -> None:
    shipped = (ROOT / "daemon" / "segued" / "models" / "segue-int8.onnx").read_bytes()
    for name, data in (("cut", shipped[: len(shipped) // 2]), ("noise", os.urandom(5000))):
        (tmp_path / name).write_bytes(data)
        line = refused(65, "check", "--set", f"model.path={tmp_path / name}")
        assert str(tmp_path / name) in line
    assert "no such model file" in refused(65, "run", "--set", "model.path=/nowhere.onnx")
    assert "no model 'nowhere' of yours" in refused(65, "run", "--set", "model.path=nowhere")
    preset = "control.presets=[{name: plain, model: shipped}, {name: folk, model: nowhere}]"
    line = refused(65, "check", "--set", preset)
    assert "control.presets: no model 'nowhere' of yours; there are: shipped" in line


@pytest.mark.slow
def test_wrong_midi_files(tmp_path: Path) -> None:
    target = str(tmp_path / "out.mid")
    assert "no such MIDI file" in refused(65, "render", str(tmp_path / "none.mid"), target)
    (tmp_path / "noise.mid").write_bytes(b"MThd" + os.urandom(64))
    assert "noise.mid" in refused(65, "render", str(tmp_path / "noise.mid"), target)
    ode = str(PHRASES / "beethoven-ode.mid")
    assert "not a recording by segued" in refused(65, "render", "--replay", ode, target)
    assert not Path(target).exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ALSA is Linux's")
def test_wrong_ports() -> None:
    line = refused(69, "run", "--set", "ports.input=no such keyboard")
    assert "no MIDI input matches 'no such keyboard'" in line
    assert "set ports.tcp_host to" in refused(
        69, "run", "--set", "ports.backend=tcp", "--set", "ports.tcp_host=203.0.113.1"
    )


def test_panic_without_anyone_to_silence() -> None:
    line = refused(69, "panic", "--set", "ports.tcp_port=1", "--set", "ports.name=Nobody")
    assert "nothing to silence" in line


@pytest.mark.slow
def test_panic_finds_the_daemon_by_its_name_and_writes_to_nobody_else(tmp_path: Path) -> None:
    where = {"RUNTIME_DIRECTORY": str(tmp_path)}
    with (
        socket.create_server(("127.0.0.1", 0)) as somebody,
        LiveSession(["ports.backend=tcp", "ports.tcp_port=0"], "X1", runtime=tmp_path),
    ):
        port = f"ports.tcp_port={somebody.getsockname()[1]}"
        found = segued("panic", "--set", "ports.name=X1", "--set", port, environment=where)
        assert (found.returncode, found.stdout) == (0, "the daemon silenced its output\n"), found
        part = segued("panic", "--set", "ports.name=X", "--set", port, environment=where)
        assert part.returncode == 69 and "nothing to silence" in part.stderr, part
        somebody.setblocking(False)
        with pytest.raises(BlockingIOError):
            somebody.accept()


def test_a_console_that_lacks_a_character_shows_it_otherwise() -> None:
    name = ("--set", "ports.name=Секунда")
    done = segued("check", *name, environment={"PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0, done
    assert "name: " + "Секунда".encode("ascii", "backslashreplace").decode() in done.stdout


def test_a_broken_byte_in_a_file_is_one_line_and_the_rest_is_rendered(tmp_path: Path) -> None:
    write_messages(tmp_path / "in.mid", [("a", [(0.0, b"\x90\x3c\x50"), (0.3, b"\x80\x3c\x40")])])
    (tmp_path / "in.mid").write_bytes((tmp_path / "in.mid").read_bytes()[:-4])
    target = tmp_path / ("x" * 247 + ".mid")
    done = segued("render", str(tmp_path / "in.mid"), str(target), "--seed", "1")
    assert done.returncode == 0 and target.exists(), done
    assert done.stderr == (
        f"segued: {tmp_path / 'in.mid'}: read as far as it makes sense: track 2: cut short\n"
    )


def test_check_shows_the_settings_and_the_model() -> None:
    done = segued("check")
    assert done.returncode == 0 and not done.stderr
    assert "temperature:" in done.stdout and "performance-388" in done.stdout


@pytest.mark.slow
def test_render_writes_both_parts_and_repeats_itself(tmp_path: Path) -> None:
    source = PHRASES / "petzold-minuet.mid"
    results = []
    for name in ("a.mid", "b.mid"):
        done = segued("render", str(source), str(tmp_path / name), "--seed", "5")
        assert done.returncode == 0, done
        results.append((tmp_path / name).read_bytes())
    assert results[0] == results[1]
    other = segued("render", str(source), str(tmp_path / "c.mid"), "--seed", "6")
    assert other.returncode == 0 and (tmp_path / "c.mid").read_bytes() != results[0]
    tracks = dict(read_tracks(tmp_path / "a.mid"))
    assert [m for _, m in tracks["Performer"]] == [
        m for _, messages in read_tracks(source) for _, m in messages
    ]
    assert sum(m[0] & 0xF0 == 0x90 for _, m in tracks["Segue"]) > 5


@pytest.mark.slow
def test_a_folder_that_cannot_hold_recordings_is_one_line() -> None:
    line = refused(78, "run", "--set", "ports.backend=tcp", "--set", "ports.tcp_port=0",
                   "--set", "record.folder=/dev/null")  # fmt: skip
    assert "record.folder: cannot write to /dev/null" in line


@pytest.mark.slow
def test_render_stops_after_so_many_seconds(tmp_path: Path) -> None:
    target = tmp_path / "a.mid"
    done = segued(
        "render", str(PHRASES / "own-ballad.mid"), str(target), "--seconds", "14",
        "--set", "turns.reply_length=endless",
    )  # fmt: skip
    assert done.returncode == 0, done
    assert max(time for _, rows in read_tracks(target) for time, _ in rows) <= 14.01


def test_render_of_a_file_without_notes_is_an_empty_reply(tmp_path: Path) -> None:
    write_messages(tmp_path / "in.mid", [("none", [])])
    done = segued("render", str(tmp_path / "in.mid"), str(tmp_path / "out.mid"))
    assert done.returncode == 0 and "0 notes" in done.stdout


@pytest.mark.live
def test_demo_plays_draws_and_writes(tmp_path: Path) -> None:
    messages = [(0.0, b"\x90\x3c\x50"), (0.2, b"\x80\x3c\x40"), (0.2, b"\x90\x40\x50")]
    messages.append((0.5, b"\x80\x40\x40"))
    write_messages(tmp_path / "phrase.mid", [("phrase", messages)])
    done = segued(
        "demo", "--phrase", str(tmp_path / "phrase.mid"), "--out", str(tmp_path / "out"),
        "--set", "ports.backend=tcp", "--set", "ports.tcp_port=0", "--set", "turns.silence=0.2",
        "--set", "turns.reply_length=1", "--set", "sampling.seed=3",
    )  # fmt: skip
    assert done.returncode == 0, done
    assert "thru: median" in done.stdout and "reply:" in done.stdout and "▉" in done.stdout
    tracks = dict(read_tracks(tmp_path / "out" / "demo.mid"))
    assert any(m[0] & 0xF0 == 0x90 for _, m in tracks["Segue"])
    if shutil.which("fluidsynth") and Path("/usr/share/sounds/sf2").is_dir():
        assert (tmp_path / "out" / "demo.wav").stat().st_size > 10_000
