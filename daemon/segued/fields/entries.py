"""Lists of entries in config.yaml, such as `- {cc: 20, knob: temperature}`, read key by key.

Errors name the file, the line, the key and what is allowed. Keys that were not read are refused.
"""

import difflib
import reprlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from ..errors import ConfigError
from .options import Check

Value = TypeVar("Value")
Written = tuple[tuple[str, Any], ...]
"""An entry as in the file: its keys and values in order."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The keys and values of one entry; its place `where` (file:line), and each key's place."""

    where: str
    values: dict[str, Any]
    places: dict[str, str] = field(default_factory=dict)


class Reader:
    """Reads the keys of an entry of the option `what` (section.key). `keys`: all known keys."""

    def __init__(self, entry: Entry, what: str, keys: Iterable[str]) -> None:
        self.entry, self._what = entry, what
        self._left = dict(entry.values)
        known = list(keys)
        for key in entry.values:
            if key not in known:
                self.refuse(f"unknown key {key!r}{nearest(key, known)}", key)

    def has(self, key: str) -> bool:
        """Whether the key is present and was not read yet."""
        return key in self._left

    def take(self, key: str, check: Check, default: Any = None) -> Any:
        """Read and check the value of a key; `default` if it is absent."""
        if key not in self._left:
            return default
        value = self._left.pop(key)
        try:
            return check(value)
        except ValueError as error:
            self.refuse(f"{key} must be {error}, not {reprlib.repr(value)}", key)

    def name(self, key: str, names: Sequence[str], kind: str) -> str:
        """Read the value of a key, which must be one of `names`."""
        value = self._left.pop(key)
        if value not in names or not isinstance(value, str):
            self.refuse(f"no {kind} named {value!r}{nearest(value, names)}", key)
        return value

    def one_of(self, keys: Sequence[str], what: str) -> str:
        """The one of `keys` that is present; exactly one must be."""
        given = [key for key in keys if key in self._left]
        if len(given) != 1:
            present = "has both " + " and ".join(given[:2]) if given else "has none"
            self.refuse(f"{what} needs exactly one of {', '.join(keys)}; this one {present}")
        return given[0]

    def done(self, why: str) -> None:
        """Refuse keys that were not read."""
        for key in self._left:
            self.refuse(f"{key} does not go with {why}", key)

    def refuse(self, message: str, key: str = "") -> NoReturn:
        """Raise ConfigError with the place of a key, or of the entry."""
        where = self.entry.places.get(key, self.entry.where)
        raise ConfigError(f"{where}: {self._what}: {message}")


def entries(
    read: Callable[[Entry], Value],
    example: str,
    examine: Callable[[Sequence[Value]], None] = lambda values: None,
) -> Check:
    """A check for a list of entries: `read` reads each, `examine` checks them together.

    The values that `read` returns must have `written`, the entry as in the file.
    """

    def check(value: Any) -> tuple[Value, ...]:
        items = () if value is None else value
        if not isinstance(items, list | tuple) or not all(isinstance(i, Entry) for i in items):
            raise ValueError(f"a list of entries such as '- {example}'")
        values = tuple(read(item) for item in items)
        examine(values)
        return values

    return check


def placed(value: Any, where: str) -> Any:
    """A plain list of dictionaries (from `--set`) as a list of entries."""
    if not isinstance(value, list):
        return value
    return [
        Entry(where, {str(key): v for key, v in item.items()}) if isinstance(item, dict) else item
        for item in value
    ]


def nearest(name: object, names: Sequence[str]) -> str:
    """A hint for an unknown name: the most similar one, or all names."""
    if not names:
        return "; there are none"
    close = difflib.get_close_matches(str(name), names, 1, 0.5)
    return f"; did you mean {close[0]!r}?" if close else "; there are: " + ", ".join(names)
