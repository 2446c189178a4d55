"""Robust estimates: spread from medians, Tukey weights, similarities, block medians."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

MAD_TO_SIGMA = 1.4826
"""Standard deviation of Gaussian noise divided by its median absolute deviation."""

TUKEY = 4.685
"""Tukey's constant: 95 % efficiency for Gaussian residuals."""

FIT_STEPS = 10

Floats = NDArray[np.float64]


def spread(residual: NDArray[np.floating]) -> float:
    """Return the standard deviation of residuals about 0, from the median of their absolute values.

    >>> spread(np.array([-1.0, 0.0, 1.0, 1000.0]))
    1.4826
    """
    return MAD_TO_SIGMA * float(np.median(np.abs(residual)))


def tukey_weight(residual: NDArray[np.floating], sigma: float) -> NDArray[np.floating]:
    """Return Tukey weights of residuals: 1 at 0, and 0 beyond `TUKEY` standard deviations.

    >>> tukey_weight(np.array([0.0, 4.685, 9.0]), 1.0).tolist()
    [1.0, 0.0, 0.0]
    """
    return np.clip(1 - (residual / (TUKEY * sigma)) ** 2, 0, None) ** 2


def fit_similarity(
    x: Floats, y: Floats, target: Floats, width: Callable[[Floats], float], start: Floats | None = None
) -> Floats:
    """Return (a, b, c, d) of the map (a x - b y + c, b x + a y + d), by least squares with Tukey weights.

    Args:
        x: (N,) coordinates to the right, relative to their centre so that the four unknowns are independent.
        y: (N,) coordinates downwards, relative to their centre.
        target: (2, N) coordinates to which the points are mapped.
        width: Function from the squared residuals, (N,), to the residual at which a weight reaches 0.
        start: Initial solution; None starts from plain least squares.
    """
    zeros, ones = np.zeros_like(x), np.ones_like(x)
    design = np.stack([np.stack([x, -y, ones, zeros]), np.stack([y, x, zeros, ones])])
    found, weight = start, ones
    for _ in range(FIT_STEPS):
        if found is not None:
            off = target - np.einsum("ikn,k->in", design, found)
            square = (off * off).sum(axis=0)
            weight = np.clip(1 - square / width(square) ** 2, 0, None) ** 2
        weighted = design * weight
        normal, right = np.einsum("ikn,iln->kl", weighted, design), np.einsum("ikn,in->k", weighted, target)
        found = np.linalg.lstsq(normal, right, rcond=1e-12)[0]
    return np.asarray(found)


def block_medians(
    points: NDArray[np.integer | np.floating], vectors: Floats, block_px: int, min_points: int
) -> tuple[Floats, Floats]:
    """Return the centre and the median vector of each block of an image with enough points, both (blocks, 2).

    Errors of single vectors from noise and blur cancel in a block; displacements of moved objects do not.

    Args:
        points: (N, 2) points, x and y in pixels, at least 0; a block's centre is the mean of its points.
        vectors: (N, 2) vectors, one for each point.
        block_px: Side of a block.
        min_points: Blocks with fewer points are left out.

    >>> block_medians(np.array([[0, 0], [2, 0], [9, 0]]), np.array([[1.0, 0], [3, 4], [5, 5]]), 8, 2)
    (array([[1., 0.]]), array([[2., 2.]]))
    """
    block = (points // block_px).astype(np.int64) @ np.array([1, 1 << 20])
    order = np.argsort(block, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(block[order])) + 1)
    kept = [group for group in groups if len(group) >= min_points]
    centres = np.array([points[group].mean(axis=0) for group in kept], np.float64)
    medians = np.array([_median(vectors[group]) for group in kept], np.float64)
    return centres.reshape(-1, 2), medians.reshape(-1, 2)


def _median(vectors: Floats) -> Floats:
    """Return the median of the rows of (N, 2), as `np.median` does, but two to four times as fast."""
    low, high = (len(vectors) - 1) // 2, len(vectors) // 2
    ordered = np.partition(vectors, (low, high), axis=0)
    return np.asarray((ordered[low] + ordered[high]) / 2)
