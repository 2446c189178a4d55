"""Pairwise comparison of methods on the same images: separation, ranks and their intervals.

Scores are (methods, images) and finite. The same scores give the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard.intervals import mean_intervals
from leaderboard.sign_flips import RESAMPLES, SEED, holm, least_p, sign_flip_p

Array = NDArray[np.float64]

RANKED_IMAGES = 6
"""Least number of images for ranks: the sign flips of five images cannot give a p-value below 0.0625."""

ALPHA = 0.05
"""Significance level of the tests, for all pairs of a table together."""


@dataclass(frozen=True)
class Paired:
    """Pairwise comparison of methods on the same images; entry [i, j] is about i minus j, (m, m) each.

    Attributes:
        difference: Difference of the means.
        low: Lower end of its 95 % interval; NaN if there is none.
        high: Upper end of its 95 % interval.
        median: Median of the differences over the images.
        above: Share of the images on which i scores higher than j; ties count half.
        p: Two-sided p-value of the sign-flip permutation test that the difference is 0; NaN if it cannot be below 0.05.
        p_holm: P-value corrected for the number of pairs by Holm's method; NaN likewise.
        p_adjusted: P-value corrected by the step-down maximum over the pairs, which determines separation; NaN
            likewise.
        least: Least difference that separates two methods.
    """

    difference: Array
    low: Array
    high: Array
    median: Array
    above: Array
    p: Array
    p_holm: Array
    p_adjusted: Array
    least: Array

    @property
    def separated(self) -> NDArray[np.bool_]:
        """Whether two methods are separated, (m, m).

        They are separated if their difference is significant at 5 % after correction for all pairs, its own 95 %
        interval excludes 0, and it is not below `least`.
        """
        significant = (self.p_adjusted < ALPHA) & ((self.low > 0) | (self.high < 0))
        return np.asarray(significant & (np.abs(self.difference) >= self.least))


def paired(scores: Array, least: Array | float = 0.0, resamples: int = RESAMPLES, seed: int = SEED) -> Paired:
    """Return the pairwise comparison of all methods.

    Args:
        scores: (methods, images) finite scores.
        least: Least difference that separates two methods, one number or (methods, methods).
        resamples: Number of sign patterns drawn if there are too many to enumerate.
        seed: Seed of the draw.
    """
    count, images = scores.shape
    found = {name: np.full((count, count), np.nan) for name in ("low", "high", "p", "p_holm", "p_adjusted")}
    median, above = np.zeros((count, count)), np.full((count, count), 0.5)
    first, second = np.triu_indices(count, 1)
    if len(first) and images:
        rows = scores[first] - scores[second]
        low, high = mean_intervals(rows).T
        found["low"][first, second], found["high"][first, second] = low, high
        found["low"][second, first], found["high"][second, first] = -high, -low
        median[first, second] = np.median(rows, axis=1)
        median[second, first] = -median[first, second]
        above[first, second] = ((rows > 0) + 0.5 * (rows == 0)).mean(axis=1)
        above[second, first] = 1 - above[first, second]
        for name, values in _p_values(rows, resamples, seed).items():
            found[name][first, second] = found[name][second, first] = values
    mean = scores.mean(axis=1) if images else np.full(count, np.nan)
    difference = mean[:, None] - mean[None, :]
    return Paired(difference, median=median, above=above, least=np.broadcast_to(least, (count, count)), **found)


def ranks(comparison: Paired, higher_is_better: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rank of every method and the last rank that it may have, (methods,) each.

    A rank is 1 plus the number of methods that are separated from this one and better; the last rank is the number of
    methods minus those that are separated and worse. Together they are a 95 % interval of the rank on infinitely many
    images, simultaneous for all methods.

    Args:
        comparison: Result of `paired`.
        higher_is_better: Whether higher scores are better.

    Reference:
        Mogstad, Romano, Shaikh and Wilhelm, Inference for ranks with applications to mobility across neighbourhoods
        and academic achievement across countries, Review of Economic Studies 91, 2024.
    """
    apart = comparison.separated
    wins = apart & (comparison.difference > 0 if higher_is_better else comparison.difference < 0)
    return 1 + wins.sum(axis=0), len(wins) - wins.sum(axis=1)


def shared(rank: NDArray[np.int64], comparison: Paired) -> NDArray[np.bool_]:
    """Return whether each method shares its rank with one that it is not separated from, (methods,)."""
    alike = (rank[:, None] == rank[None, :]) & ~comparison.separated & ~np.eye(len(rank), dtype=bool)
    return np.asarray(alike.any(axis=1))


def _p_values(rows: Array, resamples: int, seed: int) -> dict[str, Array]:
    """Return the p-values that can be below 0.05, by name."""
    least = least_p(rows.shape[1], resamples)
    if least >= ALPHA:
        return {}
    p, adjusted = sign_flip_p(rows, resamples, seed)
    found = {"p": p, "p_adjusted": adjusted}
    return found | ({"p_holm": holm(p)} if least * len(rows) < ALPHA else {})
