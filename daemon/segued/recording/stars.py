"""Stars: the takes that the player wants to keep, by name in a file of their folder."""

from pathlib import Path

from ..model.own_models import write_private

STARS = "stars.txt"
"""A name on each line, so that it can be read and changed by hand."""


def starred(folder: Path) -> set[str]:
    """The names of the takes with a star. Raises OSError when the file cannot be read."""
    try:
        text = (folder / STARS).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return set()
    return {line for line in text.splitlines() if line}


def set_star(folder: Path, name: str, on: bool) -> None:
    """Give a take a star, or take it away. Raises OSError."""
    names = starred(folder)
    names = names | {name} if on else names - {name}
    write_private(folder / STARS, "".join(f"{name}\n" for name in sorted(names)).encode())
