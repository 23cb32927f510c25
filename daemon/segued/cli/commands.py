"""The commands of `segued`. Each imports what it needs when it runs, so that all start fast."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..service.log import WARNING, shown

if TYPE_CHECKING:
    from ..settings.config import Config

LEARN_FLAGS = {
    "starred": "of your takes, learn only from those with a star (the page gives them)",
    "list": "only list what would be learned from, and what would not",
    "idle": "run when the machine has nothing else to do",
    "unless-playing": "wait while somebody plays with it",
}
"""Options of `learn` that are handed on as they are."""
NO_DOWNLOAD = "nothing to download"


def _config(options: argparse.Namespace) -> "Config":
    from ..settings.folders import find_settings
    from ..settings.yaml_file import load_settings

    options.config = options.config or find_settings()  # kept, so that a reload reads the same file
    return load_settings(options.config, options.set or [])


def _daemon_config(options: argparse.Namespace, quiet: bool = False) -> "Config":
    """The settings that a running daemon is found by. An error in the file is only a warning."""
    from ..settings.folders import find_settings
    from ..settings.yaml_file import load_known

    options.config = options.config or find_settings()
    config, mistake = load_known(options.config, options.set or [])
    if mistake and not quiet:
        _warn(f"ignored an error in the settings: {mistake}")
    return config


def _warn(line: str) -> None:
    print(shown(line, WARNING), file=sys.stderr)


def _config_with_learned(options: argparse.Namespace) -> "Config":
    """The settings that the daemon plays with, including learned mappings."""
    from ..settings.learned import with_learned

    return with_learned(_config(options))


def run(options: argparse.Namespace) -> int:
    config = _config_with_learned(options)
    from ..service import daemon as service
    from ..settings.folders import source_of

    return service.run(config, lambda: _config_with_learned(options), source_of(options.config))


def check(options: argparse.Namespace) -> int:
    config = _config_with_learned(options)
    from ..model.loading import load_model
    from ..recording.recorder import check_folder
    from ..service.setup import check_presets
    from ..settings.config import describe
    from ..settings.folders import source_of
    from ..settings.repertoire import read_music

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


def ports(options: argparse.Namespace) -> int:
    from ..ports.rtmidi_clients import list_ports

    found = list_ports()
    if options.json:
        print(json.dumps(found))
        return 0
    for backend, direction, name in found:
        print(f"{backend:10} {direction:7} {name}")
    if not found:
        print("no MIDI ports found; segued will listen on tcp (ports.tcp_host, ports.tcp_port)")
    return 0


def connect(options: argparse.Namespace) -> int:
    chosen = {key: getattr(options, key) for key in ("input", "output")}
    ports = {key: name for key, name in chosen.items() if name is not None}
    if not ports:
        raise UsageError("connect needs --input NAME, --output NAME or both (segued ports)")
    config = _daemon_config(options)
    from ..tools.connect import connect

    return connect(config, options.config, ports)


def save_preset(options: argparse.Namespace) -> int:
    config = _daemon_config(options)
    from ..tools.save_preset import save_preset

    return save_preset(config, options.config, options.name, options.replace)


def render(options: argparse.Namespace) -> int:
    if options.replay:
        return replay(options)
    config = _config(options)
    from ..midi.messages import is_note_on
    from ..model.loading import choose_seed, load_model
    from ..tools.render import render_file, repeatable

    seed = choose_seed(config.sampling.seed) if options.seed is None else options.seed
    model = load_model(repeatable(config))
    _, played = render_file(
        model, config, options.source, options.target, seed, options.seconds, _warn
    )
    notes = sum(is_note_on(message) for _, message in played)
    print(f"{options.target}: {notes} notes in reply, seed {seed}")
    return 0


def replay(options: argparse.Namespace) -> int:
    if options.seed is not None or options.seconds is not None or options.config is not None:
        raise UsageError(
            "--replay reads the settings, seed and length from the recording: leave out --config, "
            "--seed and --seconds"
        )
    from ..recording.replay import replay_file

    count = replay_file(options.source, options.target, options.set or [])
    print(f"{options.target}: {count} messages by the model, identical to the recording")
    return 0


def demo(options: argparse.Namespace) -> int:
    from ..tools.demo import demo

    config = _config(options)
    return demo(config, options.config, options.set or [], options.phrase, options.out)


def bench(options: argparse.Namespace) -> int:
    if options.config is not None:
        raise UsageError("bench starts from the default settings: use --set instead of --config")
    from ..settings.yaml_file import load_settings

    config = load_settings(None, options.set or [])
    if options.steps is not None:
        from ..tools.bench.steps import bench_steps

        return bench_steps(config, options.steps, options.json)
    from ..tools.bench import bench

    return bench(config, options.set or [], options.json)


def status(options: argparse.Namespace) -> int:
    from ..service.status import status

    return status(_daemon_config(options), options.json, options.metrics)


def watch(options: argparse.Namespace) -> int:
    config = _daemon_config(options)
    from ..tools.watch import watch

    return watch(config)


def page(options: argparse.Namespace) -> int:
    from ..tools.page import page

    return page(_daemon_config(options))


def reload(options: argparse.Namespace) -> int:
    from ..service.status import reload

    # the daemon reads its own file and reports the errors in it
    return reload(_daemon_config(options, quiet=True))


def panic(options: argparse.Namespace) -> int:
    from ..tools.panic import panic

    return panic(_daemon_config(options))


def hear(options: argparse.Namespace) -> int:
    from ..tools.hear import hear

    return hear(_daemon_config(options), options.files)


def install_service(options: argparse.Namespace) -> int:
    from ..service.install import install

    return install(
        options.root,
        options.system,
        options.segued,
        options.instance,
        options.learn,
        options.network,
    )


def uninstall_service(options: argparse.Namespace) -> int:
    from ..service.install import uninstall

    return uninstall(options.root, options.system)


def learn(options: argparse.Namespace) -> int:
    from ..tools.learn import download, learn

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


def models(options: argparse.Namespace) -> int:
    from ..tools.models import models

    config = _daemon_config(options, quiet=not options.takes)
    return models(config, options.action, options.names, options.yes, options.takes)
