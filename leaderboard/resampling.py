"""Bootstrap over the images: means of methods, and probability of each method to be the best.

The random seed is fixed, so that the same scores give the same numbers. With more images than `WHOLE_VALUES` allows,
samples are drawn block by block: the draw is the same, and memory does not grow with the images.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESAMPLES = 10_000
SEED = 0
WHOLE_VALUES = 4_000_000
BLOCK_VALUES = 1_000_000
"""A draw of at most `WHOLE_VALUES` (10,000 samples of 400 images, 32 MB) is made at once; a larger one in blocks of
`BLOCK_VALUES`. Sums may then differ in their last digit."""


def resampled_means(scores: Array, resamples: int = RESAMPLES, seed: int = SEED) -> Array:
    """Return the means of bootstrap samples of the images, (resamples, methods), with the same samples for all methods.

    Args:
        scores: (methods, images) finite scores.
        resamples: Number of samples, each with as many images as there are, drawn with replacement.
        seed: Seed of the draw.
    """
    return np.concatenate([shares @ scores.T for shares in _shares(scores.shape[1], resamples, seed)])


def best_probability(scores: Array, higher_is_better: bool) -> Array:
    """Return the share of bootstrap samples in which each method is the best, (methods,); ties are divided equally.

    Args:
        scores: (methods, images) finite scores.
        higher_is_better: Whether higher scores are better.
    """
    signed = resampled_means(scores) * (1 if higher_is_better else -1)
    best = signed == signed.max(axis=1, keepdims=True)
    return np.asarray((best / best.sum(axis=1, keepdims=True)).mean(axis=0))


def _shares(images: int, resamples: int, seed: int) -> Iterator[Array]:
    """Yield the share of every image in each bootstrap sample, (samples, images), in one or more blocks."""
    rng = np.random.default_rng(seed)
    most = resamples if images * resamples <= WHOLE_VALUES else max(1, BLOCK_VALUES // images)
    for start in range(0, resamples, most):
        count = min(most, resamples - start)
        yield rng.multinomial(images, np.full(images, 1 / images), size=count) / images
