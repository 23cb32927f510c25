"""MIDI learn: maps the next control that moves. The learned mappings are a value. Pure."""

from collections.abc import Callable, Iterable
from typing import Any

from ..midi.messages import (
    CHANNEL_MASK,
    CHANNEL_MODE,
    CONTROL_CHANGE,
    FINE,
    KIND_MASK,
    NOTE_ON,
    NRPN_COARSE,
    NRPN_FINE,
    RPN_COARSE,
    RPN_FINE,
    SWITCHES,
)
from .knobs import BY_NAME
from .mapping import Mapped, mapped_of

PARAMETERS = (NRPN_FINE, NRPN_COARSE, RPN_FINE, RPN_COARSE)
ALL = "all"


class MidiLearn:
    """The `learned` mappings: at most one per control, and one per knob or action.

    `changed`: they must be saved; `kept`: what the file holds. The code that writes the file sets
    both. `target`: the knob or action that waits for a control; None: none does.
    """

    def __init__(self, learned: Iterable[Mapped], say: Callable[[str], None]) -> None:
        self.learned = self.kept = tuple(learned)
        self.changed = False
        self.target: Mapped | None = None
        self.maybe_coarse: Mapped | None = None
        """The fader learned with the last message, if it may be half of a 14-bit controller."""
        self._say = say

    def start(self, learning: Mapped | None) -> None:
        """Wait for a control to move. The same target once more cancels the wait."""
        if learning is None:
            self._say("learn: turn a mapped knob first, or map `learn: KNOB`")
        elif self.target is not None and self.target.name == learning.name:
            self.target = None
            self._say(f"learn: no longer waiting for a control for {learning.name}")
        else:
            self.target = learning
            self._say(f"learn: move the control to assign to {learning.name}")

    def learn(self, message: bytes) -> Mapped | None:
        """Map the control of a channel message to `target`; None when it cannot be.

        Any target accepts a controller. An action, or a knob with choices, also accepts a key or a
        pedal.
        """
        if self.target is None:
            return None
        knob = BY_NAME.get(self.target.name)
        pressed = knob is None or bool(knob.choices)
        source = _source(message, pressed)
        if not source:
            return None
        values: dict[str, Any] = {source: message[1], "channel": (message[0] & CHANNEL_MASK) + 1}
        values["action" if knob is None else "knob"] = self.target.name
        if knob is not None and not knob.choices:
            values |= {"low": knob.check(self.target.low), "high": knob.check(self.target.high)}
        self.target = None
        return self._add(mapped_of(values | {"learned": True}))

    def upgrade_to_14_bit(self, message: bytes) -> Mapped | None:
        """Remap the learned controller as a 14-bit one if this message is its fine half."""
        coarse, self.maybe_coarse = self.maybe_coarse, None
        if coarse is None or message[1] != coarse.number + FINE:
            return None
        if message[0] != CONTROL_CHANGE | min(coarse.channels):
            return None
        values = dict(coarse.written)
        return self._add(mapped_of({"cc14": values.pop("cc"), **values}))

    def unlearn(self, name: str) -> bool:
        """Remove the learned mapping of a knob or action, or `ALL`; whether there was one."""
        kept = tuple(m for m in self.learned if name not in (ALL, m.name))
        gone = [m for m in self.learned if m not in kept]
        for mapped in gone:
            self._say(f"unlearned: {mapped.control} is no longer mapped to {mapped.name}")
        if not gone:
            self._say(f"unlearn: no control was learned for {name or 'a knob'}")
            return False
        self.learned, self.changed = kept, True
        return True

    def _add(self, new: Mapped) -> Mapped:
        kept = [m for m in self.learned if m.name != new.name and not _same(m, new)]
        self.learned, self.changed = (*kept, new), True
        has_halves = new.source == "cc" and new.effect == "fade" and new.number < FINE
        self.maybe_coarse = new if has_halves else None
        self._say(f"learned: {new.control} is now mapped to {new.name}")
        return new


def _source(message: bytes, pressed: bool) -> str:
    """The source of a message, "note" or "cc", if it can be learned; else ""."""
    kind = message[0] & KIND_MASK
    if kind == NOTE_ON and message[2] and pressed:
        return "note"
    if kind != CONTROL_CHANGE or message[1] >= CHANNEL_MODE or message[1] in PARAMETERS:
        return ""
    return "cc" if pressed or message[1] not in SWITCHES else ""


def _same(one: Mapped, other: Mapped) -> bool:
    """Whether two mappings have the same control."""
    return one.channels == other.channels and bool(one.triggers & other.triggers)
