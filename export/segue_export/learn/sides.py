"""Splits pieces into training, validation and test set.

All performances of a composition are in the same set, for ever: a model trained on a piece in March
must not be tested on it in April. So the set of each piece is stored, by a digest of its content.
"""

from collections.abc import Mapping, Sequence

from segued.errors import DataError

from ..corpus.pieces import Pieces
from ..corpus.split import compositions
from .reading import Piece, Take, encoded, pieces_of

TRAIN, VALID, JUDGE = "train", "valid", "judge"
SHARES = {TRAIN: 0.6, VALID: 0.2, JUDGE: 0.2}
"""Shares of the tokens. A composition whose pieces are in two sets stays in the first of these."""


def divided(
    takes: Sequence[Take], known: Mapping[str, str]
) -> tuple[list[Piece], Pieces, list[str]]:
    """The pieces of takes, their encoding for training, and the set of each; see `sides_of`."""
    pieces = pieces_of(takes)
    music = encoded(pieces, takes)
    files = [-1 - i if takes[piece.take].recorded else piece.take for i, piece in enumerate(pieces)]
    return pieces, music, sides_of(music, [piece.content for piece in pieces], files, known)


def told(music: Pieces, sides: Sequence[str]) -> str:
    """One line with the number of pieces in each set."""
    parts = []
    for side, purpose in (
        (TRAIN, "to learn from"),
        (VALID, "to choose by"),
        (JUDGE, "to judge by"),
    ):
        some = music.select([i for i, chosen in enumerate(sides) if chosen == side])
        parts.append(f"{len(some)} {purpose} ({some.total} tokens)")
    return "pieces: " + ", ".join(parts)


def sides_of(
    pieces: Pieces, contents: Sequence[str], files: Sequence[int], known: Mapping[str, str]
) -> list[str]:
    """The set of each piece.

    `contents`: a digest of each piece. `files`: equal numbers for pieces that must be in the same
    set. `known`: the sets of earlier pieces, by digest. Raises DataError when there are too few
    compositions.
    """
    groups: dict[int, list[int]] = {}
    for piece, group in enumerate(_together(compositions(pieces), files)):
        groups.setdefault(group, []).append(piece)
    if len(groups) < len(SHARES):
        raise DataError(
            f"the takes hold {len(groups)} different pieces long enough to learn from, and at "
            f"least {len(SHARES)} are needed: to learn from, to choose by and to judge by"
        )
    lengths = pieces.lengths.tolist()
    sizes = {group: sum(lengths[i] for i in members) for group, members in groups.items()}
    chosen: dict[int, str] = {}
    for group, members in groups.items():
        before = {known[contents[i]] for i in members if contents[i] in known}
        if before:
            chosen[group] = next(side for side in SHARES if side in before)
    new = sorted(groups.keys() - chosen.keys(), key=lambda group: (-sizes[group], group))
    for place, group in enumerate(new):
        chosen[group] = _neediest(chosen, sizes, len(new) - place)
    if missing := [side for side in SHARES if side not in chosen.values()]:
        raise DataError(f"no new piece is left for {missing[0]}: play something else, too")
    side = {i: chosen[group] for group, members in groups.items() for i in members}
    return [side[i] for i in range(len(pieces))]


def _neediest(chosen: Mapping[int, str], sizes: Mapping[int, int], left: int) -> str:
    """The set that is furthest below its share; an empty one if few compositions are left."""
    have = dict.fromkeys(SHARES, 0)
    for group, side in chosen.items():
        have[side] += sizes[group]
    empty = [side for side in SHARES if not have[side]]
    total = sum(sizes.values())
    return max(
        empty if len(empty) >= left else SHARES, key=lambda side: SHARES[side] * total - have[side]
    )


def _together(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Merge two groupings: items that share a group in either are in one group."""
    root = list(range(len(first)))

    def find(i: int) -> int:
        while root[i] != i:
            i = root[i]
        return i

    for grouping in (first, second):
        seen: dict[int, int] = {}
        for piece, group in enumerate(grouping):
            a, b = sorted((find(piece), find(seen.setdefault(group, piece))))
            root[b] = a
    return [find(i) for i in range(len(root))]
