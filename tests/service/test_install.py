"""`segued install-service`: what it writes, and what systemd thinks of it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from segued.cli import main

ROOT = Path(__file__).parents[2]
MOST_EXPOSED = 2.0  # of systemd-analyze's scale to 10

PYTHON = Path("/usr/bin/python3")  # one that every user may start
if not PYTHON.exists():
    PYTHON = Path(sys.executable)

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)


@pytest.fixture
def segued(tmp_path: Path) -> Path:
    """An installed command, in a folder that is no easy one, open to all."""
    folder = tmp_path / "a 100% odd; $place"
    folder.mkdir()
    path = folder / "segued"
    path.write_text(f"#!{PYTHON}\n")
    path.chmod(0o755)
    return path


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT / "daemon")}
    environment.pop("XDG_CONFIG_HOME", None)
    uninstall = "--uninstall" in arguments
    command = [sys.executable, "-W", "error", "-m", "segued"]
    command += ["uninstall-service" if uninstall else "install-service"]
    command += ["--root", str(tmp_path / "root"), *(a for a in arguments if a != "--uninstall")]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)


def units(tmp_path: Path, system: bool) -> Path:
    if system:
        return tmp_path / "root/etc/systemd/system"
    home = tmp_path / "home"
    return tmp_path / "root" / str(home).lstrip("/") / ".config/systemd/user"


def opened(path: Path) -> bool:
    """Whether others may pass all folders on the way, as the system's service must."""
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def install(tmp_path: Path, segued: Path, system: bool, *more: str) -> str:
    if system and not all(map(opened, (ROOT / "daemon/segued", PYTHON.resolve()))):
        pytest.skip("this checkout or this Python is closed to other users")
    for part in (segued.parent, *segued.parent.parents):
        if part == Path(tempfile.gettempdir()):
            break
        part.chmod(0o755)
    done = run(tmp_path, "--segued", str(segued), *(["--system"] if system else []), *more)
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("system", [False, True])
def test_units_are_complete_and_a_configuration_is_never_touched(
    tmp_path: Path, segued: Path, system: bool
) -> None:
    said = install(tmp_path, segued, system, "--instance", "bass")
    assert said.count("wrote") == 4 and "enable --now segued@bass" in said
    folder = units(tmp_path, system)
    for name in ("segued.service", "segued@.service"):
        text = (folder / name).read_text()
        assert not [word for word in ("SEGUED", "CONFIG", "STATE", "OF") if f"@{word}@" in text]
    config = folder.parents[1] / "segue"
    assert (config / "bass.yaml").read_text().endswith("ports:\n  name: bass\n")
    (config / "bass.yaml").write_text("mine")
    again = install(tmp_path, segued, system, "--instance", "bass")
    assert again.count("kept") == 2 and (config / "bass.yaml").read_text() == "mine"
    gone = run(tmp_path, "--uninstall", *(["--system"] if system else []))
    assert gone.returncode == 0 and gone.stdout.count("removed") == 2
    assert list(folder.iterdir()) == [] and (config / "config.yaml").exists()


@pytest.mark.slow
@pytest.mark.parametrize("system", [False, True])
def test_nightly_learning_is_installed_only_if_asked_for(
    tmp_path: Path, segued: Path, system: bool
) -> None:
    folder = units(tmp_path, system)
    assert "segued-learn" not in install(tmp_path, segued, system)
    said = install(tmp_path, segued, system, "--learn")
    assert "enable --now segued-learn.timer" in said and "download" in said
    text = (folder / "segued-learn.service").read_text()
    assert " learn --config %E/segue/config.yaml --idle --unless-playing " in text
    assert ("--yes" in text) is ("DynamicUser=yes" in text) is system
    assert not re.search("@[A-Z_]+@", text)
    daemon = (folder / "segued.service").read_text()
    assert ("XDG_DATA_HOME=%S/segue" in daemon) is ("XDG_DATA_HOME=%S/segue" in text) is system
    gone = run(tmp_path, "--uninstall", *(["--system"] if system else []))
    assert gone.stdout.count("removed") == 4 and list(folder.iterdir()) == []


