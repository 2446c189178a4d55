"""Entries to a ranked table: means with intervals, ranks with ties, every two methods compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from leaderboard.entry import PARTIAL, Entry, Table, those_that_count
from leaderboard.statistics import Array, Paired, best_probability, intervals, paired, resampled_means_of, tied_ranks
from sdd_bench.errors import UserError
from sdd_bench.evaluation.protocol import UNRANKED
from sdd_bench.evaluation.row_columns import UNCERTAINTY


@dataclass(frozen=True, eq=False)
class Board:
    """A ranked table.

    Attributes:
        table: What all its rows share.
        sort: The metric that ranks.
        rows: One row per method, best first, with the columns of `columns_of` the protocol and `best_probability`,
            the share of resamples in which a ranked method is the best. Numbers are floats, NaN where not measured;
            `rank` is missing where there is none; `tie` is True where a rank is shared.
        pairs: Every two ranked methods, better mean first, for every metric that both have, with `PAIR_COLUMNS`.
    """

    table: Table
    sort: str
    rows: pd.DataFrame
    pairs: pd.DataFrame


def build_board(entries: Sequence[Entry], sort: str = "psnr_db") -> Board:
    """Return the table of entries; the same entries in any order give the same table.

    Ranks follow the means; methods that tie share the best rank, see `leaderboard.statistics.tied_ranks`. Entries that
    `those_that_count` leaves out and entries without the metric that ranks come last, without a rank. Under a protocol
    that does not rank, no entry has a rank.

    Args:
        entries: Entries of one table, see `leaderboard.comparable.check_comparable`.
        sort: A key of `HIGHER_IS_BETTER`.

    Raises:
        UserError: Ranked entries that were not scored on the same images.
    """
    counting = those_that_count(entries)
    ranked = sorted((entry for entry in counting if _ranks(entry, sort)), key=lambda entry: _order(entry, sort))
    rest = [entry for entry in entries if all(entry is not other for other in ranked)]
    order = [*ranked, *sorted(rest, key=lambda entry: (entry.status == PARTIAL, *_order(entry, sort)))]
    _check_images(ranked)
    having = {metric: found for metric in HIGHER_IS_BETTER if (found := [e for e in ranked if e.has(metric)])}
    own = {(i, m): score_matrix([e], m) for i, e in enumerate(order) for m in INTERVALS if e.has(m)}
    common = {metric: score_matrix(found, metric) for metric, found in having.items()}
    means = iter(resampled_means_of([*own.values(), *common.values()]))  # the samples are drawn once for all of them
    ends = {key: intervals(scores, next(means))[0] for key, scores in own.items()}
    protocol = entries[0].table.protocol
    rows = board_rows([_row(entry) | _interval_cells(i, ends) for i, entry in enumerate(order)], protocol)
    pairs = [pd.DataFrame(columns=PAIR_COLUMNS)]
    for metric, scores in common.items():
        drawn = next(means)
        comparison = paired(scores, drawn, least=least_differences(having[metric], metric))
        pairs.append(_pairs(having[metric], metric, comparison))
        if metric == sort:
            rows["rank"] = pd.Series(tied_ranks(range(len(ranked)), comparison)).reindex(rows.index).astype("Int64")
            rows["tie"] = rows["rank"].duplicated(keep=False) & rows["rank"].notna()
            rows[BEST] = pd.Series(best_probability(scores, HIGHER_IS_BETTER[sort], drawn)).reindex(rows.index)
    return Board(entries[0].table, sort, rows, pd.concat(pairs[1:] or pairs, ignore_index=True))


def board_rows(rows: Sequence[Mapping[str, object]], protocol: str) -> pd.DataFrame:
    """Return rows with the columns and types of `Board.rows`; what a row lacks is missing, False or empty.

    Args:
        rows: Column to value.
        protocol: Of the board.
    """
    empty: dict[str, object] = {"tie": False, **dict.fromkeys(TEXT_COLUMNS, "")}
    columns = [*columns_of(protocol), BEST]
    types = {column: type_of(column) for column in columns if column not in TEXT_COLUMNS}
    return pd.DataFrame([empty | dict(row) for row in rows], columns=columns).astype(types)


def score_matrix(entries: Sequence[Entry], metric: str) -> Array:
    """Return a metric of several entries, (entries, images), images by name."""
    return np.array([entry.rows[metric].to_numpy() for entry in entries], float)


def least_differences(entries: Sequence[Entry], metric: str, images: pd.Index | None = None) -> Array | None:
    """Return below which difference two methods cannot be told apart, (entries, entries); None where nothing says it.

    A truth with a ceiling makes every PSNR too low. By how much is the method's uncertainty, its mean over the images;
    of two methods the larger one counts.

    Args:
        entries: Entries of one table.
        metric: What is compared; uncertainties are those of the PSNR.
        images: Names of those that are compared; all if None.
    """
    if metric != "psnr_db" or not all(UNCERTAINTY in entry.rows for entry in entries):
        return None
    own = [entry.rows[UNCERTAINTY] if images is None else entry.rows.loc[images, UNCERTAINTY] for entry in entries]
    means = np.array([values.mean() for values in own], float)
    return np.maximum.outer(means, means)


def both_ways(board: Board) -> pd.DataFrame:
    """Return the comparisons in the metric that ranks, each of them from either side, with `PAIR_COLUMNS`."""
    pairs = board.pairs[board.pairs["metric"] == board.sort]
    turned = pairs.rename(columns={"method": "other", "other": "method", "lo": "hi", "hi": "lo"})
    turned[["difference", "lo", "hi"]] *= -1
    return pd.concat([pairs, turned], ignore_index=True)


def differences(board: Board, baseline: str) -> pd.DataFrame:
    """Return difference, lo and hi of every method from a baseline in the metric that ranks, indexed by method.

    Raises:
        UserError: The baseline is none of the ranked methods.
    """
    names = board.rows.loc[board.rows["rank"].notna(), "method"].tolist()
    if baseline not in names:
        raise UserError(f"leaderboard: --baseline {baseline!r} is not ranked here, found: {', '.join(names)}")
    found = both_ways(board)
    return found[found["other"] == baseline].set_index("method")[["difference", "lo", "hi"]]


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


def _interval_cells(place: int, ends: Mapping[tuple[int, str], Array]) -> dict[str, object]:
    """Return the ends of an entry's intervals by column."""
    known = ((column, ends[place, metric]) for metric, column in INTERVALS.items() if (place, metric) in ends)
    return {f"{column}_{end}": value for column, both in known for end, value in zip(("lo", "hi"), both, strict=True)}


def _pairs(entries: Sequence[Entry], metric: str, found: Paired) -> pd.DataFrame:
    """Return every two entries compared, the better first."""
    names = np.array([entry.method.name for entry in entries], object)
    one, other = np.triu_indices(len(names), 1)
    numbers = {"difference": found.difference, "lo": found.low, "hi": found.high, "p": found.p, "p_holm": found.p_holm}
    cells = {column: values[one, other] for column, values in (numbers | {"tie": found.tied}).items()}
    about = {"method": names[one], "other": names[other], "metric": metric, "n_images": entries[0].n_images}
    return pd.DataFrame(about | cells)[list(PAIR_COLUMNS)]


def _row(entry: Entry) -> dict[str, object]:
    """Return what the entry itself says, by column."""
    table, method = entry.table, entry.method
    return {
        **{str(metric): mean for metric, mean in entry.means.items()},
        **{column: getattr(table, column) for column in columns_of(table.protocol) if hasattr(table, column)},
        **{column: getattr(method, column) for column in ("params_m", "macs_g", "runtime_s")},
        "method": method.name,
        "n_images": entry.n_images,
        "status": entry.status,
        "source": entry.source,
        "predictions_sha256": entry.predictions_sha256,
        "tool_version": entry.tool_version,
    }
