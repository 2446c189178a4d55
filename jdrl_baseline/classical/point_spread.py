"""Point spread function of defocus as a kernel: a uniform disk or a Gaussian."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.disk import disk

Kernel = NDArray[np.float32]

RADIUS_PER_SIGMA = 2.0
"""Disk radius per standard deviation: a uniform disk of radius r has the variance r^2 / 4 along each axis, as a
Gaussian of deviation r / 2."""

GAUSSIAN_REACH = 3.5
"""Number of standard deviations at which a Gaussian is truncated."""


def gaussian(radius_px: float) -> Kernel:
    """Return the Gaussian kernel with the variance of a disk: (2K+1, 2K+1), sum 1.

    >>> gaussian(0.0).tolist()
    [[1.0]]
    >>> gaussian(2.0).shape
    (9, 9)
    """
    sigma = radius_px / RADIUS_PER_SIGMA
    if sigma < 1e-3:
        return np.ones((1, 1), np.float32)
    half = math.ceil(GAUSSIAN_REACH * sigma)
    bell = np.exp(-np.square(np.arange(-half, half + 1) / sigma) / 2)
    bell /= bell.sum()
    return np.outer(bell, bell).astype(np.float32)


POINT_SPREADS: dict[str, Callable[[float], Kernel]] = {"disk": disk, "gaussian": gaussian}
"""Functions by name from the disk radius in pixels to the kernel."""
