"""Ranked table of entries: means with intervals, ranks with ties, pairwise comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from leaderboard.columns import (
    BEST,
    HIGHER_IS_BETTER,
    INTERVALS,
    PAIR_COLUMNS,
    TEXT_COLUMNS,
    columns_of,
    type_of,
)
from leaderboard.comparison import compared, metric_intervals, rank_cells, score_matrix
from leaderboard.copies import cell, copies
from leaderboard.entry import PARTIAL, UNCHECKED, Entry, Table, those_that_count
from leaderboard.resampling import best_probability
from leaderboard.statistics import Paired
from sdd_bench.errors import UserError
from sdd_bench.evaluation.protocol import UNRANKED
from sdd_bench.metrics.table import METRICS


@dataclass(frozen=True, eq=False)
class Board:
    """A ranked table.

    Attributes:
        table: Properties that all its rows share.
        sort: Metric to rank by.
        rows: One row per method, best first, with the columns of `columns_of` the protocol and `best_probability`, the
            share of resamples in which a ranked method is the best. Numbers are floats, NaN if not measured; `rank` is
            missing if there is none, and has the interval `rank_lo` to `rank_hi`; `tie` is True if a rank is shared
            with a method that is not separated.
        pairs: All pairs of compared methods, better mean first, for every metric that both have, with `PAIR_COLUMNS`;
            `tie` is True if they are not separated.
        copies: Predictions that are copies, by method, see `leaderboard.copies.copies`.
    """

    table: Table
    sort: str
    rows: pd.DataFrame
    pairs: pd.DataFrame
    copies: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)


def build_board(entries: Sequence[Entry], sort: str = "psnr_db") -> Board:
    """Return the table of entries; the same entries in any order give the same table.

    Rows are in the order of the means. Ranks are claims, see `leaderboard.statistics.ranks`: a rank is 1 plus the
    number of methods that are significantly better, so that methods that are not separated share a rank. Entries left
    out by `those_that_count` and entries without the ranking metric come last, without a rank. No entry has a rank
    under a protocol that does not rank, or if fewer than six images count.

    Args:
        entries: Entries of one table, see `leaderboard.comparable.check_comparable`.
        sort: A key of `HIGHER_IS_BETTER`.

    Raises:
        UserError: Ranked entries were not scored on the same images.
    """
    counting = those_that_count(entries)
    ranked = sorted((entry for entry in counting if _ranks(entry, sort)), key=lambda entry: _order(entry, sort))
    rest = [entry for entry in entries if all(entry is not other for other in ranked)]
    order = [*ranked, *sorted(rest, key=lambda entry: (entry.status == PARTIAL, *_order(entry, sort)))]
    _check_images(ranked)
    protocol = entries[0].table.protocol
    rows = board_rows([_row(entry) | _interval_cells(entry) for entry in order], protocol)
    pairs = [pd.DataFrame(columns=PAIR_COLUMNS)]
    for metric in HIGHER_IS_BETTER:
        having = [entry for entry in ranked if entry.has(metric)]
        if having:
            comparison = compared(having, metric)
            pairs.append(_pairs(having, metric, comparison))
            if metric == sort:
                cells = rank_cells(comparison, metric, having[0].n_images)
                if cells:
                    cells[BEST] = best_probability(score_matrix(having, metric), HIGHER_IS_BETTER[metric])
                placed = pd.DataFrame(cells).reindex(rows.index).fillna({"tie": False})
                rows = rows.assign(**placed.astype({name: type_of(name) for name in cells}))
    found = {entry.method.name: copies(entry) for entry in order}
    return Board(entries[0].table, sort, rows, pd.concat(pairs[1:] or pairs, ignore_index=True), found)


def board_rows(rows: Sequence[Mapping[str, object]], protocol: str) -> pd.DataFrame:
    """Return rows with the columns and types of `Board.rows`; missing values are NaN, False or empty.

    Args:
        rows: Values by column.
        protocol: Protocol of the board.
    """
    empty: dict[str, object] = {"tie": False, **dict.fromkeys(TEXT_COLUMNS, "")}
    columns = [*columns_of(protocol), BEST]
    types = {column: type_of(column) for column in columns if column not in TEXT_COLUMNS}
    return pd.DataFrame([empty | dict(row) for row in rows], columns=columns).astype(types)


def both_ways(board: Board) -> pd.DataFrame:
    """Return the comparisons in the ranking metric, each in both directions, with `PAIR_COLUMNS`."""
    pairs = board.pairs[board.pairs["metric"] == board.sort]
    turned = pairs.rename(columns={"method": "other", "other": "method", "lo": "hi", "hi": "lo"})
    turned[["difference", "lo", "hi", "median_difference"]] *= -1
    turned["wins"] = 1 - turned["wins"]
    return pd.concat([pairs, turned], ignore_index=True)


def differences(board: Board, baseline: str) -> pd.DataFrame:
    """Return difference, lo and hi of every method from a baseline in the ranking metric, indexed by method.

    Raises:
        UserError: The baseline is not one of the compared methods.
    """
    names = compared_methods(board)
    if baseline not in names:
        raise UserError(f"leaderboard: --baseline {baseline!r} is not ranked here; found: {', '.join(names)}")
    found = both_ways(board)
    return found[found["other"] == baseline].set_index("method")[["difference", "lo", "hi"]]


def compared_methods(board: Board) -> list[str]:
    """Return the methods that are compared with each other in the ranking metric, best mean first."""
    if board.table.protocol in UNRANKED:
        return []
    rows = board.rows
    whole = rows["status"] != PARTIAL
    checked = whole & (rows["status"] != UNCHECKED)
    return rows.loc[(checked if checked.any() else whole) & rows[board.sort].notna(), "method"].tolist()


def _ranks(entry: Entry, sort: str) -> bool:
    return entry.table.protocol not in UNRANKED and entry.has(sort)


def _order(entry: Entry, sort: str) -> tuple[float, str]:
    value = float(entry.means[sort]) if entry.has(sort) else 0.0
    return (-value if HIGHER_IS_BETTER[sort] else value), entry.method.name


def _check_images(entries: Sequence[Entry]) -> None:
    names = {tuple(entry.rows.index): entry.source for entry in entries}
    if len(names) > 1:
        first, other, *_ = names.values()
        raise UserError(f"leaderboard: {other} and {first} were not scored on the same images")


def _interval_cells(entry: Entry) -> dict[str, object]:
    """Return the ends of an entry's intervals by column."""
    found: dict[str, object] = {}
    for metric, column in INTERVALS.items():
        if entry.has(metric):
            low, high = metric_intervals(score_matrix([entry], metric), metric)[0]
            found |= {f"{column}_lo": low, f"{column}_hi": high}
    return found


