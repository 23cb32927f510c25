"""The option of what Segue has heard before anybody plays."""

from dataclasses import dataclass

from ..fields.options import VALUES, option, paths

MOST_FILES = 100


@dataclass(frozen=True)
class MemoryOptions:
    """What Segue has heard before you begin (docs/playing.md#memory)."""

    hear: tuple[str, ...] = option(
        (),
        paths,
        "MIDI files, or folders of them, that Segue quotes as if you had played them before, such "
        "as [minuet.mid]; relative to this file",
        VALUES,
    )
