"""Converts commands to and from the entries of a recording: a kind and bytes."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import SupportsBytes

import numpy as np

from ..control.knobs import FORMER_NAMES
from ..generation.context import PrimedModel, StepModel
from ..player import commands
from ..player.commands import Apply, Do, Hear, Receive, Set
from ..player.player import Command
from ..settings.config import Config, describe
from ..settings.yaml_file import load_recorded
from .performance import (
    APPLY,
    DO,
    GO_ON,
    HEAR,
    LIFT,
    PANIC,
    RECEIVE,
    SET,
    SILENCE,
    THINK,
    TICK,
    Entry,
)

ID = "<u2"
"""How a token id is written (NumPy's data type)."""

ModelOf = Callable[[Config, dict[str, str]], StepModel]
"""Finds the model of a recorded Apply, by its settings and `PrimedModel.about`."""

PLAIN: dict[int, Command] = {
    TICK: commands.TICK,
    THINK: commands.THINK,
    SILENCE: commands.RELEASE_ALL,
    PANIC: commands.PANIC,
    GO_ON: commands.RESTART,
    LIFT: commands.RELEASE_KEYS,
}
"""Kind -> command, for commands without values."""

_KINDS = {type(command): kind for kind, command in PLAIN.items()}


def entry_of(tick: int, command: Command) -> Entry:
    """The entry of a command. For the hot loop."""
    if isinstance(command, Receive):
        return Entry(tick, RECEIVE, command.message)
    if isinstance(command, Set):
        return Entry(tick, SET, json.dumps([command.name, command.value]).encode())
    if isinstance(command, Do):
        return Entry(tick, DO, command.action.encode())
    if isinstance(command, Hear):
        return Entry(tick, HEAR, np.array(command.ids, ID).tobytes())
    if isinstance(command, Apply):
        return Entry(tick, APPLY, Written(command))
    return Entry(tick, _KINDS[type(command)])


def command_of(kind: int, data: bytes | SupportsBytes, model_of: ModelOf) -> Command:
    """The command of an entry. Raises ConfigError if the settings of an Apply are unknown here."""
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
    if kind == HEAR:
        return Hear(np.frombuffer(data, ID).tolist())
    return _apply_of(data, model_of)


@dataclass(frozen=True, slots=True)
class Written:
    """The bytes of an Apply. They are made in the recorder's thread, because that takes 6 ms."""

    command: Apply

    def __bytes__(self) -> bytes:
        primed = self.command.primed
        settings = self.command.settings
        assert isinstance(settings, Config)
        values: dict[str, object] = {"settings": describe(settings)}
        if primed is not None:
            values |= {**primed.about, "ids": [*primed.ids], "count": primed.count}
        return json.dumps(values).encode()


def _apply_of(data: bytes, model_of: ModelOf) -> Apply:
    about = json.loads(data)
    config = load_recorded(about.pop("settings"), "the settings of a reload")
    if "ids" not in about:
        return Apply(config)
    ids, count = about.pop("ids"), about.pop("count")
    return Apply(config, PrimedModel.by(model_of(config, about), ids, count, about))
