"""Stability of a ranking under changes of protocol, flow estimator, metric and images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from leaderboard.columns import HIGHER_IS_BETTER
from leaderboard.comparable import check_comparable
from leaderboard.comparison import least_differences, score_matrix
from leaderboard.csv_files import texts
from leaderboard.entry import PARTIAL, Entry, Table
from leaderboard.formats import markdown_table, plain
from leaderboard.resampling import resampled_means
from leaderboard.statistics import Array, paired
from sdd_bench.errors import UserError

COLUMNS = ("changed", "protocol", "flow", "metric", "methods", "tau", "tau_lo", "swapped", "swaps")
LOW_PERCENT = 5
RARE = 0.05
"""Least share of resamples in which a pair must swap to be named."""

SHOWN = 5
"""Maximum number of pairs named in a Markdown cell."""

REFERENCE_METRIC = "psnr_db"


@dataclass(frozen=True)
class Ranking:
    """Ranking of the methods of one table by one metric.

    Attributes:
        table: Properties of the table, such as protocol and data.
        flow: Flow estimator of the protocol; empty if it uses none.
        metric: Metric that ranks.
        methods: Names of the methods.
        scores: (methods, images) scores, negated if needed so that higher is better.
        least: Least differences that separate methods, see `leaderboard.comparison.least_differences`.
    """

    table: Table
    flow: str
    metric: str
    methods: tuple[str, ...]
    scores: Array
    least: Array

    def means(self) -> Array:
        """Return the methods' means."""
        return np.asarray(self.scores.mean(axis=1))


def stability(entries: Sequence[Entry], reference: str = "anchored/2") -> pd.DataFrame:
    """Return one row per ranking that is compared with the reference, with `COLUMNS`.

    `tau` is Kendall's tau-b between the means of the two rankings, over the methods that both have; `swaps` names the
    pairs with the opposite order, the largest difference in the reference first, with `(tied)` if they are not
    separated in the reference either. The row `images` resamples the reference's own images: mean tau, its 5th
    percentile, and the pairs that swap in over 5 % of the resamples. Tau is NaN if all means of a ranking are equal.

    Args:
        entries: Entries of one dataset and split, several methods under several protocols.
        reference: Protocol whose ranking by PSNR is the reference.

    Raises:
        UserError: The reference has fewer than two methods, or results are of several datasets or splits.
    """
    _check_one_dataset(entries)
    rankings = [r for group in _by_table(entries) for metric in HIGHER_IS_BETTER if (r := _ranking(group, metric))]
    first = next((r for r in rankings if r.table.protocol == reference and r.metric == REFERENCE_METRIC), None)
    if first is None or len(first.methods) < 2:
        raise UserError(
            f"stability: expected results of at least two methods under {reference}; --reference names another protocol"
        )
    tied = ~paired(first.scores, first.least).separated
    rows = [_images_row(first)]
    for ranking in rankings:
        if ranking is first or len(set(ranking.methods) & set(first.methods)) < 2:
            continue
        changed = []
        if ranking.table.protocol != first.table.protocol:
            changed.append("protocol")
        elif ranking.table.protocol_sha256 != first.table.protocol_sha256:
            changed.append("settings")
        if ranking.table.score_bits != first.table.score_bits:
            changed.append("bits")
        if ranking.metric != first.metric:
            changed.append("metric")
        rows.append(_compare(first, ranking, tied, " and ".join(changed)))
    return pd.DataFrame(rows, columns=COLUMNS)


def stability_markdown(rows: pd.DataFrame) -> str:
    """Return rows as a Markdown table."""
    named = [swaps.split("; ") for swaps in rows["swaps"]]
    more = [f"; and {len(swaps) - SHOWN} more" if len(swaps) > SHOWN else "" for swaps in named]
    words = [plain("; ".join(swaps[:SHOWN])) + rest for swaps, rest in zip(named, more, strict=True)]
    cells = texts(rows[list(COLUMNS[:-2])]).map(plain)
    shown = cells.rename(columns={"tau_lo": "5 %"}).assign(**{"pairs that swap": words})
    return markdown_table(shown, ("changed", "pairs that swap"))


