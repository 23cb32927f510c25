"""The option of what Segue has heard before anybody plays."""

from dataclasses import dataclass
from typing import Any

from ..fields.options import VALUES, option, text

MOST_FILES = 100


def _paths(value: Any) -> tuple[str, ...]:
    """One path, or a list of them."""
    several = () if value is None else value if isinstance(value, list | tuple) else [value]
    try:
        return tuple(text(path) for path in several)
    except ValueError:
        raise ValueError("a list of MIDI files or folders") from None


@dataclass(frozen=True)
class MemoryOptions:
    """What Segue has heard before you begin (docs/playing.md#memory)."""

    hear: tuple[str, ...] = option(
        (),
        _paths,
        "MIDI files, or folders of them, that Segue quotes as if you had played them before, such "
        "as [minuet.mid]; relative to this file",
        VALUES,
    )
