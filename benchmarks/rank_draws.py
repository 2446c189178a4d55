"""Simulated scores with known truth, and the results of the leaderboard's statistics and their peers for them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from leaderboard.intervals import mean_intervals
from leaderboard.sign_flips import holm
from leaderboard.statistics import paired

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

GAIN_SHARE, GAIN_DB = 0.15, 1.0
SPREAD_DB = 0.3
"""Standard deviation, over the images, of the difference of two methods; in the 15 % case it follows from the gains."""

LEVEL = 0.95
ALPHA = 0.05


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.normal(0, 1, shape)


def _skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return (rng.gamma(2, 1, shape) - 2) / np.sqrt(2)


def _strongly_skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.exponential(1, shape) - 1


def _heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_t(3, shape) / np.sqrt(3)


def _gains(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    gained = rng.random(shape) < GAIN_SHARE
    values = np.where(gained, rng.normal(GAIN_DB, 0.2, shape), rng.normal(0, 0.05, shape))
    return (values - GAIN_SHARE * GAIN_DB) / SPREAD_DB


DRAWS: dict[str, Draw] = {
    "normal": _normal,
    "skewed": _skewed,
    "heavy-tailed": _heavy,
    "gains on 15 %": _gains,
}
"""Name to a function that draws the variation between images, with mean 0 and standard deviation about 1."""

BEYOND: dict[str, Draw] = {"strongly skewed": _strongly_skewed}
"""Further distributions, more difficult than those the statistics are designed for."""


@dataclass(frozen=True)
class Effort:
    """Size of the simulation.

    Attributes:
        samples: Number of samples for the coverage of sdd-bench's interval and of Student's.
        peer_samples: Number of samples for the coverage of SciPy's bootstraps.
        resamples: Number of resamples of these bootstraps.
        tables: Number of methods to the number of simulated tables with equal methods.
        power_tables: Number of simulated tables for the power.
        flips: Number of random sign patterns if not all can be used; the leaderboard draws 10,000.
    """

    samples: int = 100_000
    peer_samples: int = 1_000
    resamples: int = 399
    tables: tuple[tuple[int, int], ...] = ((2, 2_000), (4, 2_000), (10, 1_000), (20, 600), (50, 400))
    power_tables: int = 400
    flips: int = 299


QUICK = Effort(4_000, 20, 99, ((2, 40), (4, 40), (10, 10), (20, 4), (50, 2)), 4, 99)


def coverage(draw: Draw, images: int, effort: Effort, rng: np.random.Generator) -> dict[str, float]:
    """Return the coverage of each interval for the mean, which is 0, and the width of sdd-bench's interval."""
    scores = draw(rng, (effort.samples, images))
    ours = mean_intervals(scores)
    reach = stats.t.ppf((1 + LEVEL) / 2, images - 1) * scores.std(axis=1, ddof=1) / np.sqrt(images)
    found = {"ours": _holds(ours), "student": float((np.abs(scores.mean(axis=1)) <= reach).mean())}
    found["width"] = float(np.mean(np.diff(ours)[:, 0]) / np.mean(2 * reach))
    few = scores[: effort.peer_samples]
    for name, method in (("percentile", "percentile"), ("bca", "BCa")):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # about degenerate samples of two or three images
            theirs = stats.bootstrap(
                (few,), np.mean, axis=-1, method=method, n_resamples=effort.resamples, batch=50, rng=rng
            ).confidence_interval
        found[name] = _holds(np.stack([theirs.low, theirs.high], axis=1))
    return found


def false_separations(
    draw: Draw, methods: int, images: int, effort: Effort, rng: np.random.Generator
) -> dict[str, float]:
    """Return the rates of false separations in tables of equal methods: sdd-bench, paired t tests, Holm's t tests."""
    tables = dict(effort.tables)[methods]
    first, second = np.triu_indices(methods, 1)
    counts = {"ours": 0, "plain": 0, "holm": 0, "bars": 0}
    for _ in range(tables):
        hard = rng.normal(26, 2, images)
        scores = hard + SPREAD_DB / np.sqrt(2) * draw(rng, (methods, images))
        counts["ours"] += bool(paired(scores, 0.01, effort.flips).separated.any())
        p = student_p(scores[first] - scores[second])
        counts["plain"] += bool((p < ALPHA).any())
        counts["holm"] += bool(p.min() * len(p) < ALPHA)  # the first step of Holm's method
        low, high = mean_intervals(scores).T
        counts["bars"] += bool((low[:, None] > high[None]).any())
    return {name: count / tables for name, count in counts.items()}


def power(methods: int, images: int, gain_db: float, effort: Effort, rng: np.random.Generator) -> dict[str, float]:
    """Return the share of equal methods from which the better one is separated, by sdd-bench and by Holm's t tests."""
    first, second = np.triu_indices(methods, 1)
    found = {"ours": 0.0, "holm": 0.0}
    for _ in range(effort.power_tables):
        scores = rng.normal(26, 2, images) + SPREAD_DB / np.sqrt(2) * rng.normal(0, 1, (methods, images))
        scores[0] += gain_db
        comparison = paired(scores, 0.01, effort.flips)
        found["ours"] += (comparison.separated & (comparison.difference > 0))[0, 1:].mean()
        p = student_p(scores[first] - scores[second])
        better = scores[0].mean() > scores[1:].mean(axis=1)
        found["holm"] += ((holm(p)[: methods - 1] < ALPHA) & better).mean()
    return {name: value / effort.power_tables for name, value in found.items()}


def one_sided(images: int, effort: Effort, rng: np.random.Generator) -> dict[str, float]:
    """Return the rate at which two methods of equal mean are separated if one gains on 15 % and loses on the others."""
    tables = dict(effort.tables)[2]
    separated = 0
    for _ in range(tables):
        even = rng.normal(26, 2, images)
        scores = np.stack([even, even + SPREAD_DB * _gains(rng, (images,))])
        separated += bool(paired(scores, 0.01, effort.flips).separated.any())
    return {"ours": separated / tables}


def student_p(differences: Array) -> Array:
    """Return the two-sided p values of paired t tests, (rows,), without the overhead of SciPy's own function."""
    images = differences.shape[1]
    error = differences.std(axis=1, ddof=1) / np.sqrt(images)
    return np.asarray(2 * special.stdtr(images - 1, -np.abs(differences.mean(axis=1)) / error))


def _holds(ends: Array) -> float:
    return float(((ends[:, 0] <= 0) & (ends[:, 1] >= 0)).mean())
