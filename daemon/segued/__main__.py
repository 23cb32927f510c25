"""`segued`: the command line."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from . import __version__
from .errors import ConfigError, SegueError, UsageError
from .service.log import ERROR, shown
from .settings.config import Config

DEFAULT_CONFIG = Path("config.yaml")

Command = Callable[[argparse.Namespace], int]


class _Parser(argparse.ArgumentParser):
    """argparse with one line of error and sysexits' EX_USAGE."""

    def error(self, message: str) -> NoReturn:
        self.exit(UsageError.status, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _config(options: argparse.Namespace) -> Config:
    from .settings.config_file import load

    path = options.config
    if path is None and DEFAULT_CONFIG.exists():
        path = DEFAULT_CONFIG
    return load(path, options.set or [])


def _played(options: argparse.Namespace) -> Config:
    """The settings that the daemon plays with: what was learned is among them."""
    from .settings.learned import with_learned

    return with_learned(_config(options))


def _run(options: argparse.Namespace) -> int:
    config = _played(options)
    from .service import life as service

    return service.run(config, lambda: _played(options))


def _check(options: argparse.Namespace) -> int:
    config = _played(options)
    from .inference.loading import load_model
    from .recording.recorder import check_folder
    from .settings.config import describe

    device: list[str] = []
    model = load_model(config, device.append)
    check_folder(config)
    training = model.info["training"]
    print(describe(config))
    print(f"# {device[0]}")
    print(f"# model: {model.info['precision']}, {model.info['vocabulary']}, training: {training}")
    return 0


def _ports(options: argparse.Namespace) -> int:
    from .ports.clients import list_ports

    found = list_ports()
    for backend, direction, name in found:
        print(f"{backend:10} {direction:7} {name}")
    if not found:
        print("no MIDI ports here; segued will listen on tcp (ports.tcp_host, ports.tcp_port)")
    return 0


def _render(options: argparse.Namespace) -> int:
    if options.replay:
        return _replay(options)
    config = _config(options)
    from .inference.loading import choose_seed, load_model, repeatable
    from .render import render_file

    seed = choose_seed(config) if options.seed is None else options.seed
    model = load_model(repeatable(config))
    _, played = render_file(model, config, options.source, options.target, seed, options.seconds)
    notes = sum(message[0] & 0xF0 == 0x90 for _, message in played)
    print(f"{options.target}: {notes} notes in reply, seed {seed}")
    return 0


def _replay(options: argparse.Namespace) -> int:
    if options.seed is not None or options.seconds is not None or options.config is not None:
        raise UsageError("--replay takes seed, length and settings from the recording")
    from .recording.replay import replay_file

    count = replay_file(options.source, options.target, options.set or [])
    print(f"{options.target}: {count} messages of the model's, the same as were recorded")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from .demo import demo

    return demo(_config(options), options.set or [], options.phrase, options.out)


def _bench(options: argparse.Namespace) -> int:
    if options.steps is not None:
        from .bench.steps import bench_steps

        return bench_steps(_config(options), options.steps, options.json)
    from .bench import bench

    return bench(_config(options), options.set or [], options.json)


def _status(options: argparse.Namespace) -> int:
    from .service.status import status

    return status(_config(options), options.json, options.metrics)


def _reload(options: argparse.Namespace) -> int:
    from .service.status import reload

    try:
        config = _config(options)
    except ConfigError as error:
        raise ConfigError(f"not reloaded, the old settings stay: {error}") from None
    return reload(config)


def _panic(options: argparse.Namespace) -> int:
    from .panic import panic

    return panic(_config(options))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="segued",
        description="A musician who sits in on your session. Without a command: run.",
    )
    parser.add_argument("--version", action="version", version=f"segued {__version__}")
    _common(parser, _run)
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=_Parser)

    def command(name: str, run: Command, help: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help, description=help)
        _common(made, run)
        return made

    command("run", _run, "play (the default)")
    command("check", _check, "say whether settings and model are right, and show them")
    command("ports", _ports, "list the MIDI ports that can be connected")
    render = command("render", _render, "play a MIDI file to it and write both parts")
    render.add_argument("source", type=Path, metavar="IN.mid")
    render.add_argument("target", type=Path, metavar="OUT.mid")
    render.add_argument("--seed", type=_seed, help="the same seed gives the same bytes")
    render.add_argument(
        "--replay", action="store_true",
        help="IN.mid was recorded (record.folder): play it again exactly as it was; status 65 if "
        "the model's part differs",
    )  # fmt: skip
    render.add_argument("--seconds", type=_seconds, help="how long in all; default: to the end")
    demo = command("demo", _demo, "a complete performance in real time through real ports")
    demo.add_argument("--phrase", type=Path, metavar="FILE.mid", help="play this to it instead")
    demo.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="default: out")
    bench = command("bench", _bench, "measure latencies, jitter, memory, each beside its floor")
    bench.add_argument("--json", action="store_true", help="one JSON object on stdout")
    bench.add_argument(
        "--steps", nargs="*", type=Path, metavar="FILE",
        help="only model steps: the shipped precisions (and these model files) on each device, "
        "for 1 to 16 states at once",
    )  # fmt: skip
    command("panic", _panic, "silence the output")
    command("reload", _reload, "have the running daemon take its changed settings and model")
    status = command("status", _status, "what the running daemon does, and why it is silent")
    status.add_argument("--json", action="store_true", help="one JSON object on stdout")
    status.add_argument("--metrics", action="store_true", help="Prometheus' text format")
    return parser


def _common(parser: argparse.ArgumentParser, run: Command) -> None:
    parser.set_defaults(run=run)
    # SUPPRESS: a subcommand's absent option must not undo the one given before it
    parser.add_argument(
        "--config", type=Path, metavar="F", default=argparse.SUPPRESS,
        help="settings; default: config.yaml in this folder, if there is one",
    )  # fmt: skip
    parser.add_argument(
        "--set", action="append", metavar="KEY=VALUE", default=argparse.SUPPRESS,
        help="a setting on top of the file's, such as turns.silence=0.5",
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
    options = _parser().parse_args(arguments)
    options.config = getattr(options, "config", None)
    options.set = getattr(options, "set", None)
    try:
        command: Command = options.run
        return command(options)
    except SegueError as error:
        print(shown(str(error), ERROR), file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