def _pairs(entries: Sequence[Entry], metric: str, found: Paired) -> pd.DataFrame:
    """Return all pairs of entries, with the better mean in the ranking metric first."""
    names = np.array([entry.method.name for entry in entries], object)
    one, other = np.triu_indices(len(names), 1)
    cells = {
        "difference": found.difference, "lo": found.low, "hi": found.high, "p": found.p, "p_holm": found.p_holm,
        "p_adjusted": found.p_adjusted, "tie": ~found.separated, "median_difference": found.median,
        "wins": found.above if HIGHER_IS_BETTER[metric] else 1 - found.above,
    }  # fmt: skip
    about = {"method": names[one], "other": names[other], "metric": metric, "n_images": entries[0].n_images}
    numbers = {column: values[one, other] for column, values in cells.items()}
    return pd.DataFrame(about | numbers)[list(PAIR_COLUMNS)]


def _row(entry: Entry) -> dict[str, object]:
    """Return the values of the entry itself, by column."""
    table, method = entry.table, entry.method
    return {
        **{str(metric): mean for metric, mean in entry.means.items()},
        **{column: getattr(table, column) for column in columns_of(table.protocol) if hasattr(table, column)},
        **{column: getattr(method, column) for column in ("params_m", "macs_g", "runtime_s")},
        "method": method.name,
        "n_images": entry.n_images,
        "status": entry.status,
        "copies": cell(copies(entry)),
        "source": entry.source,
        "predictions_bits": entry.predictions_bits,
        "evaluated_size": entry.evaluated_size,
        "predictions_sha256": entry.predictions_sha256,
        "weights": "; ".join(f"{METRICS[name].option} {digest}" for name, digest in entry.weights.items()),
        "tool_version": entry.tool_version,
    }
