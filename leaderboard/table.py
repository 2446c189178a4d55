"""Entries to a ranked table: means with intervals, ranks with ties, every two methods compared, CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leaderboard.entry import Entry, Table
from leaderboard.statistics import Array, Paired, best_probability, intervals, paired, resampled_means_of, tied_ranks
from sdd_bench.errors import UserError
from sdd_bench.evaluation.protocol import UNRANKED
from sdd_bench.io.serialise import csv_text, safe_cell
from sdd_bench.metrics.table import METRICS

INTERVALS = {name: metric.interval for name, metric in METRICS.items() if metric.interval}
"""Metric to the first part of its interval's columns."""

HIGHER_IS_BETTER = {
    name: METRICS[name].higher_is_better for name in (*INTERVALS, *(name for name in METRICS if name not in INTERVALS))
}
"""Metrics in the order of the tables, those with intervals first, to whether higher is better."""

COLUMNS = (
    "rank", "tie", "method", "dataset", "split", "protocol", "n_images",
    *(column for name, first in INTERVALS.items() for column in (name, f"{first}_lo", f"{first}_hi")),
    *(name for name in HIGHER_IS_BETTER if name not in INTERVALS),
    "gdi50_px", "gdi95_px", "forgiveness_db", "coverage", "params_m", "macs_g", "runtime_s", "status",
    "reported_psnr_db", "reported_ssim", "reported_lpips", "source",
    "protocol_sha256", "dataset_sha256", "predictions_sha256", "tool_version",
)  # fmt: skip
"""Of leaderboard.csv. What was not measured is empty; so are diagnostics under protocols without anchor."""

PAIR_COLUMNS = (
    "method", "other", "metric", "difference", "lo", "hi", "p", "p_holm", "tie", "n_images",
)  # fmt: skip
"""Of pairwise.csv."""

DECIMALS = {name: metric.csv_decimals for name, metric in METRICS.items()} | {
    "gdi50_px": 4, "gdi95_px": 4, "forgiveness_db": 4, "coverage": 4,
}  # fmt: skip

TIE = "tie"

RANKED, COMPARED = "", " "
"""Stand for all methods where keys are names; no method is called so."""

Row = dict[str, Any]
Sampled = dict[tuple[str, str], tuple[Array, Array]]


@dataclass(frozen=True)
class Board:
    """A ranked table.

    Attributes:
        table: What all its rows share.
        sort: The metric that ranks.
        rows: Best first, by the names of `COLUMNS`, and `best_probability`: the share of resamples in which a ranked
            method is the best.
        pairs: Every two ranked methods, better mean first, for every metric that both have, by `PAIR_COLUMNS`.
    """

    table: Table
    sort: str
    rows: tuple[Row, ...]
    pairs: tuple[Row, ...]


def build_board(entries: Sequence[Entry], sort: str = "psnr_db") -> Board:
    """Return the table of entries; the same entries in any order give the same table.

    Ranks follow the means; methods that tie share the best rank, see `leaderboard.statistics.tied_ranks`. Partial
    entries and entries without the metric that ranks stand last, without a rank. Under a protocol that does not rank,
    none has one.

    Args:
        entries: Of one table, see `leaderboard.comparable.check_comparable`.
        sort: A key of `HIGHER_IS_BETTER`.

    Raises:
        UserError: Ranked entries that were not scored on the same images.
    """
    named = sorted(entries, key=lambda entry: entry.method.name)
    ranked = [entry for entry in named if _ranks(entry, sort)]
    _check_images(ranked)
    places = sorted(range(len(ranked)), key=lambda i: _order(ranked[i], sort))
    order = [ranked[i] for i in places]
    sampled = _sampled(named, ranked, order, sort)
    extra: dict[str, Row] = {entry.method.name: _intervals(entry, sampled) for entry in named}
    if ranked:
        scores, means = sampled[RANKED, sort]
        comparison = paired(scores, means)
        best = best_probability(scores, HIGHER_IS_BETTER[sort], means)
        ranks = tied_ranks(places, comparison)
        for i, rank in zip(places, ranks, strict=True):
            shared = TIE if ranks.count(rank) > 1 else ""
            extra[ranked[i].method.name] |= {"rank": rank, "tie": shared, "best_probability": float(best[i])}
    pairs = _pairs(order, sampled)
    order += sorted((entry for entry in named if not _ranks(entry, sort)), key=lambda entry: _order(entry, sort))
    rows = tuple({"rank": "", "tie": "", **_row(entry), **extra[entry.method.name]} for entry in order)
    return Board(entries[0].table, sort, rows, tuple(pairs))


def score_matrix(entries: Sequence[Entry], metric: str) -> Array:
    """Return a metric of several entries, (entries, images), images by name."""
    return np.array([[row[metric] for row in sorted(e.images, key=lambda row: row["name"])] for e in entries], float)


def differences(board: Board, baseline: str) -> dict[str, str]:
    """Return method to its difference from a baseline in the metric that ranks, with interval, as text.

    Raises:
        UserError: The baseline is none of the ranked methods.
    """
    names = [str(row["method"]) for row in board.rows if row["rank"] != ""]
    if baseline not in names:
        raise UserError(f"leaderboard: --baseline {baseline!r} is not ranked here, found: {', '.join(names)}")
    found = {}
    for pair in board.pairs:
        if pair["metric"] != board.sort or baseline not in (pair["method"], pair["other"]):
            continue
        sign = 1 if pair["other"] == baseline else -1
        method = str(pair["method"] if sign > 0 else pair["other"])
        value, *ends = (sign * float(pair[key]) if pair[key] else math.nan for key in ("difference", "lo", "hi"))
        interval = "" if math.isnan(ends[0]) else f" ({min(ends):+.3g} to {max(ends):+.3g})"
        found[method] = f"{value:+.3g}{interval}"
    return found


