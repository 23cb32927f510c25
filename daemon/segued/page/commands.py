"""What a page may ask of the music: commands, checked, and the keys that it holds. Pure."""

from typing import Any

from ..control.knobs import ACTIONS, BY_NAME, KNOBS
from ..midi.messages import CHANNEL_MASK, NOTE_OFF, SYSTEM, is_note_off, is_note_on, note_off


def table() -> dict[str, Any]:
    """All knobs and actions, from the one table."""
    knobs = [
        {
            "name": knob.name,
            "default": knob.default,
            "low": knob.low,
            "high": knob.high,
            "whole": knob.whole,
            "choices": knob.choices,
            "help": knob.help,
        }
        for knob in KNOBS
    ]
    return {"knobs": knobs, "actions": ACTIONS}


def command_from(asked: Any) -> list[Any]:
    """A command of a page's, checked. ValueError tells what it may be."""
    if not isinstance(asked, list) or not asked:
        raise ValueError("a command is a list: [what, ...]")
    what, values = asked[0], asked[1:]
    if what == "set" and len(values) == 2 and isinstance(values[0], str) and values[0] in BY_NAME:
        try:
            return ["set", values[0], BY_NAME[values[0]].check(values[1])]
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(f"{values[0]} must be {error}") from None
    if what == "do" and len(values) == 1 and isinstance(values[0], str) and values[0] in ACTIONS:
        return ["do", values[0]]
    if what == "receive" and len(values) == 1 and _is_message(values[0]):
        return ["receive", values[0]]
    if what == "ping" and len(values) == 1 and isinstance(values[0], int | float):
        return ["ping", values[0]]
    raise ValueError("no such command: it is set NAME VALUE, do ACTION or receive [BYTES]")


def _is_message(values: Any) -> bool:
    """A note, a controller, a bend: three bytes of one of the channels."""
    if not isinstance(values, list) or len(values) != 3:
        return False
    whole = all(type(value) is int for value in values)
    return whole and NOTE_OFF <= values[0] < SYSTEM and all(0 <= v < 128 for v in values[1:])


class HeldKeys:
    """The keys that a page holds down: what it plays may get lost, the end of a note must not."""

    def __init__(self) -> None:
        self._keys: set[tuple[int, int]] = set()  # (channel, pitch)

    def play(self, message: list[int]) -> None:
        """The page plays a message."""
        if is_note_on(message):
            self._keys.add(_key(message))
        elif is_note_off(message):
            self._keys.discard(_key(message))

    def ends(self, command: list[Any]) -> bool:
        """Whether a command lets go of one of them."""
        if command[0] != "receive":
            return False
        return is_note_off(command[1]) and _key(command[1]) in self._keys

    def releases(self) -> list[list[int]]:
        """Messages that let go of all of them."""
        return [[*note_off(channel, pitch)] for channel, pitch in sorted(self._keys)]


def _key(message: list[int]) -> tuple[int, int]:
    return message[0] & CHANNEL_MASK, message[1]