@pytest.mark.slow
def test_the_network_is_let_in_only_if_asked_for(tmp_path: Path, segued: Path) -> None:
    root = tmp_path / "root"
    assert "avahi" not in install(tmp_path, segued, True)
    (root / "etc/segue/config.yaml").write_text("page: {port: 8000}\n")
    said = install(tmp_path, segued, True, "--network")
    assert ".local:8000/" in said and "set page.host: 0.0.0.0" in said
    service = ElementTree.fromstring((root / "etc/avahi/services/segue.service").read_text())
    assert service.findtext("service/type") == "_http._tcp"
    assert service.findtext("service/port") == "8000"
    drop_in = units(tmp_path, True) / "segued.service.d/network.conf"
    assert "IPAddressAllow=localhost" in drop_in.read_text()
    (root / "etc/segue/config.yaml").write_text("page: {port: 8000, host: 0.0.0.0}\n")
    assert "set page.host" not in install(tmp_path, segued, True, "--network")
    for wrong in ("page: {port: null}", "page: {prt: 1}"):
        (root / "etc/segue/config.yaml").write_text(wrong)
        refused = run(tmp_path, "--segued", str(segued), "--system", "--network")
        assert refused.returncode != 0 and len(refused.stderr.splitlines()) == 1
    mine = run(tmp_path, "--segued", str(segued), "--network")
    assert mine.returncode == 64 and "--system" in mine.stderr
    gone = run(tmp_path, "--uninstall", "--system")
    assert gone.stdout.count("removed") == 4 and not drop_in.parent.exists()


@pytest.mark.slow
@needs_systemd
@pytest.mark.parametrize("system", [False, True])
@pytest.mark.parametrize(
    "name", ["segued.service", "segued@.service", "segued-learn.service", "segued-learn.timer"]
)
def test_systemd_finds_nothing_to_say_about_them(
    tmp_path: Path, segued: Path, system: bool, name: str
) -> None:
    install(tmp_path, segued, system, "--learn")
    unit = units(tmp_path, system) / name
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    if "@" in name:
        unit = unit.rename(unit.with_name("segued@bass.service"))
    command = ["systemd-analyze", "--system" if system else "--user", "verify", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_the_systems_service_is_well_enclosed(tmp_path: Path, segued: Path) -> None:
    install(tmp_path, segued, True)
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={10 * MOST_EXPOSED:.0f}",
         str(units(tmp_path, True) / "segued.service")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-200:]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--segued", "/nowhere/segued"), "no command /nowhere/segued: install Segue"),
        (("--instance", "a/b"), "letters, digits"),
        (("--set", "turns.silence=1"), "unrecognized arguments: --set"),
    ],
)
def test_what_cannot_be_installed_is_refused_in_one_line(
    tmp_path: Path, segued: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = run(tmp_path, "--segued", str(segued), *arguments)
    assert done.returncode == 64 and done.stderr.count("\n") == 1 and says in done.stderr
    assert not (tmp_path / "root").exists()


def test_the_documentation_that_a_unit_names_is_there(tmp_path: Path, segued: Path) -> None:
    install(tmp_path, segued, False)
    text = (units(tmp_path, False) / "segued.service").read_text()
    named = next(line for line in text.splitlines() if line.startswith("Documentation="))
    path = unquote(named.removeprefix("Documentation=file:").replace("%%", "%"))
    assert Path(path).read_text().startswith("# Segue as a service")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, segued: Path) -> None:
    (tmp_path / "root").write_text("no folder")
    done = run(tmp_path, "--segued", str(segued))
    assert done.returncode == 73 and done.stderr.count("\n") == 1, done
    assert f"{tmp_path / 'root'}" in done.stderr


def test_settings_before_the_command_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--set", "turns.silence=1", "uninstall-service", "--root", "/nowhere"]) == 64
    assert "does not accept --config or --set" in capsys.readouterr().err


def test_a_path_that_systemd_would_not_start_is_refused(tmp_path: Path, segued: Path) -> None:
    quoted = segued.with_name("it's segued")
    segued.rename(quoted)
    done = run(tmp_path, "--segued", str(quoted))
    assert done.returncode == 73 and "quotes or backslashes" in done.stderr


def test_the_systems_service_must_be_able_to_reach_it(tmp_path: Path, segued: Path) -> None:
    segued.parent.chmod(0o700)
    done = run(tmp_path, "--segued", str(segued), "--system")
    assert done.returncode == 73 and "is closed to other users" in done.stderr
    assert "/opt/segue" in done.stderr


def test_make_knows_the_targets() -> None:
    if shutil.which("make") is None:
        pytest.skip("needs make")
    done = subprocess.run(
        ["make", "-n", "install-service", "SYSTEM=1", "INSTANCE=bass", "SEGUED=/x/segued"],
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")},
    )  # fmt: skip
    assert done.stdout == "/x/segued install-service --system --instance bass\n"
