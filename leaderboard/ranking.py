"""Ranked table as a DataFrame: the Python counterpart of `sdd-bench leaderboard`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from leaderboard.columns import BEST, without_unmeasured
from leaderboard.comparable import check_comparable
from leaderboard.entry import Entry, entry_of, read_entry
from leaderboard.table import build_board
from sdd_bench.evaluation.results import Results
from sdd_bench.metrics.table import ranking_column

LEFT_OUT = ("reported_psnr_db", "reported_ssim", "reported_lpips")
"""Columns of leaderboard.csv that are about papers, not about the results."""


def rank(results: Iterable[Results | str | os.PathLike[str]], sort: str = "psnr_db") -> pd.DataFrame:
    """Return the ranked table of results of one dataset, split and protocol, best method first.

    A rank is 1 plus the number of methods that are significantly better on the same images, corrected for the number of
    pairs of methods, so that methods that are not separated share a rank. Partial results and results without the
    ranking metric come last, without a rank. Nothing is ranked under a protocol that does not rank, or on fewer than
    six images. The order of the results does not affect the table.

    Args:
        results: Results from `evaluate`, or paths of results files.
        sort: Metric to rank by, as `psnr_db` or `psnr`.

    Returns:
        One row per method: `rank` (missing if there is none), `rank_lo` to `rank_hi` (its 95 % interval, simultaneous
        for all ranks), `tie` (True if the rank is shared), `best_probability` (share of resamples in which the method
        is the best), `method`, `n_images`, the mean of each metric with the ends of its interval (`psnr_db`, `psnr_lo`,
        `psnr_hi`, ...), the diagnostics of anchored protocols, the costs of the method, `status`, `copies` (predictions
        that are equal to the sharp image, the blur image or the truth), and the identity of the scored data. Numbers
        are NaN if not measured.

    Raises:
        UserError: There are no results; results cannot share a table (with their differences); two results are of one
            method; methods were not scored on the same images; a file is damaged; or a metric is unknown.

    Example:
        >>> table = rank(["results/a.json", "results/b.json"])  # doctest: +SKIP
        >>> table[["rank", "tie", "method", "psnr_db", "psnr_lo", "psnr_hi"]]  # doctest: +SKIP
    """
    metric = ranking_column(sort, "sort")
    entries = [_entry(result) for result in results]
    check_comparable(entries)
    rows = without_unmeasured(build_board(entries, metric).rows)
    first = ("rank", "rank_lo", "rank_hi", "tie", BEST)
    return rows[[*first, *(column for column in rows if column not in (*first, *LEFT_OUT))]]


def _entry(result: Results | str | os.PathLike[str]) -> Entry:
    if isinstance(result, Results):
        return entry_of(result, f"results of {result.method.name!r}")
    return read_entry(Path(result))
