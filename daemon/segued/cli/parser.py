"""The options of `segued` and of its commands."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import segued.cli.commands as do

from .. import __version__
from ..errors import UsageError
from .commands import LEARN_FLAGS

ACTIONS = ("list", "use", "rename", "add", "delete", "forget")  # of `models`

Command = Callable[[argparse.Namespace], int]
Add = Callable[..., argparse.ArgumentParser]
"""Adds a command by its name, function and help; and whether it accepts --config and --set."""


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are one line with exit status EX_USAGE (sysexits.h)."""

    def error(self, message: str) -> NoReturn:
        self.exit(UsageError.status, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser_of_segued() -> argparse.ArgumentParser:
    """The parser of the whole command line. `run` of its result is the command's function."""
    parser = _Parser(
        prog="segued",
        description="A real-time MIDI daemon that plays music with you. Without COMMAND it runs.",
    )
    parser.add_argument("--version", action="version", version=f"segued {__version__}")
    _common(parser)
    parser.set_defaults(run=do.run, takes_settings=True)
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=_Parser)

    def add(name: str, run: Command, help: str, settings: bool = True) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help, description=help)
        if settings:
            _common(made)
        made.set_defaults(run=run, takes_settings=settings)
        return made

    for some in (_playing, _files, _running, _learning, _looking, _services):
        some(add)
    return parser


def _playing(add: Add) -> None:
    """Add the commands that play, and that set what is played with."""
    add("run", do.run, "run the daemon (the default)")
    add("check", do.check, "check the settings and the model, and print them")
    ports = add("ports", do.ports, "list the MIDI ports that can be connected", settings=False)
    ports.add_argument("--json", action="store_true", help="[[backend, direction, name], ...]")
    connect = add("connect", do.connect, "set the MIDI ports in the settings file and reload")
    for name in ("input", "output"):
        connect.add_argument(
            f"--{name}", metavar="NAME", help="virtual, or a part of the port's name"
        )
    preset = add("save-preset", do.save_preset, "save all knobs as a preset")
    preset.add_argument("name", metavar="NAME")
    preset.add_argument("--replace", action="store_true", help="also if there is one of that name")


def _files(add: Add) -> None:
    """Add the commands that need no MIDI ports, or only their own."""
    render = add("render", do.render, "play a MIDI file to Segue and write both parts to a file")
    render.add_argument("source", type=Path, metavar="IN.mid")
    render.add_argument("target", type=Path, metavar="OUT.mid")
    render.add_argument("--seed", type=_seed, help="random seed; the same seed gives the same file")
    render.add_argument(
        "--replay", action="store_true",
        help="IN.mid is a recording (record.folder): play it again exactly as it was; exit status "
        "65 if the model's part differs",
    )  # fmt: skip
    render.add_argument("--seconds", type=_seconds, help="total length; default: to the end")
    demo = add("demo", do.demo, "play a complete performance in real time through real ports")
    demo.add_argument("--phrase", type=Path, metavar="FILE.mid", help="play this phrase instead")
    demo.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="default: out")
    bench = add(
        "bench", do.bench, "measure latency, jitter and memory, and what the machine can do at best"
    )
    bench.add_argument("--json", action="store_true", help="one JSON object on stdout")
    bench.add_argument(
        "--steps", nargs="*", type=Path, metavar="FILE",
        help="measure only model steps: the shipped precisions (and these model files) on each "
        "device, in batches of 1 to 16",
    )  # fmt: skip


def _running(add: Add) -> None:
    """Add the commands to a running daemon."""
    add("panic", do.panic, "silence the output")
    hear = add("hear", do.hear, "make the running daemon hear MIDI files, to quote them")
    hear.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="a MIDI file, or a folder of them"
    )
    add("reload", do.reload, "make the running daemon reload its settings and its model")


def _learning(add: Add) -> None:
    """Add the commands that train and choose models."""
    learn = add("learn", do.learn, "train a model on your takes, and keep it if it is better")
    learn.add_argument(
        "folders", type=Path, nargs="*", metavar="DIR",
        help="MIDI files of your playing, in addition to your takes (record.folder)",
    )  # fmt: skip
    learn.add_argument("--minutes", type=_seconds, default=10.0, metavar="N", help="default: 10")
    for name, help in LEARN_FLAGS.items():
        learn.add_argument(f"--{name}", action="store_true", help=help)
    learn.add_argument(
        "--download-size", action="store_true", help="only say what has to be downloaded first"
    )
    learn.add_argument("--yes", action="store_true", help="download what is needed without asking")
    models = add("models", do.models, "your own models: list, use, rename, add, delete, forget all")
    models.add_argument("action", nargs="?", choices=ACTIONS, default="list")
    models.add_argument(
        "names", nargs="*", metavar="NAME", help="shipped: the model that comes with Segue"
    )
    models.add_argument(
        "--takes", action="store_true", help="forget: delete your recordings (record.folder), too"
    )
    models.add_argument("--yes", action="store_true", help="forget without asking")


def _looking(add: Add) -> None:
    """Add the commands that show what a running daemon does."""
    status = add("status", do.status, "show what the running daemon does and why it is silent")
    status.add_argument("--json", action="store_true", help="one JSON object on stdout")
    status.add_argument("--metrics", action="store_true", help="Prometheus' text format")
    add("watch", do.watch, "show the running daemon live: piano roll, turn, knobs and keys")
    add("page", do.page, "show the page's address; for a phone also as a QR code")


def _services(add: Add) -> None:
    """Add the commands that install the systemd service."""
    install = add(
        "install-service", do.install_service, "install Segue as a systemd service", False
    )
    install.add_argument("--instance", metavar="NAME", help="also write NAME.yaml for segued@NAME")
    install.add_argument(
        "--segued", type=Path, metavar="PATH", help="the command to start; default: this one"
    )
    install.add_argument(
        "--learn", action="store_true", help="also write a timer that learns from takes at night"
    )
    install.add_argument(
        "--network", action="store_true",
        help="also let the local network reach the page, by the name HOST.local (Avahi)",
    )  # fmt: skip
    uninstall = add("uninstall-service", do.uninstall_service, "remove the systemd service", False)
    for parser_of in (install, uninstall):
        parser_of.add_argument(
            "--system", action="store_true", help="a service of the machine, not of your session"
        )
        parser_of.add_argument(
            "--root", type=Path, default=Path("/"), metavar="DIR",
            help="install below DIR, for packages and disk images",
        )  # fmt: skip


def _common(parser: argparse.ArgumentParser) -> None:
    # SUPPRESS: a default of the subcommand would overwrite an option given before it
    parser.add_argument(
        "--config", type=Path, metavar="F", default=argparse.SUPPRESS,
        help="settings file; default: the first that exists of config.yaml in a checkout, "
        "~/.config/segue/config.yaml and /etc/segue/config.yaml",
    )  # fmt: skip
    parser.add_argument(
        "--set", action="append", metavar="KEY=VALUE", default=argparse.SUPPRESS,
        help="override a setting of the file, such as turns.silence=0.5",
    )  # fmt: skip


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**63:
        raise ValueError
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value
