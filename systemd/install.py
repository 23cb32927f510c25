"""Puts Segue's units where systemd finds them, or takes them away: see `make install-service`.

    python3 systemd/install.py [--system] [--instance NAME] [--segued PATH] [--uninstall]

A user's units go to ~/.config/systemd/user and read ~/.config/segue/config.yaml, the system's go to
/etc/systemd/system and read /etc/segue/config.yaml; segued@NAME reads NAME.yaml there. A
configuration that is there is never touched. systemd need not run. Standard library only.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
UNITS = {
    "segued.service": {"@CONFIG@": "%E/segue/config.yaml", "@OF@": "", "@STATE@": "segue"},
    "segued@.service": {"@CONFIG@": "%E/segue/%i.yaml", "@OF@": " (%i)", "@STATE@": "segue-%i"},
}
"""File -> what is particular to it."""
HOMES = ("/home", "/root", "/run/user")
PATIENCE = 60  # seconds


class Refused(Exception):
    """One line that says what is wrong and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Install or uninstall; 0, or 1 with a line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--system", action="store_true", help="for the machine, not for you")
    parser.add_argument("--instance", metavar="NAME", help="make NAME.yaml for segued@NAME too")
    parser.add_argument("--segued", type=Path, default=PROJECT / ".venv" / "bin" / "segued",
                        metavar="PATH", help="the installed command; default: .venv's")  # fmt: skip
    parser.add_argument("--uninstall", action="store_true", help="take the units away again")
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR",
                        help="install below DIR, for packages and tests")  # fmt: skip
    options = parser.parse_args(arguments)
    try:
        if options.uninstall:
            uninstall(options.root, options.system)
        else:
            install(options.root, options.system, options.segued, options.instance)
    except Refused as error:
        print(f"install-service: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        hint = "; use sudo" if isinstance(error, PermissionError) and options.system else ""
        print(f"install-service: {error.filename}: {error.strerror}{hint}", file=sys.stderr)
        return 1
    return 0


def install(root: Path, system: bool, segued: Path, instance: str | None) -> None:
    """Write the units and, where there is none, the configuration."""
    segued = Path(os.path.abspath(segued))
    if not os.access(segued, os.X_OK):
        raise Refused(f"no command {segued}: 'make run' installs it, or give SEGUED=PATH")
    if instance is not None and not all(c.isalnum() or c in "_-." for c in instance):
        raise Refused(f"a name of letters, digits, '_', '-' and '.' please, not {instance!r}")
    needed = [segued, *_behind(segued)]
    # the service may not be allowed to keep what it has compiled, and would do so at each start
    subprocess.run([needed[1], "-m", "compileall", "-qq", needed[-1]], timeout=PATIENCE)
    if system:
        for path in needed:
            _must_be_readable(path)
    at_home = any(str(path.resolve()).startswith(HOMES) for path in needed)
    source = (HERE / ("system.service.in" if system else "user.service.in")).read_text()
    units, settings = _folders(root, system)
    for name, own in UNITS.items():
        text = source
        for key, value in {
            **own,
            "@SEGUED@": _escaped(str(segued)),
            "@DOCS@": quote(str(PROJECT / "docs")).replace("%", "%%"),
            "@PROTECT_HOME@": "read-only" if at_home else "yes",
        }.items():
            text = text.replace(key, value)
        _write(units / name, text)
    _offer(settings / "config.yaml", (PROJECT / "config.yaml").read_text())
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


def uninstall(root: Path, system: bool) -> None:
    """Stop the service and take its units away. The configuration stays."""
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
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
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
        raise Refused(f"{segued} is not installed well (its Python, {python}, does not find Segue)")
    return [python, python.resolve(), Path(done.stdout.strip())]


def _must_be_readable(path: Path) -> None:
    """The service has a user of its own: each folder on the way must let others pass."""
    for part in (path, *path.parents):
        mode = part.stat().st_mode
        if not mode & 0o001 and (part.is_dir() or part == path):
            raise Refused(
                f"the service's user cannot reach {path}: {part} is closed to others. Install "
                "Segue where it is not, such as: python3 -m venv /opt/segue && /opt/segue/bin/pip "
                "install . && make install-service SYSTEM=1 SEGUED=/opt/segue/bin/segued"
            )


def _escaped(path: str) -> str:
    """A path as a word of ExecStart."""
    if any(c in "\"'\\" or not c.isprintable() for c in path):
        raise Refused(f"systemd starts nothing with quotes or backslashes in its path: {path!r}")
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


if __name__ == "__main__":
    sys.exit(main())
