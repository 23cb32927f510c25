"""`segued install-service` and `uninstall-service`: install or remove Segue's systemd units.

A user's units go to ~/.config/systemd/user and read ~/.config/segue/config.yaml. The system's go to
/etc/systemd/system and read /etc/segue/config.yaml. segued@NAME reads NAME.yaml in the same folder.
Existing settings are never changed. systemd need not be running.
"""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from ..errors import InstallError, UsageError
from ..ports.options import LOOPBACK
from ..settings.yaml_file import load_known
from ..system.paths import xdg
from ..system.resources import resource

UNITS = {
    "segued.service": {"@CONFIG@": "%E/segue/config.yaml", "@OF@": "", "@STATE@": "segue"},
    "segued@.service": {"@CONFIG@": "%E/segue/%i.yaml", "@OF@": " (%i)", "@STATE@": "segue-%i"},
}
"""Unit file -> the values of its placeholders."""
LEARNING = {"segued-learn.service": "learn.service.in", "segued-learn.timer": "learn.timer.in"}
"""Unit file of nightly learning -> its template."""
DROP_IN = Path("segued.service.d/network.conf")  # below the units
AVAHI = Path("etc/avahi/services/segue.service")  # below the root
OWNER = """# The same user and folder as the daemon's, whose state file and takes it reads.
DynamicUser=yes
User=segue
StateDirectory=segue
StateDirectoryMode=0700
WorkingDirectory=%S/segue
Environment=HOME=%S/segue XDG_DATA_HOME=%S/segue
ProtectSystem=strict
ProtectHome=@PROTECT_HOME@
PrivateTmp=yes"""
"""What the machine's learning has besides."""
HOMES = ("/home", "/root", "/run/user")
COMMAND_TIMEOUT = 60  # seconds


def install(
    root: Path,
    system: bool,
    segued: Path | None,
    instance: str | None,
    learn: bool = False,
    network: bool = False,
) -> int:
    """Write the units and, if there is none yet, the settings file below `root`.

    The units start the command `segued`, by default this one. `learn` adds those of nightly
    learning, `network` what the local network needs to reach the page. Raises UsageError,
    InstallError.
    """
    if network and not system:
        raise UsageError(
            "--network is for the machine's service (--system): a service of your own needs only "
            "page.host: 0.0.0.0"
        )
    if instance is not None and not all(c.isalnum() or c in "_-." for c in instance):
        raise UsageError(
            f"an instance's name may have letters, digits, '_', '-' and '.', not {instance!r}"
        )

    def work() -> None:
        _install(root, system, _command(segued), instance, learn)
        if network:
            _open_to_network(root)

    return _reporting_errors(work, system)


def uninstall(root: Path, system: bool) -> int:
    """Stop the service and remove its units. The settings stay. Raises InstallError."""
    return _reporting_errors(lambda: _uninstall(root, system), system)


def _reporting_errors(work: Callable[[], None], system: bool) -> int:
    if sys.platform != "linux":
        raise InstallError(
            "services need systemd, so Linux: let this system's own service manager start "
            "'segued run'"
        )
    try:
        work()
    except OSError as error:
        hint = "; use sudo" if isinstance(error, PermissionError) and system else ""
        raise InstallError(f"{error.filename}: {error.strerror}{hint}") from None
    return 0


def _command(given: Path | None) -> Path:
    """The absolute path of the command that the units start; UsageError when it does not exist."""
    path = given
    if path is None:
        called = Path(sys.argv[0])
        path = called if called.name == "segued" else Path(sysconfig.get_path("scripts"), "segued")
    path = Path(os.path.abspath(path))
    if not os.access(path, os.X_OK):
        raise UsageError(f"no command {path}: install Segue, or give its path with --segued PATH")
    return path


def _install(root: Path, system: bool, segued: Path, instance: str | None, learn: bool) -> None:
    needed = [segued, *_interpreter_and_package(segued)]
    # the service may not be allowed to write .pyc files, and would compile at each start
    subprocess.run([needed[1], "-m", "compileall", "-qq", needed[-1]], timeout=COMMAND_TIMEOUT)
    if system:
        for path in needed:
            _must_be_readable(path)
    at_home = any(str(path.resolve()).startswith(HOMES) for path in needed)
    kind = "system.service.in" if system else "user.service.in"
    units, settings = _folders(root, system)
    common = {
        "@OWNER@": OWNER if system else "",
        "@YES@": " --yes" if system else "",
        "@SEGUED@": _escaped(str(segued)),
        "@DOCS@": quote(str(resource("docs"))).replace("%", "%%"),
        "@PROTECT_HOME@": "read-only" if at_home else "yes",
    }
    templates = {name: (kind, values) for name, values in UNITS.items()}
    if learn:
        main = UNITS["segued.service"]
        templates |= {name: (template, main) for name, template in LEARNING.items()}
    for name, (template, values) in templates.items():
        text = (resource("systemd") / template).read_text(encoding="utf-8")
        for key, value in {**values, **common}.items():
            text = text.replace(key, value)
        _write(units / name, text)
    _write_if_missing(settings / "config.yaml", resource("config.yaml").read_text(encoding="utf-8"))
    if instance is not None:
        _write_if_missing(
            settings / f"{instance}.yaml",
            f"# segued@{instance}; all options are in config.yaml\nports:\n  name: {instance}\n",
        )
    _systemctl(root, system, "daemon-reload")
    manage = "systemctl" if system else "systemctl --user"
    unit = f"segued@{instance}" if instance else "segued"
    print(f"to start it now and at every boot: {manage} enable --now {unit}")
    if learn:
        print(f"to learn from your takes every night: {manage} enable --now segued-learn.timer")
        print(
            "its first night downloads 250 MB to learn with" if system else
            "run segued learn once before: the timer downloads nothing"
        )  # fmt: skip
    if not system:
        print("to start it at boot, before you log in: loginctl enable-linger")


