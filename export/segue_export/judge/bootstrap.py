"""Confidence intervals by the bootstrap (Efron, 1979).

Files are resampled with replacement, and the statistic is computed for each resample. Whole files
are resampled, because tokens or passages of one file are not independent.
"""

import numpy as np

DRAWS = 2000


def redraws(files: int, seed: int = 1) -> np.ndarray:
    """How often each file is in each resample: float64 (DRAWS, files)."""
    chances = np.full(files, 1.0 / files)
    return np.random.default_rng(seed).multinomial(files, chances, DRAWS).astype(float)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of a statistic's values over the resamples; NaN if there are none."""
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def interval_of_ratio(above: np.ndarray, below: np.ndarray, seed: int = 1) -> tuple[float, float]:
    """The interval of sum(above) / sum(below); both have one value per file."""
    drawn = redraws(len(above), seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        return interval((drawn @ above) / (drawn @ below))
