"""The entries of config.yaml's `control.map`: their form and their reader.

An entry names a control, such as `cc: 20`, and its effect, such as
`knob: temperature`. The reader and docs/control.md are both made from the tables below.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..fields.entries import Entry, Reader, Written
from ..fields.options import channel_set, channels, choice, flag, integer, number, pitch, text
from ..midi.messages import CHANNELS, FINE
from .knobs import ACTIONS, BY_NAME, Knob

SOURCES = {
    "cc": "a controller, 0 to 119 (120 to 127 are channel mode messages, which Segue obeys)",
    "cc14": "a 14-bit controller, by the number of its coarse half, 0 to 31 (the fine half is 32 "
    "higher)",
    "note": "a key or pad, as a number 0 to 127 or a name (C4 is 60)",
    "program": "a program change, 1 to 128",
    "pressure": "channel aftertouch: `pressure: true`",
    "bend": "the pitch wheel, with all its 16384 positions: `bend: true`",
}
"""The control. An entry has exactly one of them."""

TARGETS = {
    "knob": "changes a knob",
    "action": "does an action",
    "preset": "recalls a preset",
    "learn": "maps the next controller that moves to this knob or action, and saves the mapping",
    "unlearn": "removes the learned mapping of this knob or action; all: every learned mapping",
}
"""The effect. An entry has exactly one of them."""

DETAILS = {
    "channel": "the channel of the control, or a list of channels; default: any",
    "low": "the knob's value at the controller's lowest position (may be above `high`)",
    "high": "the knob's value at the controller's highest position",
    "values": "the values to go through; default: all",
    "value": "the value that a press sets",
    "step": "what a press, or one step of an encoder, adds to the knob",
    "momentary": "true: a press sets the value, and its release restores the previous one",
    "release": "an action to do on release",
    "as": "how a controller or aftertouch is read: fader, button (down from 64 on), or one of the "
    "three kinds of endless encoder",
    "pick_up": "soft takeover for this control only (see control.pick_up)",
    "pass": "true: the message is also passed on to the model and thru; default: it is consumed",
    "learned": "true: made by MIDI learn; overrides other entries",
}
"""Optional keys of an entry."""

ENCODERS = {
    "encoder": "1 and up is up, 127 and down is down (two's complement)",
    "offset encoder": "65 and up is up, 63 and down is down (binary offset)",
    "sign encoder": "1 and up is up, 65 and up is down (sign and magnitude)",
}

ALL_CHANNELS = frozenset(range(CHANNELS))
_NUMBERS = {
    "cc": integer(0, 119),
    "cc14": integer(0, 31),
    "note": pitch,
    "program": integer(1, 128),
}
_CONTINUOUS = ("cc", "cc14", "pressure", "bend")  # controls with more positions than up and down


@dataclass(frozen=True, slots=True)
class Mapped:
    """One entry of `control.map`: a control, its channels 0..15, and its effect.

    `number` is the controller, pitch or program 0..127. `effect` is the kind of effect on `name` (a
    knob, an action or a preset): fade, encode, set, next, step, hold, do, recall, learn or unlearn.
    A fader goes from `low` to `high`, or through `values`. `written` is the entry as in the file,
    `where` its file and line.
    """

    source: str
    number: int
    channels: frozenset[int]
    effect: str
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
        """The control, in words."""
        number = self.number + 1 if self.source == "program" else self.number
        what = self.source if self.source in ("pressure", "bend") else f"{self.source} {number}"
        if self.channels == ALL_CHANNELS:
            return what
        return f"{what} on channel " + ", ".join(str(c + 1) for c in sorted(self.channels))

    @property
    def triggers(self) -> frozenset[tuple[str, int]]:
        """The messages of the control: a source and a number each."""
        if self.source == "cc14":
            return frozenset((("cc", self.number), ("cc", self.number + FINE)))
        return frozenset(((self.source, self.number),))

    @property
    def learns(self) -> bool:
        """Whether its effect is to learn or unlearn."""
        return not {"learn", "unlearn"}.isdisjoint((self.effect, self.name, self.release))

    @property
    def meaning(self) -> str:
        """The effect, in words."""
        target = next(key for key, _ in self.written if key in TARGETS)
        return f"{target} {self.name}"


def read_mapped(entry: Entry, what: str = "control.map") -> Mapped:
    """Read one entry of `control.map`. Raises ConfigError, which says where and what is wrong."""
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
        return made | {"effect": "fade", "pick_up": reader.take("pick_up", flag)}
    low, high = sorted((made.get("low", 0.0), made.get("high", 1.0)))
    finest = 1.0 if values or knob.whole else (high - low) / 127
    step = reader.take("step", number(finest if knob.whole or values else 1e-6, 127), finest)
    return made | {"effect": "encode", "low": low, "high": high, "step": step}


def _pressed(reader: Reader) -> bool:
    """Whether the entry describes a button."""
    turning = reader.has("as") or not reader.has("step")
    return any(reader.has(key) for key in ("value", "momentary")) or not turning


def _style(reader: Reader, source: str, pressed: bool) -> str:
    """How the control is read: button, fader or a kind of encoder."""
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
    """The effect of a button on a knob."""
    switch = knob.choices == (False, True)
    if reader.take("momentary", flag, False):
        if source == "program":
            reader.refuse("a program change has no release, so it cannot be momentary")
        if not reader.has("value") and not switch:
            reader.refuse(f"momentary needs the value of {knob.name} while the control is down")
        return {"effect": "hold", "values": (reader.take("value", knob.check, True),)}
    if reader.has("value"):
        return {"effect": "set", "values": (reader.take("value", knob.check),)}
    if reader.has("step"):
        if switch:
            reader.refuse(f"{knob.name} is a switch and has no steps", "step")
        step = reader.take("step", _whole if knob.choices or knob.whole else number(-300, 300))
        if not step:
            reader.refuse("step must not be 0", "step")
        return {"effect": "step", "step": step, "values": _values(reader, knob)} | _span(
            reader, knob
        )
    values = _values(reader, knob)
    if not values:
        reader.refuse(f"a press of {source} needs value, values or step to change {knob.name}")
    return {"effect": "next", "values": values}


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -127 <= value <= 127:
        raise ValueError("an integer from -127 to 127")
    return value


def _span(reader: Reader, knob: Knob) -> dict[str, Any]:
    """The values at which steps stop."""
    if knob.choices:
        return {}
    low = reader.take("low", knob.check, knob.low)
    high = reader.take("high", knob.check, knob.high)
    return {"low": min(low, high), "high": max(low, high)}


def _action(reader: Reader, source: str) -> dict[str, Any]:
    made = {"effect": "do", "name": reader.name("action", list(ACTIONS), "action")}
    _style_of_press(reader, source)
    if reader.has("release"):
        if source == "program":
            reader.refuse("a program change has no release", "release")
        made["release"] = reader.name("release", list(ACTIONS), "action")
    return made


def _preset(reader: Reader, source: str) -> dict[str, Any]:
    _style_of_press(reader, source)
    return {"effect": "recall", "name": reader.take("preset", text)}


def _learn(reader: Reader, source: str) -> dict[str, Any]:
    _style_of_press(reader, source)
    name = reader.name("learn", LEARNABLE, "knob or action")
    made: dict[str, Any] = {"effect": "learn", "name": name}
    knob = BY_NAME.get(name)
    if knob is not None and not knob.choices:
        made["low"] = reader.take("low", knob.check, knob.low)
        made["high"] = reader.take("high", knob.check, knob.high)
    return made


def _unlearn(reader: Reader, source: str) -> dict[str, Any]:
    _style_of_press(reader, source)
    name = reader.name("unlearn", ["all", *LEARNABLE], "knob or action")
    return {"effect": "unlearn", "name": name}


def _style_of_press(reader: Reader, source: str) -> None:
    """Read `as` of an entry whose effect needs a button."""
    if source in _CONTINUOUS:
        reader.take("as", choice("button"))


LEARNABLE = [*BY_NAME, *(name for name in ACTIONS if name not in ("learn", "unlearn"))]
"""The knobs and actions that MIDI learn can map."""

_READ = {
    "knob": _knob,
    "action": _action,
    "preset": _preset,
    "learn": _learn,
    "unlearn": _unlearn,
}


def mapped_of(values: Mapping[str, Any], where: str = "learned") -> Mapped:
    """The mapping of an entry with these keys and values."""
    return read_mapped(Entry(where, dict(values)))
