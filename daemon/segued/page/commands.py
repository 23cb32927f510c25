"""Commands from a page, checked; and the keys that it holds. Pure."""

from typing import Any

from ..control.knobs import ACTIONS, KNOBS
from ..midi.messages import CHANNEL_MASK, is_note_off, is_note_on, note_off
from ..service.command_check import checked


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
    """A checked command from a page. Raises ValueError, which says what is allowed."""
    match asked:
        case ["ping", int() | float() as moment]:
            return ["ping", moment]
        case ["recall", str() as name]:
            return ["recall", name]
    return checked(asked)


class HeldKeys:
    """The keys that a page holds down, so that their note-offs are never lost."""

    def __init__(self) -> None:
        self._keys: set[tuple[int, int]] = set()  # (channel, pitch)

    def play(self, message: list[int]) -> None:
        """Enter a message that the page plays."""
        if is_note_on(message):
            self._keys.add(_key(message))
        elif is_note_off(message):
            self._keys.discard(_key(message))

    def ends(self, command: list[Any]) -> bool:
        """Whether a command releases one of these keys."""
        if command[0] != "receive":
            return False
        return is_note_off(command[1]) and _key(command[1]) in self._keys

    def releases(self) -> list[list[int]]:
        """Messages that release all of these keys."""
        return [[*note_off(channel, pitch)] for channel, pitch in sorted(self._keys)]


def _key(message: list[int]) -> tuple[int, int]:
    return message[0] & CHANNEL_MASK, message[1]
