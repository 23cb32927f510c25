"""What a control of the performer's does: one entry of config.yaml's `control.map`, and presets.

An entry names what moves, such as `cc: 20`, and what that does, such as `knob: temperature`. The
tables below are all that there is: the reader walks them, and docs/control.md is made from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..fields.entries import Entry, Reader, Written
from ..fields.options import channel_set, channels, choice, flag, integer, number, pitch, text
from .knobs import ACTIONS, BY_NAME, Knob

SOURCES = {
    "cc": "a controller, 0 to 119 (120 to 127 silence and reset, and Segue obeys them)",
    "cc14": "a controller of 14 bits, 0 to 31: that is its coarse half, the fine one is 32 higher",
    "note": "a key or pad, as a number 0 to 127 or a name (C4 is 60)",
    "program": "a program change, 1 to 128",
    "pressure": "channel aftertouch: `pressure: true`",
    "bend": "the pitch wheel, in all its 16384 places: `bend: true`",
}
"""What moves. An entry has exactly one of them."""

TARGETS = {
    "knob": "turns a knob",
    "action": "does something at once",
    "preset": "recalls a preset",
    "learn": "the next controller that moves is mapped to this knob or action, and that is saved",
    "unlearn": "forgets what was learned for this knob or action; all: everything learned",
}
"""What is done. An entry has exactly one of them."""

DETAILS = {
    "channel": "the channel that it comes on, or several in a list; else any",
    "low": "the knob's value at the controller's lowest place (may be above `high`)",
    "high": "the knob's value at its highest place",
    "values": "the values that it passes through, where not all",
    "value": "the value that a press sets",
    "step": "what a press adds to the knob, or one notch of an encoder",
    "momentary": "true: a press sets the value, and letting go brings back what was before",
    "release": "an action when it is let go",
    "as": "how a controller or aftertouch is read: fader, button (down from 64 on), or one of the "
    "three kinds of endless encoder",
    "pick_up": "whether this one waits until it reaches the knob's value (see control.pick_up)",
    "pass": "true: it is also heard and passed thru; else it is kept from both",
    "learned": "true: made by learning; goes before what is written otherwise",
}
"""What more an entry may say."""

ENCODERS = {
    "encoder": "1 and up is up, 127 and down is down (two's complement)",
    "offset encoder": "65 and up is up, 63 and down is down (binary offset)",
    "sign encoder": "1 and up is up, 65 and up is down (sign and magnitude)",
}

FINE = 32  # from the number of a controller's coarse half to that of its fine half
ALL_CHANNELS = frozenset(range(16))
_NUMBERS = {
    "cc": integer(0, 119),
    "cc14": integer(0, 31),
    "note": pitch,
    "program": integer(1, 128),
}
_MOVING = ("cc", "cc14", "pressure", "bend")  # these have places between down and up


@dataclass(frozen=True, slots=True)
class Mapped:
    """One entry: what moves, on which channels 0..15, and what that does.

    `number` is the controller, pitch or program 0..127. `deed` says how `name` (a knob, an action,
    a preset) is treated: fade, encode, set, next, step, hold, do, recall, learn, unlearn. A fading
    knob goes from `low` to `high`, or through `values`.
    """

    source: str
    number: int
    channels: frozenset[int]
    deed: str
    name: str
    low: float = 0.0
    high: float = 1.0
    values: tuple[Any, ...] = ()
    step: float = 0.0
    style: str = "button"
    release: str = ""
    pick_up: bool | None = None
    passes: bool = False
    learned: bool = False
    written: Written = ()
    where: str = field(default="", compare=False)

    @property
    def control(self) -> str:
        """What moves, in words."""
        number = self.number + 1 if self.source == "program" else self.number
        what = self.source if self.source in ("pressure", "bend") else f"{self.source} {number}"
        if self.channels == ALL_CHANNELS:
            return what
        return f"{what} on channel " + ", ".join(str(c + 1) for c in sorted(self.channels))

    @property
    def moves(self) -> frozenset[tuple[str, int]]:
        """The messages that it is made of: a source and a number each."""
        if self.source == "cc14":
            return frozenset((("cc", self.number), ("cc", self.number + FINE)))
        return frozenset(((self.source, self.number),))

    @property
    def learns(self) -> bool:
        """Whether it is itself for learning or unlearning."""
        return not {"learn", "unlearn"}.isdisjoint((self.deed, self.name, self.release))

    @property
    def meaning(self) -> str:
        """What it does, in words."""
        target = next(key for key, _ in self.written if key in TARGETS)
        return f"{target} {self.name}"


@dataclass(frozen=True, slots=True)
class Preset:
    """Values of some knobs, by a name."""

    name: str
    values: tuple[tuple[str, Any], ...]
    written: Written
    where: str = field(default="", compare=False)


def read_mapped(entry: Entry, what: str = "control.map") -> Mapped:
    """One entry of `control.map`. ConfigError says where and what is wrong."""
    reader = Reader(entry, what, [*SOURCES, *TARGETS, *DETAILS])
    source = reader.one_of(tuple(SOURCES), "an entry")
    target = reader.one_of(tuple(TARGETS), "an entry")
    number = int(reader.take(source, _NUMBERS.get(source, _yes)))
    common: dict[str, Any] = {
        "source": source,
        "number": number - 1 if source == "program" else number * (source in _NUMBERS),
        "channels": channel_set(reader.take("channel", channels("all"), "all")),
        "passes": reader.take("pass", flag, False),
        "learned": reader.take("learned", flag, False),
        "where": entry.where,
        "written": tuple(entry.values.items()),
    }
    made = _READ[target](reader, source)
    reader.done(f"{source} and {target}")
    return Mapped(**common, **made)


def _yes(value: Any) -> bool:
    if value is not True:
        raise ValueError("true")
    return True


def _knob(reader: Reader, source: str) -> dict[str, Any]:
    knob = BY_NAME[reader.name("knob", list(BY_NAME), "knob")]
    style = _style(reader, source, _pressed(reader))
    made: dict[str, Any] = {"name": knob.name, "style": style}
    if style == "button":
        return made | _press(reader, knob, source)
    values = _values(reader, knob)
    made["values"] = values
    if not values:
        made["low"] = reader.take("low", knob.check, knob.low)
        made["high"] = reader.take("high", knob.check, knob.high)
        if made["low"] == made["high"]:
            reader.refuse(f"low and high are both {made['low']:g}", "high")
    if style == "fader":
        return made | {"deed": "fade", "pick_up": reader.take("pick_up", flag)}
    low, high = sorted((made.get("low", 0.0), made.get("high", 1.0)))
    finest = 1.0 if values or knob.whole else (high - low) / 127
    step = reader.take("step", number(finest if knob.whole or values else 1e-6, 127), finest)
    return made | {"deed": "encode", "low": low, "high": high, "step": step}


def _pressed(reader: Reader) -> bool:
    """Whether the entry speaks of presses."""
    turning = reader.has("as") or not reader.has("step")
    return any(reader.has(key) for key in ("value", "momentary")) or not turning


def _style(reader: Reader, source: str, pressed: bool) -> str:
    """How what moves is read."""
    if source in ("note", "program"):
        return "button"
    styles = ["fader", "button"] + list(ENCODERS) * (source == "cc")
    return str(reader.take("as", choice(*styles), "button" if pressed else "fader"))


def _values(reader: Reader, knob: Knob) -> tuple[Any, ...]:
    """The values that the entry names, or all choices."""

    def check(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) < 2:
            raise ValueError("a list of two values or more")
        return tuple(knob.check(v) for v in value)

    return tuple(reader.take("values", check, knob.choices))


def _press(reader: Reader, knob: Knob, source: str) -> dict[str, Any]:
    """What a press does to a knob."""
    switch = knob.choices == (False, True)
    if reader.take("momentary", flag, False):
        if source == "program":
            reader.refuse("a program change is never let go, so it cannot be momentary")
        if not reader.has("value") and not switch:
            reader.refuse(f"momentary needs the value that {knob.name} has while it is down")
        return {"deed": "hold", "values": (reader.take("value", knob.check, True),)}
    if reader.has("value"):
        return {"deed": "set", "values": (reader.take("value", knob.check),)}
    if reader.has("step"):
        if switch:
            reader.refuse(f"{knob.name} is a switch and has no steps", "step")
        step = reader.take("step", _whole if knob.choices or knob.whole else number(-300, 300))
        if not step:
            reader.refuse("step must not be 0", "step")
        return {"deed": "step", "step": step, "values": _values(reader, knob)} | _span(reader, knob)
    values = _values(reader, knob)
    if not values:
        reader.refuse(f"a press on {source} needs value, values or step to turn {knob.name}")
    return {"deed": "next", "values": values}


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -127 <= value <= 127:
        raise ValueError("an integer from -127 to 127")
    return value


def _span(reader: Reader, knob: Knob) -> dict[str, Any]:
    """Where steps stop."""
    if knob.choices:
        return {}
    low = reader.take("low", knob.check, knob.low)
    high = reader.take("high", knob.check, knob.high)
    return {"low": min(low, high), "high": max(low, high)}


def _action(reader: Reader, source: str) -> dict[str, Any]:
    made = {"deed": "do", "name": reader.name("action", list(ACTIONS), "action")}
    _style_of_press(reader, source)
    if reader.has("release"):
        if source == "program":
            reader.refuse("a program change is never let go", "release")
        made["release"] = reader.name("release", list(ACTIONS), "action")
    return made


def _preset(reader: Reader, source: str) -> dict[str, Any]:
    _style_of_press(reader, source)
    return {"deed": "recall", "name": reader.take("preset", text)}


def _learn(reader: Reader, source: str) -> dict[str, Any]:
    _style_of_press(reader, source)
    name = reader.name("learn", LEARNABLE, "knob or action")
    made: dict[str, Any] = {"deed": "learn", "name": name}
    knob = BY_NAME.get(name)
    if knob is not None and not knob.choices:
        made["low"] = reader.take("low", knob.check, knob.low)
        made["high"] = reader.take("high", knob.check, knob.high)
    return made


def _unlearn(reader: Reader, source: str) -> dict[str, Any]:
    _style_of_press(reader, source)
    name = reader.name("unlearn", ["all", *LEARNABLE], "knob or action")
    return {"deed": "unlearn", "name": name}


def _style_of_press(reader: Reader, source: str) -> None:
    """Only a press does such a thing; a controller may say so."""
    if source in _MOVING:
        reader.take("as", choice("button"))


LEARNABLE = [*BY_NAME, *(name for name in ACTIONS if name not in ("learn", "unlearn"))]
"""What a controller can be learned for."""

_READ = {
    "knob": _knob,
    "action": _action,
    "preset": _preset,
    "learn": _learn,
    "unlearn": _unlearn,
}


def read_preset(entry: Entry) -> Preset:
    """One entry of `control.presets`."""
    reader = Reader(entry, "control.presets", ["name", *BY_NAME])
    if not reader.has("name"):
        reader.refuse("a preset needs a name")
    name = reader.take("name", text)
    values = tuple(
        (key, reader.take(key, BY_NAME[key].check)) for key in BY_NAME if reader.has(key)
    )
    if not values:
        reader.refuse(f"the preset {name!r} sets no knob")
    return Preset(name, values, tuple(entry.values.items()), entry.where)


def mapped_of(values: Mapping[str, Any], where: str = "learned") -> Mapped:
    """The mapping that an entry of these keys and values makes."""
    return read_mapped(Entry(where, dict(values)))
