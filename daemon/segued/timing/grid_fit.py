"""Fits a grid of tatums to onsets: their numbers on it, and its tempo and phase. Pure."""

import math

import numpy as np

from .metre import Floats, Integers

MISS = 0.03  # standard deviation of onsets from their tatum, in seconds
WORST = 4.5  # the highest cost of an onset's deviation, in nats
PULL = 0.5  # share of an onset's deviation by which the grid follows
WINDOWS = (8, 16, 32, 64)  # numbers of onsets to which a line is fitted
NEWER = 1.5  # half-life of an onset's weight, as a share of the window
LEAST_ERROR = 0.002  # seconds that are added to the measured error of a fit
DOUBT = 2.0  # standard errors by which lines may differ and still agree


def number(times: Floats, period: float) -> tuple[Integers, Floats]:
    """The tatum number of each onset, and the cost of its deviation in nats.

    A phase-locked loop: the grid follows each onset by a share of its deviation, so that jitter
    causes no cycle slip, and drift is followed.
    """
    numbers, missed = [0], [0.0]
    grid = float(times[0])
    for time in times[1:].tolist():
        step = round((time - grid) / period)
        off = time - grid - step * period
        grid += step * period + PULL * off
        numbers.append(numbers[-1] + step)
        missed.append(min(0.5 * (off / MISS) ** 2, WORST))
    return np.array(numbers), np.array(missed)


def half_life_weights(count: int, half_life: float) -> Floats:
    """Weights (count,): 1 for the newest, half as much for one `half_life` onsets before."""
    return np.exp2((np.arange(count) + 1 - count) / half_life)


def fitted_line(numbers: Integers, times: Floats, guess: float) -> tuple[float, float]:
    """The seconds per tatum, near the guess, and the time of the last number.

    It uses the longest window whose fitted line agrees with those of all shorter ones within their
    errors (Lepski's rule): at a steady tempo jitter is averaged out, and in a drifting one only the
    latest onsets count.
    """
    x, y = (numbers - numbers[-1]).astype(float), times - times[-1]
    lowest, highest = np.full(2, -math.inf), np.full(2, math.inf)
    chosen = np.array([0.0, guess])
    for window in WINDOWS:
        line, error = _fitted(x[-window:], y[-window:], NEWER * window)
        if abs(math.log(max(line[1], 1e-9) / guess)) > 0.15:
            break
        lowest, highest = np.maximum(lowest, line - error), np.minimum(highest, line + error)
        if (lowest > highest).any():
            break
        chosen = line
        if window >= len(x):
            break
    return float(chosen[1]), float(times[-1] + chosen[0])


def _fitted(x: Floats, y: Floats, half_life: float) -> tuple[Floats, Floats]:
    """A weighted least squares line: its value at 0 and its slope, and the tolerance of each."""
    weights = half_life_weights(len(x), half_life)
    weights /= weights.sum()
    mean = weights @ x
    slope = weights * (x - mean)
    slope /= max(float(slope @ x), 1e-9)
    rules = np.stack([weights - mean * slope, slope])
    line = rules @ y
    off = y - line[0] - line[1] * x
    spread = LEAST_ERROR + math.sqrt(float(weights @ off**2))
    return line, DOUBT * spread * np.sqrt((rules**2).sum(axis=1))
