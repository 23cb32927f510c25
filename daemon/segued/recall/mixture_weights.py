"""Mixture weights: how much of the probability goes to quoted tokens.

They were fitted to training pieces, as a mixture with the model's probabilities
(`tests/tools/fit_quoting.py` prints these tables).
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache

from ..tokens.vocabulary import Vocabulary

LONGEST = 255  # the longest match; longer ones count as this
NEGLIGIBLE = 0.02  # shares below this are not worth computing

# The share of all probability for a literally quoted token, by its kind and the match's length.
ID_LENGTHS = (1, 2, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 96)
ID_SHARES = {
    "NOTE_ON": (0.19, 0.49, 0.60, 0.46, 0.60, 0.67, 0.74, 0.73, 0.80, 0.80, 0.86, 0.89, 0.97),
    "NOTE_OFF": (0.50, 0.54, 0.79, 0.42, 0.60, 0.76, 0.80, 0.88, 0.94, 0.93, 0.98, 0.98, 0.99),
    "TIME_SHIFT": (0.10, 0.30, 0.28, 0.30, 0.44, 0.53, 0.60, 0.69, 0.69, 0.77, 0.81, 0.89, 0.98),
    "VELOCITY": (0.43, 0.47, 0.62, 0.57, 0.75, 0.85, 0.84, 0.91, 0.96, 0.94, 0.97, 0.98, 0.99),
}

# The share of all note-ons for the next notes of a tune together, by the number of matching notes
# in a row up to now (rows) and in all (columns); and how it is divided among the next three notes,
# by the number of matching notes in a row.
RUNS = (0, 1, 2, 4, 8, 16, 32)
AGREES = (0, 5, 8, 12, 20, 40, 80)
TUNE_SHARES = (
    (0.00, 0.00, 0.05, 0.11, 0.19, 0.29, 0.34),
    (0.02, 0.06, 0.17, 0.30, 0.45, 0.52, 0.63),
    (0.09, 0.14, 0.35, 0.42, 0.52, 0.65, 0.67),
    (0.08, 0.30, 0.47, 0.48, 0.59, 0.67, 0.73),
    (0.62, 0.62, 0.62, 0.65, 0.67, 0.73, 0.82),
    (0.86, 0.86, 0.86, 0.86, 0.90, 0.84, 0.88),
    (0.98, 0.98, 0.98, 0.98, 0.98, 0.95, 0.98),
)
NEXT_SHARES = (
    (0.58, 0.35, 0.07),
    (0.84, 0.15, 0.01),
    (0.85, 0.13, 0.02),
    (0.93, 0.07, 0.01),
    (0.97, 0.03, 0.00),
    (0.99, 0.01, 0.00),
    (1.00, 0.00, 0.00),
)


@cache
def id_shares(vocabulary: Vocabulary) -> list[list[float]]:
    """For each quoted id, its share for each length of match 0..LONGEST."""
    shares = {kind: _by_length(ID_LENGTHS, row) for kind, row in ID_SHARES.items()}
    return [shares[kind] for kind, _ in vocabulary.tokens]


def tune_shares(run: int, agree: float) -> tuple[float, ...]:
    """The shares of the next notes of a tune after `agree` matching notes, `run` of them in a row;
    empty if negligible."""
    return _OF_TUNES[case_of(run, agree)]


def case_of(run: int, agree: float) -> int:
    """The index of a cell of `TUNE_SHARES`, row by row."""
    return _RUN_ROWS[min(LONGEST, run)] + _AGREE_COLUMNS[min(LONGEST, int(agree))]


def _by_length(lengths: tuple[int, ...], shares: Sequence[float]) -> list[float]:
    """The share for each length of match 0..LONGEST."""
    row = [0.0] * (LONGEST + 1)
    for length, share in zip(lengths, shares, strict=True):
        row[length:] = [share] * (LONGEST + 1 - length)
    return row


def _steps(edges: tuple[int, ...], size: int) -> list[int]:
    """For each number 0..LONGEST, `size` times the index of its bin."""
    return [size * (bisect_right(edges, number) - 1) for number in range(LONGEST + 1)]


_RUN_ROWS, _AGREE_COLUMNS = _steps(RUNS, len(AGREES)), _steps(AGREES, 1)
_OF_TUNES = [
    tuple(share * part for part in parts) if share >= NEGLIGIBLE else ()
    for row, parts in zip(TUNE_SHARES, NEXT_SHARES, strict=True)
    for share in row
]