def leaderboard_csv(rows: Sequence[Row]) -> str:
    """Return rows as CSV with the columns of `COLUMNS`."""
    return csv_text(COLUMNS, ([safe_cell(row.get(column, "")) for column in COLUMNS] for row in rows))


def pairwise_csv(pairs: Sequence[Row]) -> str:
    """Return comparisons as CSV with the columns of `PAIR_COLUMNS`."""
    return csv_text(PAIR_COLUMNS, ([safe_cell(row[column]) for column in PAIR_COLUMNS] for row in pairs))


def fixed(metric: str, value: float | None) -> str:
    """Return a number with the decimals of its metric, nothing for None or NaN."""
    return "" if value is None or math.isnan(value) else f"{value:.{DECIMALS[metric]}f}"


def _ranks(entry: Entry, sort: str) -> bool:
    return (
        entry.table.protocol not in UNRANKED
        and entry.status in ("measured", "flagged")
        and entry.means[sort] is not None
    )


def _order(entry: Entry, sort: str) -> tuple[float, str]:
    value = entry.means[sort]
    return (0.0 if value is None else -value if HIGHER_IS_BETTER[sort] else value), entry.method.name


def _check_images(entries: Sequence[Entry]) -> None:
    names = {tuple(sorted(row["name"] for row in entry.images)): entry.source for entry in entries}
    if len(names) > 1:
        first, other, *_ = names.values()
        raise UserError(f"leaderboard: {other} and {first} were not scored on the same images")


def _sampled(named: Sequence[Entry], ranked: Sequence[Entry], order: Sequence[Entry], sort: str) -> Sampled:
    """Return all scores that the table resamples, with their means; the samples are drawn once for all of them.

    Under (method, metric) a method's own, under (`RANKED`, sort) those of the ranked by name, under (`COMPARED`,
    metric) those of the ranked that have the metric, the better first.
    """
    tables = {
        (entry.method.name, metric): score_matrix([entry], metric)
        for entry in named
        for metric in INTERVALS
        if entry.means[metric] is not None
    }
    if ranked:
        tables[RANKED, sort] = score_matrix(ranked, sort)
    for metric in HIGHER_IS_BETTER:
        having = _having(order, metric)
        if len(having) > 1:
            tables[COMPARED, metric] = score_matrix(having, metric)
    means = resampled_means_of(list(tables.values()))
    return {key: (scores, found) for (key, scores), found in zip(tables.items(), means, strict=True)}


def _having(entries: Sequence[Entry], metric: str) -> list[Entry]:
    return [entry for entry in entries if entry.means[metric] is not None]


def _intervals(entry: Entry, sampled: Sampled) -> Row:
    """Return the ends of an entry's intervals by column."""
    cells: Row = {}
    for metric, column in INTERVALS.items():
        if entry.means[metric] is not None:
            low, high = intervals(*sampled[entry.method.name, metric])[0]
            cells |= {f"{column}_lo": fixed(metric, low), f"{column}_hi": fixed(metric, high)}
    return cells


def _pairs(order: Sequence[Entry], sampled: Sampled) -> list[Row]:
    """Return every two ranked entries, the better first, for every metric that both have."""
    rows = []
    for metric in HIGHER_IS_BETTER:
        having = _having(order, metric)
        if len(having) < 2:
            continue
        comparison = paired(*sampled[COMPARED, metric])
        for i, one in enumerate(having):
            rows += [
                _pair(one, other, metric, comparison, i, j) for j, other in enumerate(having[i + 1 :], start=i + 1)
            ]
    return rows


def _pair(one: Entry, other: Entry, metric: str, comparison: Paired, i: int, j: int) -> Row:
    p, p_holm = (float(values[i, j]) for values in (comparison.p, comparison.p_holm))
    return {
        "method": one.method.name,
        "other": other.method.name,
        "metric": metric,
        "difference": fixed(metric, float(comparison.difference[i, j])),
        "lo": fixed(metric, float(comparison.low[i, j])),
        "hi": fixed(metric, float(comparison.high[i, j])),
        "p": "" if math.isnan(p) else f"{p:.5f}",
        "p_holm": "" if math.isnan(p_holm) else f"{p_holm:.5f}",
        "tie": TIE if comparison.tied(i, j) else "",
        "n_images": one.n_images,
    }


def _row(entry: Entry) -> Row:
    return {
        "method": entry.method.name,
        "dataset": entry.table.dataset,
        "split": entry.table.split,
        "protocol": entry.table.protocol,
        "n_images": entry.n_images,
        **{metric: fixed(metric, value) for metric, value in entry.means.items() if metric in DECIMALS},
        "params_m": _optional(entry.method.params_m),
        "macs_g": _optional(entry.method.macs_g),
        "runtime_s": _optional(entry.method.runtime_s),
        "status": entry.status,
        "source": entry.source,
        "protocol_sha256": entry.table.protocol_sha256,
        "dataset_sha256": entry.table.dataset_sha256,
        "predictions_sha256": entry.predictions_sha256,
        "tool_version": entry.tool_version,
    }


def _optional(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
