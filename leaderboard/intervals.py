"""95 % confidence intervals of means over few images: Student's t, corrected for skewness."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

LEVEL = 0.95
LEAST_IMAGES = 2
"""Least number of images for an interval."""


def mean_intervals(scores: Array) -> Array:
    """Return the 95 % interval of the mean of every row, (rows, 2); NaN for fewer than two images.

    Student's t alone has too low a coverage for skewed scores: its end on the side of the longer tail is too close.
    That end is moved outwards by the first-order correction for skewness; the other end is kept, so that the interval
    is never shorter than Student's. Rows may also be differences of two methods.

    Args:
        scores: (rows, images) finite scores.

    Reference:
        Johnson, Modified t tests and confidence intervals for asymmetrical populations, JASA 73, 1978; Hall, On the
        removal of skewness by transformation, JRSS B 54, 1992: the first term of the expansion.

    >>> mean_intervals(np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])).round(2).tolist()
    [[1.0, 1.0], [-1.48, 3.48]]
    """
    images = scores.shape[1]
    if images < LEAST_IMAGES:
        return np.full((len(scores), 2), math.nan)
    mean = scores.mean(axis=1)
    apart = scores - mean[:, None]
    spread = np.sqrt((apart**2).mean(axis=1))
    even = spread <= 1e-12 * np.abs(scores).max(axis=1)  # equal up to rounding errors
    spread = np.where(even, 0.0, spread)
    skewness = (apart**3).mean(axis=1) / np.where(even, 1.0, spread) ** 3
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, images - 1))
    error = spread / math.sqrt(images - 1)
    moved = error * skewness * (1 + 2 * quantile**2) / (6 * math.sqrt(images))
    ends = mean - quantile * error + np.minimum(moved, 0), mean + quantile * error + np.maximum(moved, 0)
    return np.stack(ends, axis=1)
