"""The OSC messages that Segue receives and sends. Pure.

The tables below are complete; docs/osc.md is generated from them.
"""

from typing import Any

from ..control.knobs import ACTIONS, BY_NAME, KNOBS, NOTE_NAMES, Knob
from ..fields.options import is_name
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
    f"{SET}KNOB value": "turns a knob: a number; for a knob with choices the word, or its index "
    "from 0; for a switch 0 or 1",
    f"{DO}ACTION": "does something at once; with the argument 0 (button released) it does nothing",
    f"{PREFIX}preset name": "recalls a preset of the settings",
    f"{PREFIX}model name": "plays a model, by its name in `segued models`; `default`: the one that "
    "the settings name",
    f"{PREFIX}note pitch velocity [channel]": "plays a note to Segue; velocity 0 ends it",
    f"{PREFIX}cc number value [channel]": "moves a controller, as your keyboard would: pedals "
    "(64), mappings, MIDI learn",
    ASK: "asks for all knobs, key, tempo and turn again",
}
"""Messages that Segue receives. Channels are 1 to 16; the default is 1."""

OUT = {
    f"{SET}KNOB value": "a knob, at the start and when it has changed; the program that turns it "
    "by OSC gets its value once the movement has ended",
    f"{PREFIX}heard pitch velocity channel": "a note that you play; velocity 0: it ends",
    f"{PREFIX}played pitch velocity channel": "a note that Segue plays; velocity 0: it ends",
    f"{PREFIX}planned pitch velocity seconds": "a note of Segue will begin (velocity 0: end) in so "
    "many seconds",
    f"{PREFIX}replanned": "no note that was planned will sound",
    f"{PREFIX}pedal down channel": "your sustain pedal: 1 down, 0 up",
    f"{PREFIX}turn segue held seconds": "segue: 1 during its turn; held: 1 while you hold a key; "
    "seconds until its reply begins, -1 when none is planned",
    f"{PREFIX}key tonic mode certainty": "the detected key, such as `Eb minor 0.8`; `?` when "
    "there is none",
    f"{PREFIX}tempo bpm source certainty beats": "the tempo in force and the beats of a bar; "
    "source: yours, clock, own or none",
    f"{BEAT} beat bpm": "at each beat; beat 1 is the first of a bar",
    f"{PREFIX}silenced": "everything was silenced",
}
"""Messages that Segue sends."""

SOURCES = {NO_TEMPO: "none", PERFORMER_TEMPO: "yours", MIDI_CLOCK: "clock", OWN_TEMPO: "own"}


def command_of(message: OscMessage) -> list[Any] | None:
    """The command of a message (see `commands.command_from`), or None: a button was released.

    Raises ValueError, which says what is wrong with the message.
    """
    address, arguments = message
    if address.startswith(SET):
        return ["set", *_turned(address.removeprefix(SET), arguments)]
    if address.startswith(DO):
        return _done(address.removeprefix(DO), arguments)
    if address == f"{PREFIX}preset":
        if len(arguments) != 1 or not isinstance(arguments[0], str):
            raise ValueError("its argument is the name of a preset")
        return ["recall", arguments[0]]
    if address == f"{PREFIX}model":
        if len(arguments) != 1 or not isinstance(arguments[0], str) or not is_name(arguments[0]):
            raise ValueError("its argument is the name of a model")
        return ["model", arguments[0]]
    if address == f"{PREFIX}note":
        pitch, velocity, channel = _three(arguments, "pitch velocity [channel]")
        played = note_on(channel, pitch, velocity) if velocity else note_off(channel, pitch)
        return ["receive", [*played]]
    if address == f"{PREFIX}cc":
        number, value, channel = _three(arguments, "number value [channel]")
        return ["receive", [*control_change(channel, number, value)]]
    raise ValueError(f"there is no {address[:60]!r}")


def messages_of(event: Event, now: float) -> list[OscMessage]:
    """The messages that report an event. `now` is on the clock of `event.time`, in seconds."""
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
        arguments = (float(value), SOURCES[a], c / 100, b)
        return [OscMessage(f"{PREFIX}tempo", arguments)]
    if kind == KNOB:
        return [knob_message(KNOBS[a], value)]
    if kind == SILENCED:
        return [OscMessage(f"{PREFIX}silenced")]
    return []


def knob_message(knob: Knob, value: float) -> OscMessage:
    """The message that reports a knob. `value` is as in the event ring: for a choice, its index."""
    shown = knob.choices[int(value)] if knob.choices else int(value) if knob.whole else float(value)
    return OscMessage(SET + knob.name, (shown,))


def _turned(name: str, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    """A knob and its permitted value nearest to the argument."""
    if name not in BY_NAME:
        raise ValueError(f"there is no knob {name[:40]!r}")
    if len(arguments) != 1:
        raise ValueError(f"{SET}{name} takes one value")
    knob, value = BY_NAME[name], arguments[0]
    number = isinstance(value, int | float)
    if knob.choices and number:
        index = _whole(value)
        if not 0 <= index < len(knob.choices):
            raise ValueError(f"{name} has the choices 0 to {len(knob.choices) - 1}")
        value = knob.choices[index]
    elif knob.whole and number:
        value = _whole(value)
    elif isinstance(value, float):
        value = round(value, 6)  # a 32-bit float may lie just outside the range
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
    """The two data bytes of a MIDI message, and its channel, 0 to 15."""
    if not 2 <= len(arguments) <= 3 or not all(isinstance(v, int | float) for v in arguments):
        raise ValueError(f"its arguments are {form}")
    first, second, channel = (*map(_whole, arguments), 1)[:3]
    if not (0 <= first < 128 and 0 <= second < 128 and 1 <= channel <= 16):
        raise ValueError(f"its arguments are {form}, 0 to 127, channel 1 to 16")
    return first, second, channel - 1


def _whole(value: float) -> int:
    """The nearest integer. Raises ValueError for NaN and infinity. Faders send only floats."""
    try:
        return round(value)
    except (ValueError, OverflowError):  # NaN or infinite
        raise ValueError("no number") from None
