"""How far a figure could be off because other files might have been drawn: the bootstrap.

Files are drawn with replacement and the figure is computed anew (Efron, 1979). Tokens or passages
of one file resemble each other, so whole files are drawn, never their parts.
"""

import numpy as np

DRAWS = 2000


def redraws(files: int, seed: int = 1) -> np.ndarray:
    """How often each file is drawn in each redrawing: float64 (DRAWS, files)."""
    chances = np.full(files, 1.0 / files)
    return np.random.default_rng(seed).multinomial(files, chances, DRAWS).astype(float)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of a figure's values over the redraws; NaN where it has none."""
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def interval_of_ratio(above: np.ndarray, below: np.ndarray, seed: int = 1) -> tuple[float, float]:
    """The interval of sum(above) / sum(below), both one value a file."""
    drawn = redraws(len(above), seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        return interval((drawn @ above) / (drawn @ below))
