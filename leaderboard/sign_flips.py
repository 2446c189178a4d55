"""Permutation tests of mean differences by sign flips, corrected for multiple comparisons.

If two methods are equal, their difference on an image is as likely to be positive as negative. For up to `EXACT_IMAGES`
images, all sign patterns are enumerated; for more, `RESAMPLES` are drawn with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESAMPLES = 10_000
SEED = 0
EXACT_IMAGES = 13
"""Largest number of images for which all patterns are enumerated: 4,096 and their opposites."""

BLOCK_VALUES = 4_000_000
"""Patterns are processed in blocks of at most this many numbers, 32 MB."""

SLACK = 1e-9
"""Tolerance for sums of the same numbers in another order, in units of the norm of the differences."""


def sign_flip_p(differences: Array, resamples: int = RESAMPLES, seed: int = SEED) -> tuple[Array, Array]:
    """Return two-sided p-values of every row's mean, uncorrected and corrected for the number of rows, both (rows,).

    The statistic is |sum| / norm of the row, a monotone function of Student's |t|. Corrected values use the step-down
    maximum: a row is compared with the largest statistic, under the same signs, of all rows that are no more
    significant than itself. They control the family-wise error rate under any dependence between the rows.

    Args:
        differences: (rows, images) finite differences of two methods' scores.
        resamples: Number of patterns drawn for more than `EXACT_IMAGES` images; the observed one also counts, so p is
            never 0.
        seed: Seed of the draw.

    Reference:
        Westfall and Young, Resampling-based multiple testing, 1993, algorithm 2.8; Romano and Wolf, Exact and
        approximate stepdown methods for multiple hypothesis testing, JASA 100, 2005.

    >>> [p.tolist() for p in sign_flip_p(np.array([[1.0, 2.0, 3.0], [1.0, -1.0, 0.5]]))]
    [[0.25, 1.0], [0.5, 1.0]]
    """
    norms = np.sqrt((differences**2).sum(axis=1, keepdims=True))
    scaled = differences / np.where(norms > 0, norms, 1.0)
    observed = np.abs(scaled.sum(axis=1))
    order = np.argsort(observed, kind="stable")
    scaled, observed = scaled[order], observed[order] - SLACK
    alone, together, patterns = np.zeros(len(order)), np.zeros(len(order)), 0
    for signs in _signs(differences.shape[1], max(1, len(order)), resamples, seed):
        sums = np.abs(signs @ scaled.T)
        alone += (sums >= observed).sum(axis=0)
        together += (np.maximum.accumulate(sums, axis=1, out=sums) >= observed).sum(axis=0)
        patterns += len(signs)
    extra = int(differences.shape[1] > EXACT_IMAGES)
    stepped = np.maximum.accumulate(together[::-1])[::-1]
    found = np.empty((2, len(order)))
    found[:, order] = (np.stack([alone, stepped]) + extra) / (patterns + extra)
    return found[0], found[1]


def least_p(images: int, resamples: int = RESAMPLES) -> float:
    """Return the smallest p-value that `sign_flip_p` can give.

    >>> least_p(5), least_p(6), least_p(14, 9999)
    (0.0625, 0.03125, 0.0001)
    """
    return 2.0 ** (1 - images) if images <= EXACT_IMAGES else 1 / (resamples + 1)


def holm(p: Array) -> Array:
    """Return p-values corrected for their number by Holm's method (1979), in their order.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    scaled = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(scaled, 1.0)
    return corrected


def _signs(images: int, rows: int, resamples: int, seed: int) -> Iterator[Array]:
    """Yield patterns of 1 and -1, (patterns, images), in blocks; an enumeration has those with a first sign of 1."""
    exact = images <= EXACT_IMAGES
    total = 2 ** max(0, images - 1) if exact else resamples
    most = max(1, BLOCK_VALUES // max(rows, images))
    rng = np.random.default_rng(seed)
    for start in range(0, total, most):
        count = min(most, total - start)
        if exact:
            numbers = np.arange(start, start + count)[:, None]
            yield np.asarray(1.0 - 2.0 * ((2 * numbers) >> np.arange(images) & 1))
        else:
            yield np.asarray(1.0 - 2.0 * rng.integers(0, 2, (count, images)))
