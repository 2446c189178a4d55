"""Columns of ranked tables, which depend on how a protocol judges geometry, and of comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdd_bench.evaluation.protocol import PROTOCOLS
from sdd_bench.evaluation.row_columns import CEILING, FORGIVENESS, UNCERTAINTY
from sdd_bench.metrics.table import DEFAULT, METRICS

if TYPE_CHECKING:
    import pandas as pd

INTERVALS = {name: metric.interval for name, metric in METRICS.items() if metric.interval}
"""Prefix of the names of the interval columns, by metric."""

SHOWN = sorted(METRICS, key=lambda name: (name not in DEFAULT, name not in INTERVALS))
"""Metrics in the order of the tables: default ones first, and among these the ones with intervals."""

HIGHER_IS_BETTER = {name: up for name in SHOWN if (up := METRICS[name].higher_is_better) is not None}
"""Whether higher is better, for the metrics that rank, in the order of the tables."""


def _with_interval(name: str) -> tuple[str, ...]:
    """Return the columns of a metric: its own, and those of the ends of its interval if it has one."""
    return (name, *(f"{INTERVALS[name]}_{end}" for end in ("lo", "hi") if name in INTERVALS))


OPTIONAL = tuple(column for name in SHOWN if name not in DEFAULT for column in _with_interval(name))
"""Columns of optional metrics; tables leave them out if no method has them."""

BY_TRUTH = ("gdi50_px", "gdi95_px", "forgiveness_db", "coverage")
BY_INPUT = ("gdi_px", FORGIVENESS, "no_harm_db", "coverage", CEILING, UNCERTAINTY)
"""Means of diagnostics for rows whose geometry is judged by the truth, and by the input."""


def _columns(diagnostics: tuple[str, ...]) -> tuple[str, ...]:
    return (
        "rank", "rank_lo", "rank_hi", "tie", "method", "dataset", "split", "protocol", "n_images",
        "score_bits", "predictions_bits", "evaluated_size",
        *(column for name in SHOWN for column in _with_interval(name)),
        *diagnostics, "params_m", "macs_g", "runtime_s", "status", "copies",
        "reported_psnr_db", "reported_ssim", "reported_lpips", "source",
        "protocol_sha256", "dataset_sha256", "predictions_sha256", "weights", "tool_version",
    )  # fmt: skip


COLUMNS = _columns(BY_TRUTH)
"""Columns of leaderboard.csv. Unmeasured cells are empty, as are diagnostics under protocols without anchors."""

COLUMNS_BY_INPUT = _columns(BY_INPUT)
"""Columns of leaderboard.csv under protocols that judge geometry by the input."""

BEST = "best_probability"
TEXT_COLUMNS = (
    "method", "dataset", "split", "protocol", "predictions_bits", "evaluated_size", "status", "copies", "source",
    "protocol_sha256", "dataset_sha256", "predictions_sha256", "weights", "tool_version",
)  # fmt: skip

PAIR_COLUMNS = (
    "method", "other", "metric", "difference", "lo", "hi", "p", "p_holm", "p_adjusted", "tie", "n_images",
    "median_difference", "wins",
)  # fmt: skip
"""Columns of pairwise.csv."""


def judged_by_input(protocol: str) -> bool:
    """Return whether a protocol, by its name, is a known one that judges geometry by the input."""
    return protocol in PROTOCOLS and PROTOCOLS[protocol].judged_by_input


def columns_of(protocol: str) -> tuple[str, ...]:
    """Return the columns of the leaderboard of a protocol."""
    return COLUMNS_BY_INPUT if judged_by_input(protocol) else COLUMNS


def without_unmeasured(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a board without the optional columns that no method has."""
    return rows.drop(columns=[name for name in OPTIONAL if name in rows and rows[name].isna().all()])


def type_of(column: str) -> str:
    """Return the dtype of a column that is not in `TEXT_COLUMNS`."""
    whole = dict.fromkeys(("rank", "rank_lo", "rank_hi", "n_images", "score_bits"), "Int64")
    return (whole | {"tie": "bool"}).get(column, "float64")
