"""`segued`: the command line."""

import argparse
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from . import __version__
from .errors import PortError, SegueError, UsageError
from .service.log import ERROR, WARNING, shown

if TYPE_CHECKING:
    from .settings.config import Config

LIBRARIES = {"mido", "numpy", "onnxruntime", "segno", "yaml"}
REINSTALL = "Install Segue again; docs/install.md says what to do if a library has no wheel"

LEARN_FLAGS = {
    "starred": "of your takes, learn only from those with a star (the page gives them)",
    "list": "only list what would be learned from, and what would not",
    "idle": "run when the machine has nothing else to do",
    "unless-playing": "wait while somebody plays with it",
}
"""Options of `learn` that are handed on as they are."""
NO_DOWNLOAD = "nothing to download"
ACTIONS = ("list", "use", "rename", "add", "delete", "forget")  # of `models`

Command = Callable[[argparse.Namespace], int]


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are one line with exit status EX_USAGE (sysexits.h)."""

    def error(self, message: str) -> NoReturn:
        self.exit(UsageError.status, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _config(options: argparse.Namespace) -> "Config":
    from .settings.folders import find_settings
    from .settings.yaml_file import load_settings

    options.config = options.config or find_settings()  # kept, so that a reload reads the same file
    return load_settings(options.config, options.set or [])


def _daemon_config(options: argparse.Namespace, quiet: bool = False) -> "Config":
    """The settings that a running daemon is found by. An error in the file is only a warning."""
    from .settings.folders import find_settings
    from .settings.yaml_file import load_known

    config, mistake = load_known(options.config or find_settings(), options.set or [])
    if mistake and not quiet:
        _warn(f"ignored an error in the settings: {mistake}")
    return config


def _warn(line: str) -> None:
    print(shown(line, WARNING), file=sys.stderr)


def _config_with_learned(options: argparse.Namespace) -> "Config":
    """The settings that the daemon plays with, including learned mappings."""
    from .settings.learned import with_learned

    return with_learned(_config(options))


def _run(options: argparse.Namespace) -> int:
    config = _config_with_learned(options)
    from .service import daemon as service
    from .settings.folders import source_of

    return service.run(config, lambda: _config_with_learned(options), source_of(options.config))


def _check(options: argparse.Namespace) -> int:
    config = _config_with_learned(options)
    from .model.loading import load_model
    from .recording.recorder import check_folder
    from .service.setup import check_presets
    from .settings.config import describe
    from .settings.folders import source_of
    from .settings.repertoire import read_music

    device: list[str] = []
    model = load_model(config, device.append)
    check_presets(config)
    check_folder(config)
    read_music(config)
    training = model.info["training"]
    print(f"# settings: {source_of(options.config)}")
    print(describe(config))
    print(f"# {device[0]}")
    print(f"# model: {model.info['precision']}, {model.info['vocabulary']}, training: {training}")
    return 0


def _ports(options: argparse.Namespace) -> int:
    from .ports.rtmidi_clients import list_ports

    found = list_ports()
    if options.json:
        print(json.dumps(found))
        return 0
    for backend, direction, name in found:
        print(f"{backend:10} {direction:7} {name}")
    if not found:
        print("no MIDI ports found; segued will listen on tcp (ports.tcp_host, ports.tcp_port)")
    return 0


def _connect(options: argparse.Namespace) -> int:
    chosen = {key: getattr(options, key) for key in ("input", "output")}
    ports = {key: name for key, name in chosen.items() if name is not None}
    if not ports:
        raise UsageError("connect needs --input NAME, --output NAME or both (segued ports)")
    config = _daemon_config(options)
    from .settings.folders import find_settings
    from .tools.connect import connect

    return connect(config, options.config or find_settings(), ports)


def _save_preset(options: argparse.Namespace) -> int:
    config = _daemon_config(options)
    from .settings.folders import find_settings
    from .tools.save_preset import save_preset

    return save_preset(config, options.config or find_settings(), options.name, options.replace)


def _render(options: argparse.Namespace) -> int:
    if options.replay:
        return _replay(options)
    config = _config(options)
    from .midi.messages import is_note_on
    from .model.loading import choose_seed, load_model
    from .tools.render import render_file, repeatable

    seed = choose_seed(config.sampling.seed) if options.seed is None else options.seed
    model = load_model(repeatable(config))
    _, played = render_file(
        model, config, options.source, options.target, seed, options.seconds, _warn
    )
    notes = sum(is_note_on(message) for _, message in played)
    print(f"{options.target}: {notes} notes in reply, seed {seed}")
    return 0


def _replay(options: argparse.Namespace) -> int:
    if options.seed is not None or options.seconds is not None or options.config is not None:
        raise UsageError(
            "--replay reads the settings, seed and length from the recording: leave out --config, "
            "--seed and --seconds"
        )
    from .recording.replay import replay_file

    count = replay_file(options.source, options.target, options.set or [])
    print(f"{options.target}: {count} messages by the model, identical to the recording")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from .tools.demo import demo

    config = _config(options)
    return demo(config, options.config, options.set or [], options.phrase, options.out)


def _bench(options: argparse.Namespace) -> int:
    if options.config is not None:
        raise UsageError("bench starts from the default settings: use --set instead of --config")
    from .settings.yaml_file import load_settings

    config = load_settings(None, options.set or [])
    if options.steps is not None:
        from .tools.bench.steps import bench_steps

        return bench_steps(config, options.steps, options.json)
    from .tools.bench import bench

    return bench(config, options.set or [], options.json)


def _status(options: argparse.Namespace) -> int:
    from .service.status import status

    return status(_daemon_config(options), options.json, options.metrics)


def _watch(options: argparse.Namespace) -> int:
    config = _daemon_config(options)
    from .tools.watch import watch

    return watch(config)


def _page(options: argparse.Namespace) -> int:
    from .tools.page import page

    return page(_daemon_config(options))


def _reload(options: argparse.Namespace) -> int:
    from .service.status import reload

    # the daemon reads its own file and reports the errors in it
    return reload(_daemon_config(options, quiet=True))


def _panic(options: argparse.Namespace) -> int:
    from .tools.panic import panic

    return panic(_daemon_config(options))


def _hear(options: argparse.Namespace) -> int:
    from .tools.hear import hear

    return hear(_daemon_config(options), options.files)


def _install(options: argparse.Namespace) -> int:
    from .service.install import install

    return install(
        options.root,
        options.system,
        options.segued,
        options.instance,
        options.learn,
        options.network,
    )


def _uninstall(options: argparse.Namespace) -> int:
    from .service.install import uninstall

    return uninstall(options.root, options.system)


def _learn(options: argparse.Namespace) -> int:
    from .tools.learn import download, learn

    if options.download_size:
        print(download() or NO_DOWNLOAD)
        return 0
    arguments = [*map(str, options.folders), f"--minutes={options.minutes:g}"]
    flags = {name: getattr(options, name.replace("-", "_")) for name in LEARN_FLAGS}
    arguments += [f"--{name}" for name, given in flags.items() if given]
    if options.config is not None:
        arguments.append(f"--config={options.config.absolute()}")
    arguments += [f"--set={setting}" for setting in options.set or []]
    return learn(arguments, options.yes)


def _models(options: argparse.Namespace) -> int:
    from .tools.models import models

    config = _daemon_config(options, quiet=not options.takes)
    return models(config, options.action, options.names, options.yes, options.takes)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="segued",
        description="A real-time MIDI daemon that plays music with you. Without COMMAND it runs.",
    )
    parser.add_argument("--version", action="version", version=f"segued {__version__}")
    _common(parser)
    parser.set_defaults(run=_run, takes_settings=True)
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=_Parser)

    def command(
        name: str, run: Command, help: str, settings: bool = True
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help, description=help)
        if settings:
            _common(made)
        made.set_defaults(run=run, takes_settings=settings)
        return made

    command("run", _run, "run the daemon (the default)")
    command("check", _check, "check the settings and the model, and print them")
    ports = command("ports", _ports, "list the MIDI ports that can be connected", settings=False)
    ports.add_argument("--json", action="store_true", help="[[backend, direction, name], ...]")
    connect = command("connect", _connect, "set the MIDI ports in the settings file and reload")
    for name in ("input", "output"):
        connect.add_argument(
            f"--{name}", metavar="NAME", help="virtual, or a part of the port's name"
        )
    preset = command("save-preset", _save_preset, "save all knobs as a preset")
    preset.add_argument("name", metavar="NAME")
    preset.add_argument("--replace", action="store_true", help="also if there is one of that name")
    render = command("render", _render, "play a MIDI file to Segue and write both parts to a file")
    render.add_argument("source", type=Path, metavar="IN.mid")
    render.add_argument("target", type=Path, metavar="OUT.mid")
    render.add_argument("--seed", type=_seed, help="random seed; the same seed gives the same file")
    render.add_argument(
        "--replay", action="store_true",
        help="IN.mid is a recording (record.folder): play it again exactly as it was; exit status "
        "65 if the model's part differs",
    )  # fmt: skip
    render.add_argument("--seconds", type=_seconds, help="total length; default: to the end")
    demo = command("demo", _demo, "play a complete performance in real time through real ports")
    demo.add_argument("--phrase", type=Path, metavar="FILE.mid", help="play this phrase instead")
    demo.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="default: out")
    bench = command(
        "bench", _bench, "measure latency, jitter and memory, and what the machine can do at best"
    )
    bench.add_argument("--json", action="store_true", help="one JSON object on stdout")
    bench.add_argument(
        "--steps", nargs="*", type=Path, metavar="FILE",
        help="measure only model steps: the shipped precisions (and these model files) on each "
        "device, in batches of 1 to 16",
    )  # fmt: skip
    command("panic", _panic, "silence the output")
    hear = command("hear", _hear, "make the running daemon hear MIDI files, to quote them")
    hear.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="a MIDI file, or a folder of them"
    )
    command("reload", _reload, "make the running daemon reload its settings and its model")
    learn = command("learn", _learn, "train a model on your takes, and keep it if it is better")
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
    models = command(
        "models", _models, "your own models: list, use, rename, add, delete, forget all"
    )
    models.add_argument("action", nargs="?", choices=ACTIONS, default="list")
    models.add_argument(
        "names", nargs="*", metavar="NAME", help="shipped: the model that comes with Segue"
    )
    models.add_argument(
        "--takes", action="store_true", help="forget: delete your recordings (record.folder), too"
    )
    models.add_argument("--yes", action="store_true", help="forget without asking")
    status = command("status", _status, "show what the running daemon does and why it is silent")
    status.add_argument("--json", action="store_true", help="one JSON object on stdout")
    status.add_argument("--metrics", action="store_true", help="Prometheus' text format")
    command("watch", _watch, "show the running daemon live: piano roll, turn, knobs and keys")
    command("page", _page, "show the page's address; for a phone also as a QR code")
    install = command("install-service", _install, "install Segue as a systemd service", False)
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
    uninstall = command("uninstall-service", _uninstall, "remove the systemd service", False)
    for parser_of in (install, uninstall):
        parser_of.add_argument(
            "--system", action="store_true", help="a service of the machine, not of your session"
        )
        parser_of.add_argument(
            "--root", type=Path, default=Path("/"), metavar="DIR",
            help="install below DIR, for packages and disk images",
        )  # fmt: skip
    return parser


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


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status. Expected failures are one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # port names may have characters it cannot print
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    options.config = getattr(options, "config", None)
    options.set = getattr(options, "set", None)
    try:
        if not options.takes_settings and (options.config or options.set):
            raise UsageError("this command does not accept --config or --set")
        command: Command = options.run
        return command(options)
    except SegueError as error:
        print(shown(str(error), ERROR), file=sys.stderr)
        return error.status
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in LIBRARIES:
            raise
        print(shown(f"cannot load {error.name}: {error}. {REINSTALL}", ERROR),
              file=sys.stderr)  # fmt: skip
        return PortError.status
    except KeyboardInterrupt:
        return 130
    finally:
        _drop_unwritten_log()


def _drop_unwritten_log() -> None:
    """Drop what stderr could not write (its disk is full), or Python would exit with status 120."""
    if sys.stderr is None:  # started with it closed
        return
    try:
        sys.stderr.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stderr.fileno())
        os.close(null)
