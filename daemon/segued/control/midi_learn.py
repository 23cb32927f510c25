"""MIDI learn: what moves next is mapped. What was learned is a value."""

from collections.abc import Callable, Iterable
from typing import Any

from .knobs import BY_NAME
from .mapping import FINE, Mapped, mapped_of

MODE_MESSAGES = 120  # controllers from here on are channel mode messages
PEDALS = range(64, 70)  # controllers that MIDI defines as switches
PARAMETERS = range(98, 102)  # these say what data entry means
ALL = "all"


class MidiLearn:
    """`learned`: the mappings; each control has one meaning, each knob or action one control.

    `changed` is true once they are to be written into the file, `kept` what it holds as far as is
    known: whoever writes it says so. `waits`: what the next control is to be.
    """

    def __init__(self, learned: Iterable[Mapped], say: Callable[[str], None]) -> None:
        self.learned = self.kept = tuple(learned)
        self.changed = False
        self.waits: Mapped | None = None
        self.fresh: Mapped | None = None
        """A fader that was learned with the last message: perhaps the coarse half of one."""
        self._say = say

    def listen(self, learning: Mapped | None) -> None:
        """Wait for a control to move; asked for the same again, no longer."""
        if learning is None:
            self._say("learn: turn a mapped knob first, or map `learn: KNOB`")
        elif self.waits is not None and self.waits.name == learning.name:
            self.waits = None
            self._say(f"learn: no longer waiting for a control for {learning.name}")
        else:
            self.waits = learning
            self._say(f"learn: move the control that is to be {learning.name}")

    def catch(self, message: bytes) -> Mapped | None:
        """What a message of one of the channels is mapped to, if it is what was waited for.

        A controller will do for anything; for an action, or a knob with choices, a key or a pedal
        will, too.
        """
        if self.waits is None:
            return None
        knob = BY_NAME.get(self.waits.name)
        pressed = knob is None or bool(knob.choices)
        source = _source(message, pressed)
        if not source:
            return None
        values: dict[str, Any] = {source: message[1], "channel": (message[0] & 0x0F) + 1}
        values["action" if knob is None else "knob"] = self.waits.name
        if knob is not None and not knob.choices:
            values |= {"low": knob.check(self.waits.low), "high": knob.check(self.waits.high)}
        self.waits = None
        return self._keep(mapped_of(values | {"learned": True}))

    def widen(self, message: bytes) -> Mapped | None:
        """The message after that which was learned. The fine half of the same controller: then it
        is one of 14 bits."""
        fresh, self.fresh = self.fresh, None
        if fresh is None or message[1] != fresh.number + FINE:
            return None
        if message[0] != 0xB0 | min(fresh.channels):
            return None
        values = dict(fresh.written)
        return self._keep(mapped_of({"cc14": values.pop("cc"), **values}))

    def unlearn(self, name: str) -> bool:
        """Forget the control of a knob or action, or `ALL` of them; whether there was one."""
        kept = tuple(m for m in self.learned if name not in (ALL, m.name))
        gone = [m for m in self.learned if m not in kept]
        for mapped in gone:
            self._say(f"unlearned: {mapped.control} is no longer {mapped.name}")
        if not gone:
            self._say(f"unlearn: no control was learned for {name or 'a knob'}")
            return False
        self.learned, self.changed = kept, True
        return True

    def _keep(self, new: Mapped) -> Mapped:
        kept = [m for m in self.learned if m.name != new.name and not _same(m, new)]
        self.learned, self.changed = (*kept, new), True
        halves = new.source == "cc" and new.deed == "fade" and new.number < FINE
        self.fresh = new if halves else None
        self._say(f"learned: {new.control} is {new.name} now")
        return new


def _source(message: bytes, pressed: bool) -> str:
    """What kind of control a message is of, where it can be learned; else nothing."""
    kind = message[0] & 0xF0
    if kind == 0x90 and message[2] and pressed:
        return "note"
    if kind != 0xB0 or message[1] >= MODE_MESSAGES or message[1] in PARAMETERS:
        return ""
    return "cc" if pressed or message[1] not in PEDALS else ""


def _same(one: Mapped, other: Mapped) -> bool:
    """Whether two are of one control."""
    return one.channels == other.channels and bool(one.moves & other.moves)
