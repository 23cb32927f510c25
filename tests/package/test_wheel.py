"""The wheel and the sdist as others get them: built, installed beside python-daemon, used."""

import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from segued.midi.files import read_tracks, write_messages

ROOT = Path(__file__).parents[2]
NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".*_cache", ".venv", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist", "out",
    "prepared", "runs",
)  # fmt: skip
PATIENCE = 300  # seconds: pip may have to fetch 60 MB
PHRASE = [(0.0, b"\x90\x3c\x50"), (0.2, b"\x80\x3c\x40"), (0.2, b"\x90\x40\x50"),
          (0.5, b"\x80\x40\x40")]  # fmt: skip

pytestmark = [pytest.mark.package, pytest.mark.slow]


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command with nothing of this checkout in its environment."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYT", "XDG"))}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env={**kept, **environment},
        timeout=PATIENCE,
    )  # fmt: skip


def must(*command: str | Path, cwd: Path, **environment: str) -> str:
    """What a command prints that has to succeed."""
    done = run(*command, cwd=cwd, **environment)
    assert done.returncode == 0, done
    return done.stdout


def environment(folder: Path, *packages: str | Path) -> Path:
    """The `bin` of a fresh virtual environment. This one's pip fills it, which saves seconds."""
    must(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    must(
        sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet",
        "--no-compile", *packages, cwd=folder.parent,
    )  # fmt: skip
    return folder / "bin"


@dataclass
class Built:
    """`wheel` is made of the sdist, `direct` of the checkout."""

    sdist: Path
    wheel: Path
    direct: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    work = tmp_path_factory.mktemp("build")
    source = work / "source"
    shutil.copytree(ROOT, source, ignore=NOT_SOURCE)
    builder = environment(work / "builder", "build", "setuptools>=77")
    build = (builder / "python", "-m", "build", "--no-isolation")
    must(*build, "--outdir", work / "dist", source, cwd=work)
    must(*build, "--wheel", "--outdir", work / "direct", source, cwd=work)
    sdist, wheel, direct = (
        next((work / folder).glob(pattern))
        for folder, pattern in (("dist", "*.tar.gz"), ("dist", "*.whl"), ("direct", "*.whl"))
    )
    return Built(sdist, wheel, direct)


@dataclass
class User:
    """Somebody who has installed the wheel and stands in an empty folder."""

    bin: Path
    home: Path
    empty: Path

    def __call__(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(self.bin / command, *arguments, cwd=self.empty, **self.environment)

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), "RUNTIME_DIRECTORY": str(self.home / "runtime")}


@pytest.fixture(scope="module")
def user(built: Built, tmp_path_factory: pytest.TempPathFactory) -> User:
    work = tmp_path_factory.mktemp("user")
    for folder in ("home", "empty"):
        (work / folder).mkdir()
    installed = environment(work / "venv", built.wheel, "python-daemon")
    return User(installed, work / "home", work / "empty")


def test_the_sdist_makes_the_same_wheel(built: Built) -> None:
    contents = []
    for wheel in (built.wheel, built.direct):
        with zipfile.ZipFile(wheel) as archive:
            # setuptools writes names of modules in any order, and RECORD has that file's hash
            contents.append(
                {
                    name: archive.read(name)
                    for name in archive.namelist()
                    if not name.endswith(("/top_level.txt", "/RECORD"))
                }
            )
    assert contents[0] == contents[1]
    top = {name.partition("/")[0] for name in contents[0]}
    assert top == {"segued", "segue_export", f"{built.wheel.name.split('-py3')[0]}.dist-info"}


