"""Which OSC messages there are: what each asks of the music, and what is told of it. Pure.

The tables below are all that there is; docs/osc.md is made from them.
"""

from typing import Any

from ..control.knobs import ACTIONS, BY_NAME, KNOBS, NOTE_NAMES, Knob
from ..midi.messages import control_change, note_off, note_on
from ..player.active_notes import PERFORMER
from ..service.event_ring import (
    KEY,
    KNOB,
    MIDI_CLOCK,
    NO_TEMPO,
    NOTE,
    OWN_TEMPO,
    PEDAL,
    PERFORMER_TEMPO,
    PLANNED,
    REPLANNED,
    SILENCED,
    TEMPO,
    TURN,
    Event,
)
from .osc_codec import OscMessage

PREFIX = "/segue/"
SET, DO = f"{PREFIX}set/", f"{PREFIX}do/"
ASK = f"{PREFIX}ask"
BEAT = f"{PREFIX}beat"

IN = {
    f"{SET}KNOB value": "turns a knob: a number; for one with choices the word, or its place from "
    "0; for a switch 0 or 1",
    f"{DO}ACTION": "does something at once; with the argument 0 (a button that is let go) nothing",
    f"{PREFIX}preset name": "recalls a preset of the settings",
    f"{PREFIX}note pitch velocity [channel]": "plays a note to Segue; velocity 0 ends it",
    f"{PREFIX}cc number value [channel]": "moves a controller, as one of your keyboard: pedals "
    "(64), mappings, learning",
    ASK: "tells all knobs, key, tempo and turn again",
}
"""What it takes. Channels are 1 to 16, 1 where none is given."""

OUT = {
    f"{SET}KNOB value": "a knob, when it has changed and at the start; the hand that turns it by "
    "OSC is told when it rests",
    f"{PREFIX}heard pitch velocity channel": "a note of yours; velocity 0: it ends",
    f"{PREFIX}played pitch velocity channel": "a note of Segue's",
    f"{PREFIX}planned pitch velocity seconds": "a note of Segue's is to begin (velocity 0: to end) "
    "in so many seconds",
    f"{PREFIX}replanned": "no note that was planned will sound",
    f"{PREFIX}pedal down channel": "your sustain pedal: 1 down, 0 up",
    f"{PREFIX}turn segue held seconds": "segue: 1 while it has the floor; held: 1 while you hold a "
    "key; in how many seconds its reply begins, -1 when none is in sight",
    f"{PREFIX}key tonic mode certainty": "the key that it hears, such as `Eb minor 0.8`; `?` where "
    "it knows none",
    f"{PREFIX}tempo bpm source certainty beats": "the tempo that counts and the beats of a bar; "
    "source: yours, clock, own or none",
    f"{BEAT} beat bpm": "at each beat: 1 is the first of a bar",
    f"{PREFIX}silenced": "everything was silenced",
}
"""What it tells."""

SOURCES = {NO_TEMPO: "none", PERFORMER_TEMPO: "yours", MIDI_CLOCK: "clock", OWN_TEMPO: "own"}


def command_of(message: OscMessage) -> list[Any] | None:
    """The command that a message means (see `commands.command_from`); None: it means none, as when
    a button is let go. ValueError tells what is wrong with it."""
    address, arguments = message
    if address.startswith(SET):
        return ["set", *_turned(address.removeprefix(SET), arguments)]
    if address.startswith(DO):
        return _done(address.removeprefix(DO), arguments)
    if address == f"{PREFIX}preset":
        if len(arguments) != 1 or not isinstance(arguments[0], str):
            raise ValueError("its argument is the name of a preset")
        return ["recall", arguments[0]]
    if address == f"{PREFIX}note":
        pitch, velocity, channel = _three(arguments, "pitch velocity [channel]")
        played = note_on(channel, pitch, velocity) if velocity else note_off(channel, pitch)
        return ["receive", [*played]]
    if address == f"{PREFIX}cc":
        number, value, channel = _three(arguments, "number value [channel]")
        return ["receive", [*control_change(channel, number, value)]]
    raise ValueError(f"there is no {address[:60]!r}")


