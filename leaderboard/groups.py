"""Where a method wins: means over the images of a place, or of little, middling and much blur or misalignment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leaderboard.entry import Entry
from leaderboard.statistics import intervals, paired, resampled_means, tied_ranks
from leaderboard.table import HIGHER_IS_BETTER, TIE, Row, fixed, score_matrix
from sdd_bench.errors import UserError
from sdd_bench.io.serialise import csv_text

BY = {"place": "place", "blur": "blur_radius_px", "misalignment": "misalignment_px"}
"""What images can be grouped by, and the column of the results that says it."""

TERCILES = ("least", "middle", "most")
COLUMNS = ("by", "group", "from", "to", "rank", "tie", "method", "metric", "mean", "lo", "hi", "n_images")


def group_images(entries: Sequence[Entry], by: str) -> dict[str, tuple[tuple[str, ...], str, str]]:
    """Return group to its images by name and, for terciles, the least and the largest value in it, as text.

    Terciles have the same number of images, or one more in the first ones.

    Args:
        entries: Of one table.
        by: A key of `BY`.

    Raises:
        UserError: No entry says it of all its images, or entries differ in what they say.
    """
    column = BY[by]
    known: dict[str, object] = {}
    for entry in entries:
        said = {row["name"]: row.get(column) for row in entry.images}
        if any(value in (None, "") for value in said.values()):
            continue
        if known and said != known:
            raise UserError(f"leaderboard: --by {by}: {entry.source} says otherwise of {column} than another")
        known = said
    if not known:
        how = "write places.csv beside the pairs" if by == "place" else "run sdd-bench anchor"
        raise UserError(f"leaderboard: --by {by}: no results file says {column} of all images; {how}, evaluate again")
    if by == "place":
        places = sorted({str(value) for value in known.values()})
        return {p: (tuple(sorted(n for n, v in known.items() if v == p)), "", "") for p in places}
    ordered = sorted(known, key=lambda name: (float(str(known[name])), name))
    parts = [list(part) for part in np.array_split(np.array(ordered, object), len(TERCILES))]
    ends = [(f"{float(str(known[part[0]])):.2f}", f"{float(str(known[part[-1]])):.2f}") for part in parts if part]
    return {
        name: (tuple(sorted(part)), *found)
        for name, part, found in zip(TERCILES, (part for part in parts if part), ends, strict=False)
    }


def group_rows(entries: Sequence[Entry], by: str, metric: str) -> list[Row]:
    """Return one row a group and method, by the names of `COLUMNS`, ranked within the group as the whole table is.

    Args:
        entries: Of one table; those that are partial or lack the metric are left out.
        by: A key of `BY`.
        metric: What is compared.
    """
    kept = sorted(
        (entry for entry in entries if entry.status != "partial" and entry.means[metric] is not None),
        key=lambda entry: entry.method.name,
    )
    if not kept:
        return []
    place = {name: index for index, name in enumerate(sorted(row["name"] for row in kept[0].images))}
    scores = score_matrix(kept, metric)
    rows: list[Row] = []
    for group, (images, least, most) in group_images(kept, by).items():
        part = scores[:, [place[name] for name in images]]
        means = resampled_means(part)
        ends = intervals(part, means)
        mean = part.mean(axis=1)
        sign = -1 if HIGHER_IS_BETTER[metric] else 1
        order = sorted(range(len(kept)), key=lambda i: (sign * mean[i], kept[i].method.name))
        ranks = tied_ranks(order, paired(part, means))
        for i, rank in zip(order, ranks, strict=True):
            low, high = (fixed(metric, float(end)) for end in ends[i])
            rows.append(
                {
                    "by": by, "group": group, "from": least, "to": most, "rank": rank,
                    "tie": TIE if ranks.count(rank) > 1 else "", "method": kept[i].method.name, "metric": metric,
                    "mean": fixed(metric, float(mean[i])), "lo": low, "hi": high, "n_images": len(images),
                }
            )  # fmt: skip
    return rows


def groups_csv(rows: Sequence[Row]) -> str:
    """Return rows as CSV with the columns of `COLUMNS`."""
    return csv_text(COLUMNS, ([row[column] for column in COLUMNS] for row in rows))
