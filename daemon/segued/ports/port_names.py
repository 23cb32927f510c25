"""Which port a name in the settings means, and how to say that there is none."""

import re
from collections.abc import Sequence

from ..errors import PortError

_NUMBER = re.compile(r"\d+:\d+")  # an ALSA port's

VIRTUAL = "virtual"
"""The setting that means a port of our own, which others connect to."""

# What changes in a name from one day to the next: ALSA's client and port, a2jmidid's client.
_NUMBERS = re.compile(r"\s+\d+:\d+$|\s*\[\d+\]")


class NoBackend(PortError):
    """The MIDI system itself is not there. `missing` says so in few words."""

    def __init__(self, missing: str, remedy: str, watched: bool = False) -> None:
        super().__init__(f"{missing}: {remedy}, or set ports.backend to auto")
        self.missing, self.watched = missing, watched


class NoPort(PortError):
    """The MIDI system is there, a port of that name is not."""

    def __init__(self, direction: str, pattern: str, names: Sequence[str]) -> None:
        there = ", ".join(f"'{name}'" for name in names) or "none"
        super().__init__(
            f"no MIDI {direction} matches '{pattern}'; there are: {there}. Plug it in, or set "
            f"ports.{direction} to a part of the name of one that is there, or to {VIRTUAL}"
        )
        self.direction, self.pattern, self.names = direction, pattern, names


def plain(name: str) -> str:
    """A port's name without the numbers that change: 'Keystep:Keystep MIDI 1 20:0' and such."""
    return _NUMBERS.sub("", name)


def newcomer(before: Sequence[str], after: Sequence[str], name: str) -> str:
    """The full name ("CLIENT:PORT") of the port `name` that has come meanwhile; "" if that is not
    certain: none has, or more than one."""
    new = [full for full in after if full not in before and full.endswith(f":{name}")]
    return new[0] if len(new) == 1 else ""


def choose(names: Sequence[str], pattern: str, direction: str) -> int:
    """The index of the name that `pattern` means, case aside. Raises NoPort.

    First comes one that it equals, or whose number (20:0) it is, then one that it equals but for
    the numbers that change, then one that contains it as whole words, then one that contains it.
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
