"""All settings together. Each section is declared by the package that uses it."""

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
from ..recall.options import MemoryOptions
from ..timing.options import SyncOptions
from ..turn_taking.options import TurnOptions


@dataclass(frozen=True)
class Ports(RoutingOptions, ConnectionOptions):
    """MIDI input and output."""


@dataclass(frozen=True)
class RecordOptions:
    """Recordings: MIDI files that `segued render --replay` plays again exactly."""

    folder: str | None = option(
        None, optional(text), "the folder to write to, one file per session; null: no recordings"
    )


@dataclass(frozen=True)
class ServiceOptions:
    """The daemon as a process of the machine."""

    priority: int = option(
        5,
        integer(0, 99),
        "real-time priority of the music, if the system allows it; 0: normal (JACK itself has 10)",
    )
    lock_memory: bool = option(
        True, flag, "lock the memory, so that it is never swapped, if the system allows it"
    )
    metrics_port: int = option(
        0,
        integer(0, 65535),
        "serve Prometheus metrics and the status over HTTP on this port of 127.0.0.1; 0: do not",
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
    memory: MemoryOptions = field(default_factory=MemoryOptions)
    steering: SteeringOptions = field(default_factory=SteeringOptions)
    control: ControlOptions = field(default_factory=ControlOptions)
    page: PageOptions = field(default_factory=PageOptions)
    osc: OscOptions = field(default_factory=OscOptions)
    service: ServiceOptions = field(default_factory=ServiceOptions)

    @property
    def candidates(self) -> int:
        """The largest batch of model steps."""
        return self.sampling.candidates

    def knobs(self) -> dict[str, Any]:
        """The initial values of all knobs, by name."""
        sections = dict.fromkeys(IN_SAMPLING, self.sampling)
        return {
            knob.name: getattr(sections.get(knob.name, self.steering), knob.name) for knob in KNOBS
        }


SECTIONS = tuple(f.name for f in fields(Config))
CLOSE = 0.8  # the similarity (difflib's ratio) from which another section's option is suggested


def change(config: Config, where: str, name: str, value: Any) -> Config:
    """The configuration with the option `name` (section.key) changed.

    Raises ConfigError, whose text begins with `where`.
    """
    section, _, key = name.partition(".")
    if section not in SECTIONS:
        raise ConfigError(f"{where}: unknown section {section!r}" + nearest(section, SECTIONS))
    old = getattr(config, section)
    options = {f.name: f for f in fields(old)}
    if key not in options:
        raise ConfigError(f"{where}: unknown key {name!r}" + _suggestion(key, list(options)))
    try:
        checked = options[key].metadata["check"](value)
    except ValueError as error:
        raise ConfigError(f"{where}: {name} must be {error}, not {value!r}") from None
    changed: Any = replace(old, **{key: checked})
    return replace(config, **{section: changed})


def _suggestion(key: str, own: list[str]) -> str:
    """A hint for an unknown key: a similar one of the same section (`own`) or of another."""
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
    """The settings as YAML, each option with its help as a comment."""
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
    return [f"  {f.name}: {flow(list(value) if isinstance(value, tuple) else value)}"]


def entry_lines(name: str, entries: Sequence[Any]) -> list[str]:
    """The lines of an option that is a list of entries, each in its `written` form."""
    if not entries:
        return [f"  {name}: []"]
    return [f"  {name}:", *(f"    - {flow(dict(entry.written))}" for entry in entries)]


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=float("inf"), allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...")
