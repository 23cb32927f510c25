"""Checks the commands of other processes. Both the sender and the daemon use it."""

from typing import Any

from ..control.knobs import ACTIONS, BY_NAME
from ..fields.options import is_name
from ..midi.messages import SYSTEM, is_message
from ..tokens.vocabulary import PERFORMANCE


def checked(asked: Any) -> list[Any]:
    """A valid command, such as ["do", "panic"]: see `command_port`. Raises ValueError."""
    match asked:
        case ["set", str(name), value] if name in BY_NAME:
            try:
                return ["set", name, BY_NAME[name].check(value)]
            except (ValueError, TypeError, OverflowError) as error:
                raise ValueError(f"{name} must be {error}") from None
        case ["do", str(action)] if action in ACTIONS:
            return ["do", action]
        case ["hear_preset", str(name)]:
            return ["hear_preset", name]
        case ["model", str(name)] if is_name(name):
            return ["model", name]
        case ["receive", [*values]] if _is_message(values):
            return ["receive", values]
        case ["hear", [*ids]] if all(type(id) is int and 0 <= id < _IDS for id in ids):
            return ["hear", ids]
    raise ValueError(
        "no such command: it is set NAME VALUE, do ACTION, model NAME, receive [BYTES], hear [IDS] "
        "or hear_preset NAME"
    )


_IDS = len(PERFORMANCE)


def _is_message(values: list[Any]) -> bool:
    """Whether it is a channel message. System messages are rejected: no program needs them."""
    if not all(type(value) is int and 0 <= value <= 255 for value in values):
        return False
    return is_message(bytes(values)) and values[0] < SYSTEM
