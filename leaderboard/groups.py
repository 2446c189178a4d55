"""Means within groups: images by place, by blur or misalignment, or pixels by blur radius."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from leaderboard.columns import HIGHER_IS_BETTER
from leaderboard.comparison import least_differences, metric_intervals, rank_cells, score_matrix
from leaderboard.entry import Entry, those_that_count
from leaderboard.statistics import Array, paired
from sdd_bench.errors import UserError
from sdd_bench.evaluation.by_radius import COLUMNS as BY_RADIUS
from sdd_bench.evaluation.by_radius import EDGES_PX

BY = {"place": "place", "blur": "blur_radius_px", "misalignment": "misalignment_px"}
"""Groupings of images, with the column of the results that each uses."""

RADIUS = "radius"
"""Grouping of pixels by blur radius, whose PSNR is in the results."""

CHOICES = (*BY, RADIUS)
TERCILES = ("least", "middle", "most")
RADII = dict(zip(BY_RADIUS, zip((0.0, *EDGES_PX), (*EDGES_PX, np.nan), strict=True), strict=True))
"""Limits in pixels of each range of blur radii, by the column of its PSNR."""

COLUMNS = (
    "by", "group", "from", "to", "rank", "rank_lo", "rank_hi", "tie", "method", "metric", "mean", "lo", "hi",
    "n_images",
)  # fmt: skip


def group_images(entries: Sequence[Entry], by: str) -> pd.DataFrame:
    """Return the `group` of every image and, for terciles, the `value` it is grouped by, indexed by image name.

    Groups are ordered: places by name, terciles from the smallest to the largest value. Terciles have the same number
        of images, or one more in the first ones.

    Args:
        entries: Entries of one table.
        by: A key of `BY`.

    Raises:
        UserError: No entry has the column for all of its images, or entries contradict each other.
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
    """Return one row per group and method, with `COLUMNS`, ranked within the group by the rules of the whole table.

    Groups of fewer than six images therefore have no ranks, and those of a single image have no interval.

    Args:
        entries: Entries of one table; those that do not count or lack the metric are left out.
        by: One of `CHOICES`.
        metric: Metric that is compared.

    Raises:
        UserError: The results lack the required column, or `RADIUS` is combined with another metric than PSNR.
    """
    kept = sorted((e for e in those_that_count(entries) if e.has(metric)), key=lambda e: e.method.name)
    if not kept:
        return pd.DataFrame(columns=COLUMNS)
    names = np.array([entry.method.name for entry in kept], object)
    sign = -1 if HIGHER_IS_BETTER[metric] else 1
    parts = []
    for about, images, scores in _radius_groups(kept, metric) if by == RADIUS else _image_groups(kept, by, metric):
        mean = scores.mean(axis=1)
        order = np.argsort(sign * mean, kind="stable")
        comparison = paired(scores, least_differences(kept, metric, images))
        claims = rank_cells(comparison, metric, len(images))
        low, high = metric_intervals(scores, metric)[order].T
        cells = {name: values[order] for name, values in claims.items()}
        cells |= {"method": names[order], "mean": mean[order], "lo": low, "hi": high}
        parts.append(pd.DataFrame({"tie": False, "by": by, "metric": metric, "n_images": len(images)} | about | cells))
    whole = dict.fromkeys(("rank", "rank_lo", "rank_hi"), "Int64")
    return pd.concat(parts, ignore_index=True).reindex(columns=list(COLUMNS)).astype(whole)


Group = tuple[dict[str, object], pd.Index, Array]
"""Description of a group, its images, and the scores of all methods on it, (methods, images)."""


def _image_groups(entries: Sequence[Entry], by: str, metric: str) -> Iterator[Group]:
    for group, part in group_images(entries, by).groupby("group", sort=False):
        images = part.index.sort_values()
        about = {"group": group, "from": part["value"].min(), "to": part["value"].max()}
        yield about, images, score_matrix(entries, metric, images)


def _radius_groups(entries: Sequence[Entry], metric: str) -> Iterator[Group]:
    """Yield the PSNR over the pixels of each range of radii, for the images with enough of them."""
    if metric != "psnr_db":
        raise UserError(f"leaderboard: --by {RADIUS} compares the PSNR; it does not go with --sort {metric}")
    lacking = [entry.source for entry in entries if BY_RADIUS[0] not in entry.rows]
    if lacking:
        raise UserError(
            f"leaderboard: --by {RADIUS}: {lacking[0]} has no PSNR by blur radius; evaluate it again under anchored/2"
        )
    for column, (low, high) in RADII.items():
        known = [entry.rows.index[entry.rows[column].notna()] for entry in entries]
        images = known[0]
        for other in known[1:]:
            images = images.intersection(other)
        if len(images):
            name = column.removeprefix("psnr_").removesuffix("_db").replace("_", " ").replace("px", " px")
            yield {"group": name, "from": low, "to": high}, images, score_matrix(entries, column, images)