def _check_one_dataset(entries: Sequence[Entry]) -> None:
    found = sorted({f"{e.table.dataset} / {e.table.split} ({e.table.dataset_sha256[:12]})" for e in entries})
    if len(found) > 1:
        raise UserError(f"stability: results of {len(found)} datasets or splits, expected one: {'; '.join(found)}")


def _by_table(entries: Sequence[Entry]) -> list[list[Entry]]:
    groups: dict[Table, list[Entry]] = {}
    for entry in entries:
        if entry.status != PARTIAL:
            groups.setdefault(entry.table, []).append(entry)
    for group in groups.values():
        check_comparable(group)
    return [groups[table] for table in sorted(groups, key=lambda t: (t.protocol, t.protocol_sha256))]


def _ranking(entries: Sequence[Entry], metric: str) -> Ranking | None:
    """Return the ranking of the entries that have a metric, None if there are none."""
    kept = sorted((e for e in entries if e.has(metric)), key=lambda e: e.method.name)
    if not kept:
        return None
    scores = score_matrix(kept, metric) * (1 if HIGHER_IS_BETTER[metric] else -1)
    flow = kept[0].protocol.get("flow") or {}
    words = " ".join(str(v) for k, v in sorted(flow.items()) if k in ("estimator", "model", "checkpoint"))
    names, least = tuple(entry.method.name for entry in kept), least_differences(kept, metric)
    return Ranking(kept[0].table, words, metric, names, scores, least)


def _compare(first: Ranking, other: Ranking, tied: NDArray[np.bool_], changed: str) -> tuple[object, ...]:
    names = [name for name in first.methods if name in other.methods]
    ours, theirs = (
        np.array([ranking.means()[ranking.methods.index(name)] for name in names]) for ranking in (first, other)
    )
    swaps: list[tuple[float, str]] = []
    for i, j in combinations(range(len(names)), 2):
        if (ours[i] > ours[j] and theirs[i] < theirs[j]) or (ours[i] < ours[j] and theirs[i] > theirs[j]):
            better, worse = (names[i], names[j]) if ours[i] > ours[j] else (names[j], names[i])
            words = " (tied)" if tied[first.methods.index(better), first.methods.index(worse)] else ""
            swaps.append((-abs(ours[i] - ours[j]), f"{better} / {worse}{words}"))
    even = np.ptp(ours) == 0 or np.ptp(theirs) == 0  # there is no order to compare
    tau = math.nan if even else float(stats.kendalltau(ours, theirs).statistic)
    return _row(changed, other, len(names), tau, math.nan, [words for _, words in sorted(swaps)])


def _images_row(first: Ranking) -> tuple[object, ...]:
    """Return the row for resampled images."""
    means = resampled_means(first.scores)
    left, right = np.triu_indices(len(first.methods), 1)
    whole = np.sign(first.means()[left] - first.means()[right])
    agree = np.sign(means[:, left] - means[:, right]) * whole
    tau = agree.mean(axis=1)
    shares = (agree < 0).mean(axis=0)
    swaps = []
    for index in np.argsort(-shares, kind="stable"):
        if shares[index] > RARE:
            pair = [first.methods[left[index]], first.methods[right[index]]]
            better, worse = pair if whole[index] > 0 else pair[::-1]
            swaps.append(f"{better} / {worse} ({shares[index]:.0%})")
    return _row("images", first, len(first.methods), float(tau.mean()), float(np.percentile(tau, LOW_PERCENT)), swaps)


def _row(
    changed: str, ranking: Ranking, methods: int, tau: float, low: float, swaps: Sequence[str]
) -> tuple[object, ...]:
    """Return the cells of `COLUMNS`."""
    about = (changed, ranking.table.protocol, ranking.flow, ranking.metric)
    return (*about, methods, tau, low, len(swaps), "; ".join(swaps))
