"""Bootstrap over the images: means of methods, and how often each method is the best.

The draw has a fixed seed, so that the same scores give the same numbers. Of more images than `WHOLE_VALUES` allows,
samples are drawn a block at a time: the draw is the same, and memory does not grow with the images.
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
"""A draw of `WHOLE_VALUES` at most (10,000 samples of 400 images, 32 MB) is made at once; a larger one in blocks of
`BLOCK_VALUES`. Sums may then differ in their last digit."""


def resampled_means(scores: Array, resamples: int = RESAMPLES, seed: int = SEED) -> Array:
    """Return the means of bootstrap samples of the images, (resamples, methods), the same samples for all methods.

    Args:
        scores: (methods, images), finite.
        resamples: Number of samples, each of as many images as there are, with replacement.
        seed: Seed of the draw.
    """
    return np.concatenate([shares @ scores.T for shares in _shares(scores.shape[1], resamples, seed)])


def best_probability(scores: Array, higher_is_better: bool) -> Array:
    """Return in which share of the bootstrap samples each method is the best, (methods,); several best share.

    Args:
        scores: (methods, images), finite.
        higher_is_better: Or lower.
    """
    signed = resampled_means(scores) * (1 if higher_is_better else -1)
    best = signed == signed.max(axis=1, keepdims=True)
    return np.asarray((best / best.sum(axis=1, keepdims=True)).mean(axis=0))


def _shares(images: int, resamples: int, seed: int) -> Iterator[Array]:
    """Yield the share of every image in each bootstrap sample, (samples, images), all samples in one or more blocks."""
    rng = np.random.default_rng(seed)
    most = resamples if images * resamples <= WHOLE_VALUES else max(1, BLOCK_VALUES // images)
    for start in range(0, resamples, most):
        count = min(most, resamples - start)
        yield rng.multinomial(images, np.full(images, 1 / images), size=count) / images
