"""Pairwise comparison of methods on the same images: separation, ranks and their intervals.

Scores are given as (methods, images), finite. The same scores give the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard.intervals import mean_intervals
from leaderboard.sign_flips import RESAMPLES, SEED, holm, least_p, sign_flip_p

Array = NDArray[np.float64]

RANKED_IMAGES = 6
"""Fewer images claim no rank: the sign flips of five cannot give a p value below 0.0625."""

ALPHA = 0.05
"""Level of the tests, for all pairs of a table together."""


@dataclass(frozen=True)
class Paired:
    """Every method against every other on the same images; entry [i, j] is about i minus j, (m, m) each.

    Attributes:
        difference: Difference of the means.
        low: Lower end of its 95 % interval; NaN where there is none.
        high: Upper end.
        median: Median of the differences over the images.
        above: Share of the images on which i scores higher than j, equal scores counted half.
        p: P-value of the sign-flip permutation test that the difference is 0, two-sided; NaN where it cannot be below
            0.05.
        p_holm: The same, corrected for the number of pairs by Holm's method; NaN likewise.
        p_adjusted: The same, corrected by the step-down maximum over the pairs; NaN likewise. This one separates.
        least: Below which the difference of two methods separates nobody.
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
        """Whether two methods are told apart, (m, m).

        Their difference is significant at 5 % after correction for all pairs, its own 95 % interval excludes 0, and it
        is not below `least`.
        """
        significant = (self.p_adjusted < ALPHA) & ((self.low > 0) | (self.high < 0))
        return np.asarray(significant & (np.abs(self.difference) >= self.least))


def paired(scores: Array, least: Array | float = 0.0, resamples: int = RESAMPLES, seed: int = SEED) -> Paired:
    """Return every method against every other.

    Args:
        scores: (methods, images).
        least: Below which the difference of two methods separates nobody, one number or (methods, methods).
        resamples: Sign patterns drawn where there are too many to go through all of them.
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

    A rank is 1 plus the number of methods that are separated from this one and better; the last one is the number of
    methods less those that are worse. From the one to the other is a 95 % interval of the rank that the methods would
    have on images without number, for all methods together.

    Args:
        comparison: Result of `paired`.
        higher_is_better: Or lower.

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
    """Return the p values that can be below 0.05, by name."""
    least = least_p(rows.shape[1], resamples)
    if least >= ALPHA:
        return {}
    p, adjusted = sign_flip_p(rows, resamples, seed)
    found = {"p": p, "p_adjusted": adjusted}
    return found | ({"p_holm": holm(p)} if least * len(rows) < ALPHA else {})