def test_the_sdist_is_all_that_is_committed_and_can_be_tested(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = next(tmp_path.iterdir())
    if (ROOT / ".git").exists():
        committed = must("git", "ls-files", cwd=ROOT).splitlines()
        missing = [n for n in committed if not (unpacked / n).exists() and (ROOT / n).exists()]
        assert missing == [".gitignore"]
    roots = os.pathsep.join(str(unpacked / root) for root in ("daemon", "export"))
    files = ("tests/tokens/test_note_seq_golden.py", "tests/settings/test_config.py")
    only = ("-q", "-k", "golden or shipped")
    must(sys.executable, "-m", "pytest", *only, *files, cwd=unpacked, PYTHONPATH=roots)


def test_an_index_shows_no_picture_that_it_cannot_have(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith("METADATA"))
        about = archive.read(name).decode()
    assert "\n# Segue\n" in about and "![" not in about
    links = [part.partition(")")[0] for part in about.split("](")[1:]]
    assert all(link.startswith("https://") for link in links), links


def test_check_and_render(user: User) -> None:
    done = user("segued", "check")
    assert done.returncode == 0 and "# settings: built-in defaults" in done.stdout, done
    write_messages(user.empty / "in.mid", [("phrase", PHRASE)])
    done = user("segued", "render", "in.mid", "out.mid", "--seed", "1")
    assert done.returncode == 0 and "notes in reply" in done.stdout, done
    assert dict(read_tracks(user.empty / "out.mid"))["Segue"]


@pytest.fixture
def port_taken() -> Iterator[None]:
    """Somebody on the port that a daemon takes by default."""
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind(("127.0.0.1", 9080))
            line.listen()
        except OSError:  # by somebody else: as good
            pass
        yield


def test_demo_beside_a_daemon(user: User, port_taken: None) -> None:
    write_messages(user.empty / "phrase.mid", [("phrase", PHRASE)])
    done = user(
        "segued", "demo", "--phrase", "phrase.mid", "--set", "ports.backend=tcp",
        "--set", "turns.silence=0.2", "--set", "turns.reply_length=1",
    )  # fmt: skip
    assert done.returncode == 0 and "reply:" in done.stdout, done


def test_a_running_daemon_is_found_and_silenced_by_its_name(user: User) -> None:
    ours = ("--set", "ports.name=X1")
    settings = (*ours, "--set", "ports.backend=tcp", "--set", "ports.tcp_port=0")
    daemon = subprocess.Popen(
        [user.bin / "segued", "run", *settings], cwd=user.empty, text=True,
        stderr=subprocess.PIPE, env={**os.environ, **user.environment},
    )  # fmt: skip
    try:
        assert daemon.stderr is not None
        assert any("ready on" in line for line in daemon.stderr)
        end = time.monotonic() + 20
        while user("segued", "status", *ours).returncode and time.monotonic() < end:
            time.sleep(0.1)
        done = user("segued", "panic", *ours)
        assert (done.returncode, done.stdout) == (0, "the daemon silenced its output\n"), done
    finally:
        daemon.terminate()
        daemon.communicate(timeout=20)


def test_the_training_side_says_what_it_lacks(user: User) -> None:
    assert user("segue-export", "--help").returncode == 0
    done = user("segue-export", "train", "--data", str(user.empty), "--out", "run")
    assert done.returncode == 69 and done.stderr.count("\n") == 1, done
    assert 'pip install "segued[train]"' in done.stderr


def test_the_service_is_installed_and_documented(user: User, tmp_path: Path) -> None:
    done = user("segued", "install-service", "--root", str(tmp_path), "--instance", "bass")
    assert done.returncode == 0, done
    base = tmp_path / str(user.home).lstrip("/") / ".config"
    unit = (base / "systemd/user/segued.service").read_text()
    values = dict(line.split("=", 1) for line in unit.splitlines() if line[:1].isalpha())
    assert values["ExecStart"].startswith(str(user.bin / "segued"))
    assert Path(values["Documentation"].removeprefix("file:")).exists()
    assert (base / "segue/config.yaml").read_bytes() == (ROOT / "config.yaml").read_bytes()
    done = user("segued", "uninstall-service", "--root", str(tmp_path))
    assert done.stdout.count("removed") == 2, done


def test_another_package_named_daemon_is_no_trouble(user: User) -> None:
    must(user.bin / "python", "-c", "import daemon, segued; daemon.DaemonContext", cwd=user.empty)
