"""The MIDI messages that make a controller show the value of a knob: LED rings, pads, motor faders.

Pure.
"""

from typing import Any

from ..midi.messages import FINE, control_change, note_off, note_on
from .knobs import BY_NAME
from .mapping import Mapped

LIT = 127


def messages_for(mapped: Mapped, value: Any) -> list[bytes]:
    """The messages that show a knob's value on its control, on the lowest channel of the mapping.

    None if the control cannot show a value.
    """
    knob, channel = BY_NAME.get(mapped.name), min(mapped.channels)
    if knob is None or mapped.source not in ("cc", "cc14", "note"):
        return []
    if mapped.effect in ("fade", "encode"):
        place = _place(mapped, value)
    elif mapped.effect in ("set", "hold"):
        place = float(value == mapped.values[0])
    elif mapped.effect == "next" and knob.choices == (False, True):
        place = float(value)
    else:
        return []
    if mapped.source == "note":
        lit = place >= 0.5
        return [note_on(channel, mapped.number, LIT) if lit else note_off(channel, mapped.number)]
    if mapped.source == "cc":
        return [control_change(channel, mapped.number, round(127 * place))]
    fine = round(16383 * place)
    return [
        control_change(channel, mapped.number, fine >> 7),
        control_change(channel, mapped.number + FINE, fine & 0x7F),
    ]


def _place(mapped: Mapped, value: Any) -> float:
    """The position of a control for a value, 0..1."""
    if mapped.values:
        if value not in mapped.values:
            return 0.0
        return (mapped.values.index(value) + 0.5) / len(mapped.values)
    share = (value - mapped.low) / (mapped.high - mapped.low)
    return float(min(max(share, 0.0), 1.0))
