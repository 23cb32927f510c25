"""Finds the port that a name in the settings means; errors that list the ports there are."""

import re
from collections.abc import Sequence

from ..errors import PortError

_NUMBER = re.compile(r"\d+:\d+")  # an ALSA port's

VIRTUAL = "virtual"
"""The setting for a virtual port, to which other programs connect."""

# The numbers in a name that change from day to day: ALSA's client and port, a2jmidid's client.
_NUMBERS = re.compile(r"\s+\d+:\d+$|\s*\[\d+\]")


class NoBackend(PortError):
    """The MIDI system does not exist or run. `missing` says so in few words."""

    def __init__(self, missing: str, remedy: str, watched: bool = False) -> None:
        super().__init__(f"{missing}: {remedy}, or set ports.backend to auto")
        self.missing, self.watched = missing, watched


class NoPort(PortError):
    """The MIDI system has no port of that name."""

    def __init__(self, direction: str, pattern: str, names: Sequence[str]) -> None:
        there = ", ".join(f"'{name}'" for name in names) or "none"
        super().__init__(
            f"no MIDI {direction} matches '{pattern}'; there are: {there}. Plug it in, or set "
            f"ports.{direction} to a part of one of these names, or to {VIRTUAL}"
        )
        self.direction, self.pattern, self.names = direction, pattern, names


def plain(name: str) -> str:
    """A port's name without the numbers that change, as in 'Keystep:Keystep MIDI 1 20:0'."""
    return _NUMBERS.sub("", name)


def newcomer(before: Sequence[str], after: Sequence[str], name: str) -> str:
    """The full name ("CLIENT:PORT") of the port `name` that is only in the list `after`; "" if
    there is none, or more than one."""
    new = [full for full in after if full not in before and full.endswith(f":{name}")]
    return new[0] if len(new) == 1 else ""


def choose(names: Sequence[str], pattern: str, direction: str) -> int:
    """The index of the name that `pattern` means, ignoring case. Raises NoPort.

    In this order: a name that equals it, or whose number (20:0) it is; one that equals it without
    the numbers that change; one that contains it as whole words; one that contains it.
    """
    exact = pattern.strip().lower()
    wanted = plain(exact)
    word = re.compile(rf"(?<!\w){re.escape(wanted)}(?!\w)")
    full = [name.lower() for name in names]
    for meant in (
        lambda name: name == exact or (_NUMBER.fullmatch(exact) and name.endswith(f" {exact}")),
        lambda name: plain(name) == wanted,
        lambda name: word.search(plain(name)),
        lambda name: wanted in plain(name),
    ):
        for index, name in enumerate(full):
            if wanted and meant(name):
                return index
    raise NoPort(direction, pattern, [plain(name) for name in names])