def messages_of(event: Event, now: float) -> list[OscMessage]:
    """How an event is told. `now` is in the seconds of its time."""
    kind, a, b, c, value = event.kind, event.a, event.b, event.c, event.value
    if kind == NOTE:
        word = "heard" if a == PERFORMER else "played"
        return [OscMessage(f"{PREFIX}{word}", (b, c, int(value) + 1))]
    if kind == PEDAL:
        return [OscMessage(f"{PREFIX}pedal", (b, int(value) + 1))]
    if kind == PLANNED:
        return [OscMessage(f"{PREFIX}planned", (a, b, round(event.time - now, 3)))]
    if kind == REPLANNED:
        return [OscMessage(f"{PREFIX}replanned")]
    if kind == TURN:
        seconds = round(max(0.0, value - now), 3) if value else -1.0
        return [OscMessage(f"{PREFIX}turn", (a, b, seconds))]
    if kind == KEY:
        tonic = NOTE_NAMES[a] if a < len(NOTE_NAMES) else "?"
        return [OscMessage(f"{PREFIX}key", (tonic, "minor" if b else "major", float(value)))]
    if kind == TEMPO:
        told = (float(value), SOURCES[a], c / 100, b)
        return [OscMessage(f"{PREFIX}tempo", told)]
    if kind == KNOB:
        return [knob_message(KNOBS[a], value)]
    if kind == SILENCED:
        return [OscMessage(f"{PREFIX}silenced")]
    return []


def knob_message(knob: Knob, value: float) -> OscMessage:
    """How a knob is told. `value` is as in the ring: of a choice, its place."""
    told = knob.choices[int(value)] if knob.choices else int(value) if knob.whole else float(value)
    return OscMessage(SET + knob.name, (told,))


def _turned(name: str, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    """A knob and its value, as near to what was sent as the knob has one."""
    if name not in BY_NAME:
        raise ValueError(f"there is no knob {name[:40]!r}")
    if len(arguments) != 1:
        raise ValueError(f"{SET}{name} takes one value")
    knob, value = BY_NAME[name], arguments[0]
    number = isinstance(value, int | float)
    if knob.choices and number:
        place = _whole(value)
        if not 0 <= place < len(knob.choices):
            raise ValueError(f"{name} has places 0 to {len(knob.choices) - 1}")
        value = knob.choices[place]
    elif knob.whole and number:
        value = _whole(value)
    elif isinstance(value, float):
        value = round(value, 6)  # one of 32 bits may lie beside an end of the range
    try:
        return name, knob.check(value)
    except ValueError as error:
        raise ValueError(f"{name} must be {error}") from None


def _done(action: str, arguments: tuple[Any, ...]) -> list[Any] | None:
    if action not in ACTIONS:
        raise ValueError(f"there is no action {action[:40]!r}")
    if len(arguments) > 1:
        raise ValueError(f"{DO}{action} takes one argument at most")
    released = bool(arguments) and arguments[0] in (0, False)
    return None if released else ["do", action]


def _three(arguments: tuple[Any, ...], form: str) -> tuple[int, int, int]:
    """Two bytes of a message and its channel 0..15."""
    if not 2 <= len(arguments) <= 3 or not all(isinstance(v, int | float) for v in arguments):
        raise ValueError(f"its arguments are {form}")
    first, second, channel = (*map(_whole, arguments), 1)[:3]
    if not (0 <= first < 128 and 0 <= second < 128 and 1 <= channel <= 16):
        raise ValueError(f"its arguments are {form}, 0 to 127, channel 1 to 16")
    return first, second, channel - 1


def _whole(value: float) -> int:
    """The nearest whole number: faders send no others."""
    try:
        return round(value)
    except (ValueError, OverflowError):  # not a number, or endless
        raise ValueError("no number") from None
