"""Comparison of the entries of one table in one metric: scores, significant differences, ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leaderboard.columns import HIGHER_IS_BETTER
from leaderboard.entry import Entry
from leaderboard.intervals import mean_intervals
from leaderboard.statistics import RANKED_IMAGES, Array, Paired, paired, ranks, shared
from sdd_bench.evaluation.row_columns import UNCERTAINTY
from sdd_bench.evaluation.rows import most_of
from sdd_bench.metrics.table import METRICS


def compared(entries: Sequence[Entry], metric: str, images: pd.Index | None = None) -> Paired:
    """Return the pairwise comparison of entries in a metric.

    Args:
        entries: Entries of one table with the same images.
        metric: Metric that all of them have.
        images: Names of the images to compare; None compares all.
    """
    return paired(score_matrix(entries, metric, images), least_differences(entries, metric, images))


def score_matrix(entries: Sequence[Entry], metric: str, images: pd.Index | None = None) -> Array:
    """Return a metric of several entries, (entries, images), with images in the given order or by name.

    Values are capped at `Metric.most`.
    """
    columns = [entry.rows[metric] if images is None else entry.rows.loc[images, metric] for entry in entries]
    return np.minimum(np.array([column.to_numpy() for column in columns], float), most_of(metric))


def metric_intervals(scores: Array, metric: str) -> Array:
    """Return the 95 % intervals of the means of (rows, images), (rows, 2), clipped to the range of the metric."""
    highest = min(METRICS[metric].highest, METRICS[metric].most)
    return np.clip(mean_intervals(scores), METRICS[metric].lowest, highest)


def least_differences(entries: Sequence[Entry], metric: str, images: pd.Index | None = None) -> Array:
    """Return the least differences that separate two methods, (entries, entries).

    The least difference is the smallest relevant difference of the metric. For PSNR, a truth with a ceiling adds the
    method's uncertainty, its mean over the images; the larger one of two methods counts.

    Args:
        entries: Entries of one table.
        metric: Metric to compare; uncertainties are those of the PSNR.
        images: Names of the images to compare; None compares all.
    """
    relevant = METRICS[metric].relevant
    if metric != "psnr_db" or not all(UNCERTAINTY in entry.rows for entry in entries):
        return np.full((len(entries), len(entries)), relevant)
    own = [entry.rows[UNCERTAINTY] if images is None else entry.rows.loc[images, UNCERTAINTY] for entry in entries]
    means = np.array([values.mean() for values in own], float)
    return np.fmax(np.maximum.outer(means, means), relevant)


def rank_cells(comparison: Paired, metric: str, images: int) -> dict[str, NDArray[np.generic]]:
    """Return ranks, their intervals and ties of compared methods by column; empty if no rank is claimed.

    Args:
        comparison: Result of `compared`.
        metric: Metric that was compared.
        images: Number of images; with fewer than `RANKED_IMAGES`, no rank is claimed.
    """
    if images < RANKED_IMAGES:
        return {}
    first, last = ranks(comparison, HIGHER_IS_BETTER[metric])
    return {"rank": first, "rank_lo": first, "rank_hi": last, "tie": shared(first, comparison)}
