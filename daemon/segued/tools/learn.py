"""`segued learn`: runs `segue-export learn` in an environment that has torch.

The player does not need torch. If torch cannot be imported, a virtual environment is made below
XDG's data folder. It uses the installed Segue and its dependencies, and contains only what training
needs in addition. The size of the download is shown before.
"""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import site
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import InstallError, UsageError
from ..model.own_models import data_folder
from ..service.learning import open_folder, telling
from ..system import realtime
from ..system.resources import PACKAGE
from .forget import asked

CPU_ONLY = "https://download.pytorch.org/whl/cpu"
PATIENCE = 5.0  # seconds
SMALL = "250 MB to download, 1.2 GB on the disk"
CUDA = "up to 3 GB to download, 7 GB on the disk"
TRAINERS = ("torch", "onnx", "safetensors", "tqdm", "matplotlib")
"""What `segue-export learn` imports that no player needs."""
READY = "ready"
"""The file of an environment that is complete: what was installed, a line each."""
PATHS = "segue.pth"
VENV = ["venv"]


def learn(arguments: Sequence[str], yes: bool) -> int:
    """Run `segue-export learn` with these arguments and return its status.

    Raises SegueError when the environment cannot be made.
    """
    if "--idle" in arguments:
        realtime.idle()
    python = _python(yes, () if "--list" in arguments else TRAINERS)
    return run([str(python), "-m", "segue_export", "learn", *arguments])


def download() -> str:
    """What has to be downloaded before the first learning, and how large it is; "": nothing.

    Raises InstallError when no environment can be made.
    """
    folder = _missing(TRAINERS)
    return "" if folder is None else _size(cpu_index(), folder)


def run(command: list[str]) -> int:
    """Run a command in the place of this process, where that is possible; its status."""
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(command[0], command)  # so signals are its own to handle
    return subprocess.run(command).returncode


def _python(yes: bool, needed: Sequence[str]) -> Path:
    """A Python that can train: this one, or that of the separate environment, made if necessary."""
    folder = _missing(needed)
    if folder is not None:
        index = cpu_index()
        question = f"learning needs torch in a separate environment: {_size(index, folder)}."
        if not yes and not asked(f"{question} Go on?"):
            raise UsageError("nothing was downloaded: learning needs torch")
        print(question, flush=True)
        with telling(open_folder()) as progress:
            progress.tell("downloading what learning needs")
            make(folder, requirements(), index)
    if _is_here(needed):
        return Path(sys.executable)
    return python_of(_environment())


def _missing(needed: Sequence[str]) -> Path | None:
    """The folder in which an environment has to be made first; None: there is a Python to use."""
    folder = None if _is_here(needed) else _environment()
    return None if folder is None or _is_ready(folder, requirements()) else folder


def _is_here(needed: Sequence[str]) -> bool:
    """Whether this Python has all that learning needs."""
    return all(importlib.util.find_spec(name) is not None for name in (*needed, "segue_export"))


def _environment() -> Path:
    data = data_folder()
    if data is None:
        raise InstallError("no home folder for an environment with torch: set XDG_DATA_HOME")
    return data / "learn-environment"


def _size(index: str | None, folder: Path) -> str:
    return f"{CUDA if index is None and _brings_cuda() else SMALL}, into {folder}"


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def requirements() -> list[str]:
    """The requirements of training in addition to those of the player, for pip."""
    try:
        every = importlib.metadata.requires("segued") or []
    except importlib.metadata.PackageNotFoundError:
        raise InstallError("Segue is not installed here: pip install it, then learn") from None
    apart = (line.partition(";") for line in every)
    return sorted(name.strip() for name, _, when in apart if "train" in when)


def _is_ready(folder: Path, wanted: Sequence[str]) -> bool:
    try:
        return (folder / READY).read_text(encoding="utf-8").splitlines() == _stamp(wanted)
    except OSError:
        return False


def _stamp(wanted: Sequence[str]) -> list[str]:
    return [sys.version.split()[0], *paths(), *wanted]


def paths() -> list[str]:
    """The folders of Segue and its dependencies."""
    places = [
        *site.getsitepackages(),
        *([site.getusersitepackages()] if site.ENABLE_USER_SITE else []),
    ]
    export = importlib.util.find_spec("segue_export")
    if export is None or not export.submodule_search_locations:
        raise InstallError(
            "this Segue was installed without segue_export, which learning needs: reinstall it"
        )
    roots = [PACKAGE.parent, Path(export.submodule_search_locations[0]).parent]
    return list(dict.fromkeys([*map(str, roots), *places]))


def make(folder: Path, wanted: Sequence[str], index: str | None) -> None:
    """Make the environment, replacing any part of one. Raises InstallError with pip's last line."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _run([sys.executable, "-m", *VENV, str(folder)], "install Python's venv (python3-venv)")
    python = python_of(folder)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True)
    Path(own.stdout.strip(), PATHS).write_text("".join(f"{path}\n" for path in paths()))
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
    torch = [name for name in wanted if name.startswith("torch")]
    again = "check the network and the disk, then try again"
    if index is not None:
        _run([*pip, "--index-url", index, *torch], again)
    _run([*pip, *wanted], again)
    (folder / READY).write_text("".join(f"{line}\n" for line in _stamp(wanted)))


def _run(command: Sequence[str], remedy: str) -> None:
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
    except OSError as error:
        raise InstallError(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise InstallError(f"no environment to learn in ({lines[-1].strip()}): {remedy}")


def _brings_cuda() -> bool:
    """Whether pip's own torch is built for CUDA here."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def cpu_index() -> str | None:
    """PyTorch's index of CPU builds, if pip's default torch would download CUDA needlessly.

    None if it would not, or if that index does not answer in time.
    """
    if not _brings_cuda() or os.path.exists("/proc/driver/nvidia/version"):
        return None
    asking = threading.Thread(target=_ask, daemon=True)  # looking a name up knows no time limit
    asking.start()
    asking.join(PATIENCE)
    return CPU_ONLY if _answers else None


_answers: list[int] = []


def _ask() -> None:
    with (
        suppress(OSError),
        urllib.request.urlopen(f"{CPU_ONLY}/torch/", timeout=PATIENCE) as answer,
    ):
        _answers.append(answer.status)
