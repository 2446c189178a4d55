"""How sure a ranking is: intervals of means, paired differences, ties, the probability of being best.

Everything resamples images with a fixed seed, so that the same scores give the same numbers. Scores are given as
(methods, images); a method with a score that is not finite (the PSNR of identical images) has no interval. Of more
images than `WHOLE_VALUES` allows, samples are drawn a block at a time: the draw is the same, and memory does not grow
with the images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
SEED = 0
LEVEL = 0.95
EXACT_IMAGES = 13
"""Up to so many images all sign flips are gone through, 8,192; beyond, `RESAMPLES` of them are drawn."""

WHOLE_VALUES = 4_000_000
BLOCK_VALUES = 1_000_000
"""A draw of `WHOLE_VALUES` at most (10,000 samples of 400 images, 32 MB) is made at once; a larger one in blocks of
`BLOCK_VALUES`. Sums may then differ in their last digit."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """Every method against every other on the same images; entry [i, j] is about i minus j.

    Attributes:
        difference: Of the means, (m, m).
        low: Lower end of its interval, (m, m); NaN where there is none.
        high: Upper end.
        p: Of the sign-flip permutation test that the difference is 0, two-sided, (m, m).
        p_holm: The same, corrected for the number of pairs by Holm's method.
        least: Below which the difference of two methods separates nobody, (m, m).
    """

    difference: Array
    low: Array
    high: Array
    p: Array
    p_holm: Array
    least: Array

    @property
    def tied(self) -> NDArray[np.bool_]:
        """Whether two methods cannot be told apart, (m, m).

        The interval of their difference contains 0, or the difference is below `least`.
        """
        alike = (self.difference == 0) | np.isnan(self.difference)
        near = np.abs(self.difference) < self.least
        return np.where(np.isnan(self.low), alike, (self.low <= 0) & (self.high >= 0) | near)


def resampled_means(scores: Array, resamples: int = RESAMPLES, seed: int = SEED) -> Array:
    """Return the means of bootstrap samples of the images, (resamples, methods), the same samples for all methods.

    Args:
        scores: (methods, images).
        resamples: How many samples, each of as many images as there are, with replacement.
        seed: Of the draw.
    """
    return resampled_means_of([scores], resamples, seed)[0]


def resampled_means_of(tables: Sequence[Array], resamples: int = RESAMPLES, seed: int = SEED) -> list[Array]:
    """Return `resampled_means` of each of several tables of scores; those of as many images share one draw.

    Args:
        tables: (methods, images) each.
        resamples: As there.
        seed: As there.
    """
    filled = [np.where(np.isfinite(scores), scores, 0.0) for scores in tables]
    means = [np.empty((resamples, len(scores))) for scores in tables]
    for images in dict.fromkeys(scores.shape[1] for scores in tables):
        start = 0
        for shares in _resamples(images, resamples, seed):
            for scores, found in zip(filled, means, strict=True):
                if scores.shape[1] == images:
                    found[start : start + len(shares)] = shares @ scores.T
            start += len(shares)
    return means


def intervals(scores: Array, means: Array | None = None) -> Array:
    """Return the percentile interval of every method's mean, (methods, 2), NaN where a score is not finite.

    Args:
        scores: (methods, images).
        means: Of `resampled_means`, where they are at hand.

    >>> intervals(np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])).round(2).tolist()
    [[1.0, 1.0], [0.0, 2.0]]
    """
    means = resampled_means(scores) if means is None else means
    ends = np.percentile(means, _ends(), axis=0).T
    ends[~np.isfinite(scores).all(axis=1)] = np.nan
    return np.asarray(ends)


def paired(
    scores: Array,
    means: Array | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    least: Array | None = None,
) -> Paired:
    """Return every method against every other.

    Args:
        scores: (methods, images).
        means: Of `resampled_means`, where they are at hand.
        resamples: Of the intervals and of the sign flips.
        seed: Of both.
        least: Below which the difference of two methods separates nobody, (methods, methods); 0 if None.
    """
    count = len(scores)
    means = resampled_means(scores, resamples, seed) if means is None else means
    with np.errstate(invalid="ignore"):
        mean = scores.mean(axis=1)
        difference = mean[:, None] - mean[None, :]
    low, high, p, p_holm = (np.full((count, count), np.nan) for _ in range(4))
    first, second = np.triu_indices(count, 1)
    finite = np.asarray(np.isfinite(scores).all(axis=1))
    kept = finite[first] & finite[second]
    first, second = first[kept], second[kept]
    if len(first):
        ends = np.percentile(means[:, first] - means[:, second], _ends(), axis=0)
        low[first, second], high[first, second] = ends
        low[second, first], high[second, first] = -ends[::-1]
        found = sign_flip_p(scores[first] - scores[second], resamples, seed)
        p[first, second] = p[second, first] = found
        p_holm[first, second] = p_holm[second, first] = holm(found)
    return Paired(difference, low, high, p, p_holm, np.zeros((count, count)) if least is None else least)


def sign_flip_p(differences: Array, resamples: int = RESAMPLES, seed: int = SEED) -> Array:
    """Return the two-sided p value of each row's mean under random signs of its differences.

    Args:
        differences: (pairs, images), one method's scores less another's.
        resamples: Sign patterns drawn where there are over `EXACT_IMAGES` images; the one observed is counted too, so
            that p is never 0.
        seed: Of the draw.

    >>> sign_flip_p(np.array([[1.0, 2.0, 3.0]])).tolist()
    [0.25]
    """
    images = differences.shape[1]
    extra = int(images > EXACT_IMAGES)
    observed = np.abs(differences.sum(axis=1))
    slack = 1e-12 * np.abs(differences).sum(axis=1)  # sums of the same numbers in another order
    reached, patterns = np.zeros(len(differences), np.int64), 0
    for signs in _signs(images, resamples, seed):
        reached += (np.abs(signs @ differences.T) >= observed - slack).sum(axis=0)
        patterns += len(signs)
    return np.asarray((reached + extra) / (patterns + extra))


def holm(p: Array) -> Array:
    """Return p values corrected for their number, Holm (1979), in their order.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    scaled = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(scaled, 1.0)
    return corrected


