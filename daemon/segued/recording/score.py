"""Commands as a recording holds them: a kind and some bytes for each."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import SupportsBytes

from ..control.knobs import FORMER_NAMES
from ..generation.context import PrimedModel, StepModel
from ..player import commands
from ..player.commands import Apply, Do, Receive, Set
from ..player.player import Command
from ..settings.config import Config, describe
from ..settings.yaml_file import load_recorded
from .performance import APPLY, DO, GO_ON, LIFT, PANIC, RECEIVE, SET, SILENCE, THINK, TICK, Entry

ModelOf = Callable[[Config, dict[str, str]], StepModel]
"""Finds a model again that was taken while it played: by the settings, and what is known of it."""

PLAIN: dict[int, Command] = {
    TICK: commands.TICK,
    THINK: commands.THINK,
    SILENCE: commands.RELEASE_ALL,
    PANIC: commands.PANIC,
    GO_ON: commands.RESTART,
    LIFT: commands.RELEASE_KEYS,
}
"""Commands that hold nothing, by their kinds."""

_KINDS = {type(command): kind for kind, command in PLAIN.items()}


def entry_of(tick: int, command: Command) -> Entry:
    """A command at a time, as it is kept. For the hot loop."""
    if isinstance(command, Receive):
        return Entry(tick, RECEIVE, command.message)
    if isinstance(command, Set):
        return Entry(tick, SET, json.dumps([command.name, command.value]).encode())
    if isinstance(command, Do):
        return Entry(tick, DO, command.action.encode())
    if isinstance(command, Apply):
        return Entry(tick, APPLY, Written(command))
    return Entry(tick, _KINDS[type(command)])


def command_of(kind: int, data: bytes | SupportsBytes, model_of: ModelOf) -> Command:
    """The command again. ConfigError where this segued does not know the settings of an Apply."""
    if kind in PLAIN:
        return PLAIN[kind]
    data = bytes(data)
    if kind == RECEIVE:
        return Receive(data)
    if kind == SET:
        name, value = json.loads(data)
        return Set(FORMER_NAMES.get(name, name), value)
    if kind == DO:
        return Do(data.decode())
    return _apply_of(data, model_of)


@dataclass(frozen=True, slots=True)
class Written:
    """Settings that were taken, whose bytes are made beside the music: that takes 6 ms."""

    command: Apply

    def __bytes__(self) -> bytes:
        taught = self.command.primed
        settings = self.command.settings
        assert isinstance(settings, Config)
        values: dict[str, object] = {"settings": describe(settings)}
        if taught is not None:
            values |= {**taught.about, "ids": [*taught.ids], "count": taught.count}
        return json.dumps(values).encode()


def _apply_of(data: bytes, model_of: ModelOf) -> Apply:
    about = json.loads(data)
    config = load_recorded(about.pop("settings"), "the settings taken at a reload")
    if "ids" not in about:
        return Apply(config)
    ids, count = about.pop("ids"), about.pop("count")
    return Apply(config, PrimedModel.by(model_of(config, about), ids, count, about))
