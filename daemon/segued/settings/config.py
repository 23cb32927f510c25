"""All settings together: each section is declared by the room that it belongs to."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import yaml

from ..control.knobs import IN_SAMPLING, KNOBS
from ..control.options import ControlOptions, SteeringOptions
from ..errors import ConfigError
from ..fields.entries import nearest
from ..fields.options import ENTRIES, VALUE, flag, integer, option, optional, text
from ..generation.options import SamplingOptions
from ..model.options import InferenceOptions, ModelOptions
from ..player.options import RoutingOptions
from ..ports.options import ConnectionOptions, OscOptions, PageOptions
from ..timing.options import SyncOptions
from ..turn_taking.options import TurnOptions


@dataclass(frozen=True)
class Ports(RoutingOptions, ConnectionOptions):
    """Where MIDI comes in and goes out."""


@dataclass(frozen=True)
class RecordOptions:
    """Performances kept as MIDI files, which `segued render --replay` plays once more."""

    folder: str | None = option(
        None, optional(text), "where they are written, a file for each session; null: nowhere"
    )


@dataclass(frozen=True)
class ServiceOptions:
    """How it runs on the machine."""

    priority: int = option(
        5,
        integer(0, 99),
        "real-time priority of the music, where it is allowed; 0: normal (JACK itself has 10)",
    )
    lock_memory: bool = option(True, flag, "keep its memory from being swapped, where allowed")
    metrics_port: int = option(
        0,
        integer(0, 65535),
        "Prometheus metrics and the status over HTTP on this port of 127.0.0.1; 0: none",
    )


@dataclass(frozen=True)
class Config:
    """All settings."""

    ports: Ports = field(default_factory=Ports)
    model: ModelOptions = field(default_factory=ModelOptions)
    inference: InferenceOptions = field(default_factory=InferenceOptions)
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    turns: TurnOptions = field(default_factory=TurnOptions)
    sync: SyncOptions = field(default_factory=SyncOptions)
    record: RecordOptions = field(default_factory=RecordOptions)
    steering: SteeringOptions = field(default_factory=SteeringOptions)
    control: ControlOptions = field(default_factory=ControlOptions)
    page: PageOptions = field(default_factory=PageOptions)
    osc: OscOptions = field(default_factory=OscOptions)
    service: ServiceOptions = field(default_factory=ServiceOptions)

    @property
    def candidates(self) -> int:
        """How many steps the model may be asked for at once."""
        return self.sampling.candidates

    def knobs(self) -> dict[str, Any]:
        """The start values of all knobs, by name."""
        homes = dict.fromkeys(IN_SAMPLING, self.sampling)
        return {
            knob.name: getattr(homes.get(knob.name, self.steering), knob.name) for knob in KNOBS
        }


SECTIONS = tuple(f.name for f in fields(Config))
CLOSE = 0.8  # how alike (difflib's ratio) an option of another section has to be, to be meant


def change(config: Config, where: str, name: str, value: Any) -> Config:
    """A configuration with the option `name` (section.key) set; ConfigError begins with `where`."""
    section, _, key = name.partition(".")
    if section not in SECTIONS:
        raise ConfigError(f"{where}: unknown section {section!r}" + nearest(section, SECTIONS))
    old = getattr(config, section)
    options = {f.name: f for f in fields(old)}
    if key not in options:
        raise ConfigError(f"{where}: unknown key {name!r}" + _meant(key, list(options)))
    try:
        checked = options[key].metadata["check"](value)
    except ValueError as error:
        raise ConfigError(f"{where}: {name} must be {error}, not {value!r}") from None
    changed: Any = replace(old, **{key: checked})
    return replace(config, **{section: changed})


def _meant(key: str, own: list[str]) -> str:
    """A hint for a misspelt key: the section's `own` ones, or one much like it in another."""
    everywhere = {f.name: f"{section.name}.{f.name}" for section in fields(Config)
                  for f in fields(getattr(Config(), section.name))}  # fmt: skip
    close = difflib.get_close_matches(key, everywhere, 1, CLOSE)
    if not close or difflib.get_close_matches(key, own, 1, CLOSE):
        return nearest(key, own)
    return f"; did you mean {everywhere[close[0]]!r}?"


def shape_of(name: str) -> str:
    """The shape (see `segued.fields.options`) of the option `name` (section.key)."""
    section, _, key = name.partition(".")
    for f in fields(getattr(Config(), section)):
        if f.name == key:
            return str(f.metadata["shape"])
    return VALUE


def describe(config: Config) -> str:
    """The effective settings as YAML, each option with its explanation."""
    lines: list[str] = []
    for section in SECTIONS:
        part = getattr(config, section)
        lines += [f"# {type(part).__doc__}", f"{section}:"]
        for f in fields(part):
            lines += [f"  # {f.metadata['help']}", *_written(f, getattr(part, f.name))]
        lines.append("")
    return "\n".join(lines)


def _written(f: Any, value: Any) -> list[str]:
    """The lines of one option."""
    if f.metadata["shape"] == ENTRIES:
        return entry_lines(f.name, value)
    return [f"  {f.name}: {_flow(list(value) if isinstance(value, tuple) else value)}"]


def entry_lines(name: str, entries: Sequence[Any]) -> list[str]:
    """The lines of a list of entries, each with its `written` form."""
    if not entries:
        return [f"  {name}: []"]
    return [f"  {name}:", *(f"    - {_flow(dict(entry.written))}" for entry in entries)]


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=float("inf"), allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...")