def best_probability(scores: Array, higher_is_better: bool, means: Array | None = None) -> Array:
    """Return in which share of the bootstrap samples each method is the best, (methods,); several best share.

    Args:
        scores: (methods, images).
        higher_is_better: Or lower.
        means: Of `resampled_means`, where they are at hand.
    """
    means = resampled_means(scores) if means is None else means
    worst = -np.inf if higher_is_better else np.inf
    signed = np.where(np.isfinite(scores).all(axis=1), means, worst) * (1 if higher_is_better else -1)
    best = signed == signed.max(axis=1, keepdims=True)
    return np.asarray((best / best.sum(axis=1, keepdims=True)).mean(axis=0))


def tied_ranks(order: Sequence[int], comparison: Paired) -> list[int]:
    """Return the rank of every method in `order`, ties sharing the best.

    The best method leads a group; every next one that ties with the leader shares its rank; the first that does not
    leads the next group, its rank being its place. So in a chain (A ties B, B ties C, A beats C) A and B are first and
    C is third, although it ties with B: what A is known to beat is not first.

    Args:
        order: Methods from best to worst mean, as indices.
        comparison: Of `paired`.
    """
    ranks: list[int] = []
    tied, leader = comparison.tied, -1
    for place, method in enumerate(order, 1):
        if leader >= 0 and tied[leader, method]:
            ranks.append(ranks[-1])
        else:
            leader = method
            ranks.append(place)
    return ranks


def _resamples(images: int, resamples: int, seed: int) -> Iterator[Array]:
    """Yield the share of every image in each bootstrap sample, (samples, images), all samples in one or more blocks."""
    rng = np.random.default_rng(seed)
    for count in _blocks(images, resamples):
        yield rng.multinomial(images, np.full(images, 1 / images), size=count) / images


def _signs(images: int, resamples: int, seed: int) -> Iterator[Array]:
    """Yield patterns of 1 and -1, (patterns, images), in one or more blocks: all there are for few images."""
    if images <= EXACT_IMAGES:
        yield np.asarray(1.0 - 2.0 * (np.arange(2**images)[:, None] >> np.arange(images) & 1))
        return
    rng = np.random.default_rng(seed)
    for count in _blocks(images, resamples):
        yield np.asarray(1.0 - 2.0 * rng.integers(0, 2, (count, images)))


def _blocks(images: int, resamples: int) -> Iterator[int]:
    """Yield how many samples each block holds."""
    most = resamples if images * resamples <= WHOLE_VALUES else max(1, BLOCK_VALUES // images)
    for start in range(0, resamples, most):
        yield min(most, resamples - start)


def _ends() -> tuple[float, float]:
    return 50 * (1 - LEVEL), 50 * (1 + LEVEL)
