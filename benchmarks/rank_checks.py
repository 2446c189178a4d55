"""Largest differences between the leaderboard's statistics and those of SciPy and statsmodels on the same numbers."""

from __future__ import annotations

import numpy as np
from rank_draws import student_p
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from leaderboard.intervals import mean_intervals
from leaderboard.resampling import resampled_means
from leaderboard.sign_flips import holm, sign_flip_p

PEER_FLIPS = 20_000


def checks(rng: np.random.Generator) -> list[tuple[str, str, float]]:
    """Return the checks: what was compared, with which peer, and the largest difference."""
    rows = [(what, peer, float(apart)) for what, peer, apart in (_student(rng), _exact(rng), _drawn(rng), _holm(rng))]
    return [*rows, _paired_t(rng), _corrected(rng), _bootstrap(rng)]


def _student(rng: np.random.Generator) -> tuple[str, str, float]:
    """Compare intervals of symmetric samples, which need no correction for skewness."""
    apart = 0.0
    for images in (3, 6, 10, 40):
        half = rng.normal(0, 1, images)
        sample = np.concatenate([half, -half]) + 0.3
        theirs = DescrStatsW(sample).tconfint_mean()
        apart = max(apart, float(np.abs(mean_intervals(sample[None])[0] - theirs).max()))
    return "interval of a mean, symmetric samples", "statsmodels `DescrStatsW.tconfint_mean`", apart


def _exact(rng: np.random.Generator) -> tuple[str, str, float]:
    apart = 0.0
    for images in (2, 5, 9, 12):
        rows = rng.normal(0.4, 1, (3, images))
        apart = max(apart, *np.abs(sign_flip_p(rows)[0] - [_scipy_p(row, np.inf, rng) for row in rows]))
    return "p value by all sign flips, up to 13 images", "scipy `permutation_test`", apart


def _drawn(rng: np.random.Generator) -> tuple[str, str, float]:
    rows = rng.normal(0.15, 1, (4, 40))
    apart = np.abs(sign_flip_p(rows)[0] - [_scipy_p(row, PEER_FLIPS, rng) for row in rows]).max()
    return "p value by drawn sign flips, 40 images", "scipy `permutation_test`, other draws", float(apart)


def _holm(rng: np.random.Generator) -> tuple[str, str, float]:
    apart = 0.0
    for count in (1, 3, 45, 1225):
        p = rng.random(count) ** 3
        apart = max(apart, float(np.abs(holm(p) - multipletests(p, method="holm")[1]).max()))
    return "Holm's correction", "statsmodels `multipletests`", apart


def _paired_t(rng: np.random.Generator) -> tuple[str, str, float]:
    rows = rng.normal(0.2, 1, (20, 12))
    apart = np.abs(student_p(rows) - stats.ttest_1samp(rows, 0, axis=1).pvalue).max()
    return "paired t tests, the peers of the tables above", "scipy `ttest_1samp`", float(apart)


def _corrected(rng: np.random.Generator) -> tuple[str, str, float]:
    """Compare corrected p values of independent rows, for which the step-down maximum is about Sidak's."""
    rows = rng.normal(0, 1, (3, 60)) + np.array([[0.4], [0.3], [0.05]])
    p, adjusted = sign_flip_p(rows, 40_000)
    apart = np.abs(adjusted - multipletests(p, method="holm-sidak")[1]).max()
    return "step-down maximum, independent rows", "statsmodels `multipletests`, Holm-Sidak", float(apart)


def _bootstrap(rng: np.random.Generator) -> tuple[str, str, float]:
    scores = rng.normal(26, 1, (1, 50))
    ours = np.percentile(resampled_means(scores), (2.5, 97.5), axis=0)[:, 0]
    theirs = stats.bootstrap(
        (scores[0],), np.mean, method="percentile", n_resamples=10_000, rng=rng
    ).confidence_interval
    return "resampled means, 50 images", "scipy `bootstrap`, other draws", float(np.abs(ours - theirs).max())


def _scipy_p(row: np.ndarray, resamples: float, rng: np.random.Generator) -> float:
    found = stats.permutation_test(
        (row,),
        lambda values, axis: np.abs(values.mean(axis=axis)),
        permutation_type="samples",
        alternative="greater",
        vectorized=True,
        n_resamples=resamples,
        rng=rng,
    )
    return float(found.pvalue)
