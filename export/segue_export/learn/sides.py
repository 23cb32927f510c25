"""Which pieces are learned from, which choose among weights, and which judge the result.

Whole compositions stand on one side, and stay there for good: a model that learned from a piece in
March must not be judged by it in April. So the sides of all pieces are kept, by their contents.
"""

from collections.abc import Mapping, Sequence

from segued.errors import DataError

from ..corpus.pieces import Pieces
from ..corpus.split import compositions
from .reading import Piece, Take, encoded, pieces_of

TRAIN, VALID, JUDGE = "train", "valid", "judge"
SHARES = {TRAIN: 0.6, VALID: 0.2, JUDGE: 0.2}
"""Of the tokens. The sides in the order in which a piece that stood on two of them is heard."""


def divided(
    takes: Sequence[Take], known: Mapping[str, str]
) -> tuple[list[Piece], Pieces, list[str]]:
    """The pieces of takes, as training reads them, and the side of each; see `sides_of`."""
    pieces = pieces_of(takes)
    music = encoded(pieces, takes)
    files = [-1 - i if takes[piece.take].recorded else piece.take for i, piece in enumerate(pieces)]
    return pieces, music, sides_of(music, [piece.content for piece in pieces], files, known)


def told(music: Pieces, sides: Sequence[str]) -> str:
    """How many pieces stand on each side, in a line."""
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
    """The side of each piece.

    `contents` are what pieces are known by, `files` has equal numbers for pieces that belong
    together, `known` the sides of earlier pieces. DataError when there are too few compositions.
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
    """The side that is furthest below its share, an empty one where few pieces are left."""
    have = dict.fromkeys(SHARES, 0)
    for group, side in chosen.items():
        have[side] += sizes[group]
    empty = [side for side in SHARES if not have[side]]
    total = sum(sizes.values())
    return max(
        empty if len(empty) >= left else SHARES, key=lambda side: SHARES[side] * total - have[side]
    )


def _together(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """The groups that two groupings make together: who shares either is in one."""
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