def _open_to_network(root: Path) -> None:
    """Let the machine's service talk to the local network, and give the page a name there."""
    units, settings = _folders(root, True)
    config, mistake = load_known(settings / "config.yaml")
    if mistake:
        raise InstallError(mistake)
    if config.page.port in (None, 0):
        raise InstallError(f"{settings / 'config.yaml'}: --network needs a page.port of its own")
    for template, path, values in (
        ("network.conf.in", units / DROP_IN, {}),
        ("avahi.service.in", root / AVAHI, {"@PORT@": str(config.page.port)}),
    ):
        text = (resource("systemd") / template).read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(key, value)
        _write(path, text)
    _systemctl(root, True, "daemon-reload")
    host = f"{socket.gethostname()}.local"
    print(f"where Avahi runs the page is http://{host}:{config.page.port}/")
    if config.page.host in LOOPBACK:
        print(f"for that, set page.host: 0.0.0.0 in {settings / 'config.yaml'}")


def _uninstall(root: Path, system: bool) -> None:
    units, settings = _folders(root, system)
    learning = [name for name in LEARNING if (units / name).exists()]
    _systemctl(root, system, "stop", "segued.service", "segued@*.service", *learning)
    _systemctl(root, system, "disable", *UNITS, *learning)
    network = [units / DROP_IN, root / AVAHI] if system else []
    for path in (*(units / name for name in (*UNITS, *learning)), *network):
        if path.exists():
            path.unlink()
            print(f"removed {path}")
    if (units / DROP_IN).parent.is_dir() and not os.listdir((units / DROP_IN).parent):
        (units / DROP_IN).parent.rmdir()
    _systemctl(root, system, "daemon-reload")
    if settings.exists():
        print(f"kept your settings in {settings}")


def _folders(root: Path, system: bool) -> tuple[Path, Path]:
    """The folders for units and for settings. InstallError when the user has no home folder."""
    if system:
        return root / "etc/systemd/system", root / "etc/segue"
    base = xdg("XDG_CONFIG_HOME", ".config")
    if base is None:
        raise InstallError("this user has no home folder: use --system")
    base = root / base.relative_to("/")
    return base / "systemd/user", base / "segue"


def _interpreter_and_package(segued: Path) -> list[Path]:
    """The Python in the command's first line, the same without links, and its package segued.

    InstallError when that Python cannot import segued.
    """
    with open(segued, "rb") as file:
        words = file.readline(4096).decode(errors="replace").split()
    python = Path(words[0].removeprefix("#!")) if words else segued
    where = "import segued; print(segued.__path__[0])"
    done = None
    if python.exists():
        done = subprocess.run(
            [python, "-c", where], capture_output=True, text=True, cwd="/", timeout=COMMAND_TIMEOUT
        )
    if done is None or done.returncode:
        raise InstallError(f"{segued}: its Python, {python}, cannot import Segue; install it again")
    return [python, python.resolve(), Path(done.stdout.strip())]


def _must_be_readable(path: Path) -> None:
    """Check that other users can reach `path`, because the system's service has its own user."""
    for part in (path, *path.parents):
        mode = part.stat().st_mode
        if not mode & 0o001 and (part.is_dir() or part == path):
            raise InstallError(
                f"the service's user cannot reach {path}: {part} is closed to other users. Install "
                "Segue in an open folder: python3 -m venv /opt/segue && /opt/segue/bin/pip "
                "install . && /opt/segue/bin/segued install-service --system"
            )


def _escaped(path: str) -> str:
    """A path as a word of ExecStart (systemd.service(5))."""
    if any(c in "\"'\\" or not c.isprintable() for c in path):
        raise InstallError(f"systemd cannot start a path with quotes or backslashes: {path}")
    path = path.replace("%", "%%")  # systemd does not expand variables in the command itself
    return f'"{path}"' if " " in path or ";" in path else path


def _write(path: Path, text: str) -> None:
    """Write a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    temporary.chmod(0o644)
    temporary.replace(path)
    print(f"wrote {path}")


def _write_if_missing(path: Path, text: str) -> None:
    if path.exists():
        print(f"kept {path}")
    else:
        _write(path, text)


def _systemctl(root: Path, system: bool, *words: str) -> None:
    """Run systemctl. Its failure is only printed: systemd may not run, or not for this user."""
    if root != Path("/") or shutil.which("systemctl") is None:
        return
    command = ["systemctl", *([] if system else ["--user"]), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT)
    if done.returncode:
        why = done.stderr.strip().splitlines() or ["no reason given"]
        print(f"{' '.join(command)}: {why[0]}")
