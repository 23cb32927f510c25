"""`segued install-service`: puts Segue's units where systemd finds them, or takes them away.

A user's units go to ~/.config/systemd/user and read ~/.config/segue/config.yaml, the system's go to
/etc/systemd/system and read /etc/segue/config.yaml; segued@NAME reads NAME.yaml there. A
configuration that is there is never touched. systemd need not run.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from ..errors import InstallError, UsageError
from ..system.paths import xdg
from ..system.resources import resource

UNITS = {
    "segued.service": {"@CONFIG@": "%E/segue/config.yaml", "@OF@": "", "@STATE@": "segue"},
    "segued@.service": {"@CONFIG@": "%E/segue/%i.yaml", "@OF@": " (%i)", "@STATE@": "segue-%i"},
}
"""File -> what is particular to it."""
HOMES = ("/home", "/root", "/run/user")
PATIENCE = 60  # seconds


def install(root: Path, system: bool, segued: Path | None, instance: str | None) -> int:
    """Write the units below `root` and, where there is none, the configuration.

    They start the command `segued`, by default this one. UsageError, InstallError.
    """
    if instance is not None and not all(c.isalnum() or c in "_-." for c in instance):
        raise UsageError(f"a name of letters, digits, '_', '-' and '.' please, not {instance!r}")
    return _written(lambda: _install(root, system, _command(segued), instance), system)


def uninstall(root: Path, system: bool) -> int:
    """Stop the service and take its units away. The configuration stays. InstallError."""
    return _written(lambda: _uninstall(root, system), system)


def _written(work: Callable[[], None], system: bool) -> int:
    if sys.platform != "linux":
        raise InstallError("systemd is Linux's: have this system start 'segued run' in its own way")
    try:
        work()
    except OSError as error:
        hint = "; use sudo" if isinstance(error, PermissionError) and system else ""
        raise InstallError(f"{error.filename}: {error.strerror}{hint}") from None
    return 0


def _command(given: Path | None) -> Path:
    """The command that the units start, where it is now; UsageError when it is not there."""
    path = given
    if path is None:
        called = Path(sys.argv[0])
        path = called if called.name == "segued" else Path(sysconfig.get_path("scripts"), "segued")
    path = Path(os.path.abspath(path))
    if not os.access(path, os.X_OK):
        raise UsageError(f"no command {path}: install Segue, or name it with --segued PATH")
    return path


def _install(root: Path, system: bool, segued: Path, instance: str | None) -> None:
    needed = [segued, *_behind(segued)]
    # the service may not be allowed to keep what it has compiled, and would do so at each start
    subprocess.run([needed[1], "-m", "compileall", "-qq", needed[-1]], timeout=PATIENCE)
    if system:
        for path in needed:
            _must_be_readable(path)
    at_home = any(str(path.resolve()).startswith(HOMES) for path in needed)
    kind = "system.service.in" if system else "user.service.in"
    source = (resource("systemd") / kind).read_text(encoding="utf-8")
    units, settings = _folders(root, system)
    for name, own in UNITS.items():
        text = source
        for key, value in {
            **own,
            "@SEGUED@": _escaped(str(segued)),
            "@DOCS@": quote(str(resource("docs"))).replace("%", "%%"),
            "@PROTECT_HOME@": "read-only" if at_home else "yes",
        }.items():
            text = text.replace(key, value)
        _write(units / name, text)
    _offer(settings / "config.yaml", resource("config.yaml").read_text(encoding="utf-8"))
    if instance is not None:
        _offer(
            settings / f"{instance}.yaml",
            f"# segued@{instance}; all options are in config.yaml\nports:\n  name: {instance}\n",
        )
    _systemctl(root, system, "daemon-reload")
    manage = "systemctl" if system else "systemctl --user"
    unit = f"segued@{instance}" if instance else "segued"
    print(f"now: {manage} enable --now {unit}")
    if not system:
        print("to play before you log in: loginctl enable-linger")


def _uninstall(root: Path, system: bool) -> None:
    units, settings = _folders(root, system)
    _systemctl(root, system, "stop", "segued.service", "segued@*.service")
    _systemctl(root, system, "disable", *UNITS)
    for name in UNITS:
        if (units / name).exists():
            (units / name).unlink()
            print(f"removed {units / name}")
    _systemctl(root, system, "daemon-reload")
    if settings.exists():
        print(f"left {settings}, which is yours")


def _folders(root: Path, system: bool) -> tuple[Path, Path]:
    """Where units and configurations go."""
    if system:
        return root / "etc/systemd/system", root / "etc/segue"
    base = xdg("XDG_CONFIG_HOME", ".config")
    if base is None:
        raise InstallError("this user has no home folder to install into: use --system")
    base = root / base.relative_to("/")
    return base / "systemd/user", base / "segue"


def _behind(segued: Path) -> list[Path]:
    """What the command needs: the Python that its first line names, where that finds Segue."""
    with open(segued, "rb") as file:
        words = file.readline(4096).decode(errors="replace").split()
    python = Path(words[0].removeprefix("#!")) if words else segued
    where = "import segued; print(segued.__path__[0])"
    done = None
    if python.exists():
        done = subprocess.run(
            [python, "-c", where], capture_output=True, text=True, cwd="/", timeout=PATIENCE
        )
    if done is None or done.returncode:
        raise InstallError(f"{segued} is not installed well (its Python, {python}, finds no Segue)")
    return [python, python.resolve(), Path(done.stdout.strip())]


def _must_be_readable(path: Path) -> None:
    """The service has a user of its own: each folder on the way must let others pass."""
    for part in (path, *path.parents):
        mode = part.stat().st_mode
        if not mode & 0o001 and (part.is_dir() or part == path):
            raise InstallError(
                f"the service's user cannot reach {path}: {part} is closed to others. Install "
                "Segue where it is not, such as: python3 -m venv /opt/segue && /opt/segue/bin/pip "
                "install . && /opt/segue/bin/segued install-service --system"
            )


def _escaped(path: str) -> str:
    """A path as a word of ExecStart."""
    if any(c in "\"'\\" or not c.isprintable() for c in path):
        raise InstallError(f"systemd starts nothing with quotes or backslashes in its path: {path}")
    path = path.replace("%", "%%")  # variables are not looked for in a command
    return f'"{path}"' if " " in path or ";" in path else path


def _write(path: Path, text: str) -> None:
    """All of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    temporary.chmod(0o644)
    temporary.replace(path)
    print(f"wrote {path}")


def _offer(path: Path, text: str) -> None:
    """A configuration to begin with."""
    if path.exists():
        print(f"kept {path}")
    else:
        _write(path, text)


def _systemctl(root: Path, system: bool, *words: str) -> None:
    """Tell a running systemd; where none runs, or not for this user, that is no failure."""
    if root != Path("/") or shutil.which("systemctl") is None:
        return
    command = ["systemctl", *([] if system else ["--user"]), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        why = done.stderr.strip().splitlines() or ["no reason given"]
        print(f"{' '.join(command)}: {why[0]}")
