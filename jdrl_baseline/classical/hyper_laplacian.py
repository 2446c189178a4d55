"""Deconvolution with a prior on gradients, after Krishnan and Fergus (NIPS 2009), with mirrored borders.

Kernels of defocus are symmetric, so that with mirrored borders the cosine transform replaces the Fourier transform: no
padding, no tapering of edges, and only real numbers.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from jdrl_baseline.classical.point_spread import Kernel

Plane = NDArray[np.float32]

BETAS = tuple(2 ** (1.5 * step) for step in range(6))
"""Weights of the half-quadratic splitting, 1 to 181: from 1 by factors of 2 sqrt(2), up to 256."""

TABLE_SIZE = 8192
STEEPEST = 4.0
"""Largest slope in the table. Steeper ones, which do not occur in images in [0, 1], are clipped."""


def deconvolve_hyper_laplacian(plane: Plane, kernel: Kernel, weight: float, exponent: float) -> Plane:
    """Return the x that minimises weight / 2 |k * x - y|^2 + sum |gradient of x|^exponent, by half-quadratic splitting.

    Args:
        plane: y, (H, W), about 0 to 1.
        kernel: k, symmetric in rows and columns, sum 1.
        weight: Lambda of the data term; larger values give sharper and noisier results.
        exponent: Exponent of the prior, above 0 and below 2.

    Returns:
        (H, W) float32, not clipped.

    Reference:
        Krishnan and Fergus, Fast image deconvolution using hyper-Laplacian priors, NIPS 2009, eqs. (3) to (5).
    """
    from scipy.fft import dctn, idctn

    transfer, roughness = transfer_of(kernel, *plane.shape), _roughness(*plane.shape)
    data = transfer * dctn(plane, norm="ortho")
    power = np.square(transfer)
    found = plane
    for beta in BETAS:
        wanted = _divergence(
            _shrunk(np.diff(found, axis=0), beta, exponent), _shrunk(np.diff(found, axis=1), beta, exponent)
        )
        share = np.float32(weight / beta)
        top = dctn(wanted, norm="ortho", overwrite_x=True)
        top += share * data
        top /= share * power + roughness + np.float32(1e-9)
        found = idctn(top, norm="ortho", overwrite_x=True)
    return np.asarray(found, np.float32)


def transfer_of(kernel: Kernel, height: int, width: int) -> Plane:
    """Return the transfer function of a symmetric kernel for a plane with mirrored borders, (height, width) cosines.

    >>> transfer_of(np.ones((1, 1), np.float32), 2, 2).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    half = kernel.shape[0] // 2
    places = np.arange(-half, half + 1)
    down, across = (
        np.cos(np.pi / side * np.outer(np.arange(side), places)).astype(np.float32) for side in (height, width)
    )
    return np.asarray(down @ kernel @ across.T, np.float32)


def _roughness(height: int, width: int) -> Plane:
    """Return the squared gradient of each cosine."""
    down, across = (2 - 2 * np.cos(np.pi / side * np.arange(side)) for side in (height, width))
    return (down[:, None] + across).astype(np.float32)


def _divergence(down: Plane, across: Plane) -> Plane:
    """Return the transpose of the gradient: from (H-1, W) and (H, W-1) to (H, W)."""
    total = np.zeros((across.shape[0], down.shape[1]), np.float32)
    total[:-1] -= down
    total[1:] += down
    total[:, :-1] -= across
    total[:, 1:] += across
    return total


def _shrunk(slopes: Plane, beta: float, exponent: float) -> Plane:
    """Return the w that minimises |w|^exponent + beta / 2 (w - v)^2, for every v."""
    if exponent == 1:
        return slopes - slopes.clip(-1 / beta, 1 / beta)
    wanted, rises = _table(beta, exponent)
    places = np.minimum(np.abs(slopes), np.float32(STEEPEST)) * np.float32((TABLE_SIZE - 1) / STEEPEST)
    below = places.astype(np.int32)
    return np.copysign(wanted[below] + rises[below] * (places - below), slopes)


@lru_cache(maxsize=64)
def _table(beta: float, exponent: float) -> tuple[Plane, Plane]:
    """Return w for v from 0 to `STEEPEST`, and its increments.

    w is the root of exponent w^(exponent - 1) + beta (w - v) closest to v, or 0 if that costs less. For exponents above
    1 the left side increases with w, below 1 it does so beyond the inflection point; both roots are found by bisection.
    """
    slopes = np.linspace(0, STEEPEST, TABLE_SIZE)
    turn = 0.0 if exponent > 1 else (exponent * (1 - exponent) / beta) ** (1 / (2 - exponent))
    low, high = np.minimum(turn, slopes), slopes.copy()
    with np.errstate(divide="ignore"):
        for _ in range(60):
            middle = (low + high) / 2
            rises = exponent * middle ** (exponent - 1) + beta * (middle - slopes) > 0
            low, high = np.where(rises, low, middle), np.where(rises, middle, high)
    root = (low + high) / 2
    costs = root**exponent + beta / 2 * np.square(root - slopes)
    wanted = np.where(costs < beta / 2 * np.square(slopes), root, 0.0)
    return wanted.astype(np.float32), np.append(np.diff(wanted), 0).astype(np.float32)
