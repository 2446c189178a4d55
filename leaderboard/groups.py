"""Where a method wins: means over the images of a place, or of little, middling and much blur or misalignment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from leaderboard.columns import HIGHER_IS_BETTER
from leaderboard.entry import Entry, those_that_count
from leaderboard.statistics import intervals, paired, resampled_means, tied_ranks
from leaderboard.table import least_differences, score_matrix
from sdd_bench.errors import UserError

BY = {"place": "place", "blur": "blur_radius_px", "misalignment": "misalignment_px"}
"""What images can be grouped by, and the column of the results that says it."""

TERCILES = ("least", "middle", "most")
COLUMNS = ("by", "group", "from", "to", "rank", "tie", "method", "metric", "mean", "lo", "hi", "n_images")


def group_images(entries: Sequence[Entry], by: str) -> pd.DataFrame:
    """Return the `group` of every image and, for terciles, the `value` it was grouped by, indexed by image name.

    Groups come in their order: places by name, terciles from the least to the largest value. Terciles have the same
    number of images, or one more in the first ones.

    Args:
        entries: Entries of one table.
        by: A key of `BY`.

    Raises:
        UserError: No entry has it for all of its images, or entries differ in what they say.
    """
    column = BY[by]
    known: pd.Series | None = None
    for entry in entries:
        said = entry.rows[column] if column in entry.rows else pd.Series(None, entry.rows.index, dtype=object)
        if said.isna().any() or (said == "").any():
            continue
        if known is not None and not said.equals(known):
            raise UserError(
                f"leaderboard: --by {by}: {entry.source} differs from another in {column} of the same images"
            )
        known = said
    if known is None:
        how = "write places.csv beside the pairs" if by == "place" else "run sdd-bench anchor"
        raise UserError(f"leaderboard: --by {by}: no results file has {column} of all images; {how}, evaluate again")
    known = known.sort_values(kind="stable")
    if by == "place":
        return pd.DataFrame({"group": known.astype(str), "value": np.nan})
    parts = np.array_split(np.arange(len(known)), len(TERCILES))
    return pd.DataFrame({"group": np.repeat(TERCILES, [len(part) for part in parts]), "value": known})


def group_rows(entries: Sequence[Entry], by: str, metric: str) -> pd.DataFrame:
    """Return one row per group and method, with `COLUMNS`, ranked within the group as the whole table is.

    Args:
        entries: Entries of one table; those that do not count or lack the metric are left out.
        by: A key of `BY`.
        metric: What is compared.
    """
    kept = sorted((e for e in those_that_count(entries) if e.has(metric)), key=lambda e: e.method.name)
    if not kept:
        return pd.DataFrame(columns=COLUMNS)
    scores, names = score_matrix(kept, metric), np.array([entry.method.name for entry in kept], object)
    sign = -1 if HIGHER_IS_BETTER[metric] else 1
    parts = []
    for group, images in group_images(kept, by).groupby("group", sort=False):
        part = scores[:, kept[0].rows.index.get_indexer(images.index.sort_values())]
        means = resampled_means(part)
        mean = part.mean(axis=1)
        order = np.argsort(sign * mean, kind="stable")
        least = least_differences(kept, metric, images.index)
        ranks = pd.Series(tied_ranks(order.tolist(), paired(part, means, least=least)))
        low, high = intervals(part, means)[order].T
        cells = {"rank": ranks, "tie": ranks.duplicated(keep=False), "method": names[order], "mean": mean[order]}
        about = {"by": by, "group": group, "from": images["value"].min(), "to": images["value"].max()}
        parts.append(pd.DataFrame(about | cells | {"lo": low, "hi": high, "metric": metric, "n_images": len(images)}))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]
