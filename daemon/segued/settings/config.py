"""Every option, declared once: its type, default, range and what it does."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, make_dataclass, replace
from typing import Any

import yaml

from ..control.knobs import BY_NAME, IN_SAMPLING, KNOBS
from ..control.mapping import Mapped, Preset
from ..control.mappings import MAP, PRESETS
from ..errors import ConfigError
from ..fields.entries import nearest
from ..fields.options import (
    ENTRIES,
    VALUE,
    choice,
    flag,
    integer,
    number,
    number_or,
    option,
    span,
    text,
)
from ..ports.options import Ports
from ..timing.clock import AUTO, GRID, GRIDS
from ..timing.durations import Duration


def _knob(name: str) -> Any:
    """The option that is a knob's start value: declared once, in knobs.py."""
    knob = BY_NAME[name]
    return option(knob.default, knob.check, knob.help)


@dataclass(frozen=True)
class ModelOptions:
    """Which network plays."""

    path: str = option(
        "default", text, "an ONNX file made by segue-export; default: the shipped one"
    )


@dataclass(frozen=True)
class InferenceOptions:
    """What the network is computed on."""

    device: str = option(
        "auto",
        choice("auto", "cpu", "cuda"),
        "auto times CPU and CUDA at the start and takes the faster; cuda needs onnxruntime-gpu",
    )


@dataclass(frozen=True)
class SamplingOptions:
    """How freely it plays."""

    temperature: float = _knob("temperature")
    top_p: float = _knob("top_p")
    lowest_pitch: int = option(21, integer(0, 127), "no note below (21 is a piano's lowest A)")
    highest_pitch: int = option(108, integer(0, 127), "no note above (108 is a piano's highest C)")
    longest_note: float = option(
        8.0, number(0.1, 600), "seconds after which it lets go of a note, whatever comes"
    )
    candidates: int = option(
        4,
        integer(1, 16),
        "of so many beginnings it plays the one that suits your phrase best; 1 takes the first",
    )
    fastest: int = option(50, integer(1, 1000), "the most notes that it begins in a second")
    seed: int | str = option(
        "random", integer(0, 2**63 - 1, "random"), "the same seed and playing give the same reply"
    )


@dataclass(frozen=True)
class TurnOptions:
    """When it comes in and for how long."""

    by: str = option(
        "silence",
        choice("silence", "expectation", "bars", "hand"),
        "how it knows: a silence of a set length; a silence that surprises the model; so many bars "
        "each; hand: only when it is told to",
    )
    silence: float | str = option(
        0.7, span(0.05, 60), "after so long without a key held: seconds, or such as 2 beats"
    )
    bars: int = option(4, integer(1, 64), "how many each, where it is by bars")
    shortest_wait: float = option(
        0.15, number(0.02, 60), "seconds without a key held, where it is by expectation"
    )
    longest_wait: float = option(
        3.0, number(0.1, 60), "seconds without a key held, where it is by expectation"
    )
    longest_key: float = option(
        120.0,
        number(1, 86400),
        "seconds after which a key that is still down keeps it waiting no longer",
    )
    reply_length: float | str = option(
        "phrase",
        span(0.1, 3600, "phrase", "endless"),
        "seconds, or such as 4 bars; phrase: as long as what was played; endless: until you play",
    )
    shortest_reply: float = option(2.0, number(0.1, 3600), "seconds, when reply_length is phrase")
    longest_reply: float = option(30.0, number(0.1, 3600), "seconds, when reply_length is phrase")
    alone: float | str = option(
        4.0,
        number_or(0.1, 3600, "endless"),
        "seconds that it goes on in a duet after your last key; endless: until it is told to stop",
    )
    forget_after: float | str = option(
        60.0,
        number_or(1, 604800, "never"),
        "seconds of silence after which it forgets what was played before",
    )
    lookahead: float = option(
        1.0, number(0.05, 10), "seconds that it thinks ahead (hides the time that the model takes)"
    )

    @property
    def alone_for(self) -> float:
        """`alone` in seconds."""
        return float("inf") if self.alone == "endless" else float(self.alone)

    @property
    def forgets_after(self) -> float:
        """`forget_after` in seconds."""
        return float("inf") if self.forget_after == "never" else float(self.forget_after)

    def length_of_reply(self, phrase: float) -> Duration:
        """How long a reply to a phrase of so many seconds may begin notes."""
        if self.reply_length == "endless":
            return float("inf")
        if self.reply_length == "phrase":
            return min(max(phrase, self.shortest_reply), self.longest_reply)
        return self.reply_length


@dataclass(frozen=True)
class SyncOptions:
    """Time: the DAW's or its own (docs/daw.md)."""

    clock: str = option(
        "follow",
        choice("follow", "ignore", "send"),
        "follow or ignore MIDI clock, Start, Stop and Song Position that come in, or be the master "
        "and send them",
    )
    stopped: str = option(
        "silent",
        choice("silent", "free"),
        "after Stop in the DAW, silent: it does not play until Start or Continue; free: what it "
        "plays ends, but it answers",
    )
    beats_per_bar: int = option(4, integer(1, 32), "MIDI clock does not tell")
    start_on: str = option(
        AUTO,
        choice(*GRIDS, AUTO),
        "a reply begins now, on the next beat, or on the next bar; auto: on the next beat of the "
        "MIDI clock or, without one, of your own playing, and now where that has none",
    )
    grid: str = option(
        "sixteenth", choice(*GRID), "what steering.grid_strength draws its onsets to"
    )
    output_latency_ms: float = option(
        0.0,
        number(-500, 500),
        "how late your synth sounds: its notes are sent so much earlier (below 0: later)",
    )
    late: str = option(
        "shift",
        choice("shift", "drop", "shorten"),
        "when the machine was too slow for a note: shift it and all after it, drop it, or play it "
        "late and end it on time",
    )
    late_after_ms: float = option(
        20.0, number(1, 1000), "from how many milliseconds on a note counts as late"
    )


@dataclass(frozen=True)
class RecordOptions:
    """Performances kept as MIDI files, which `segued render --replay` plays once more."""

    folder: str = option("none", text, "where they are written, a file for each run; none: nowhere")


SteeringOptions: Any = make_dataclass(
    "SteeringOptions",
    [(knob.name, Any, _knob(knob.name)) for knob in KNOBS if knob.name not in IN_SAMPLING],
    namespace={"__doc__": "How it plays at the start; all of this can be changed while it plays."},
    frozen=True,
)


@dataclass(frozen=True)
class ControlOptions:
    """What the performer's controllers, pads and program changes do (docs/control.md)."""

    pick_up: bool = option(
        True, flag, "a fader turns its knob only once it has reached the knob's value"
    )
    learned: str = option(
        "default", text, "the file in which learned controllers are kept; none: they are not kept"
    )
    map: tuple[Mapped, ...] = option(
        (), MAP, "such as '- {cc: 20, knob: temperature, low: 0.5, high: 1.5}'", ENTRIES
    )
    presets: tuple[Preset, ...] = option(
        (), PRESETS, "such as '- {name: calm, temperature: 0.8, density: 0.5}'", ENTRIES
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
        0, integer(0, 65535), "Prometheus metrics on this port of 127.0.0.1; 0: none"
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
    steering: Any = field(default_factory=SteeringOptions)
    control: ControlOptions = field(default_factory=ControlOptions)
    service: ServiceOptions = field(default_factory=ServiceOptions)

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
