"""Displacement of a method's images relative to their inputs, and their common shift."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from leaderboard.csv_files import text
from leaderboard.entry import Entry
from sdd_bench.evaluation.input_check import VERDICT
from sdd_bench.evaluation.rows import NOT_RANKED
from sdd_bench.registration.input_geometry import DISPLACED, LEAST_PX

LEVEL = 0.95
"""Joint confidence level of both intervals of a common shift; each direction has half of the error rate."""

LEAST_COMMON_PX = 0.1
"""Least length of a common shift that is called inherited, because honest restorations and symmetric filters are
measured up to this far off."""

EXPLAINED = 0.5
"""A displaced image is said to have inherited its shift if the common shift explains at least this share of it."""

INHERITED, ALONE = "displaced as the other images are (inherited)", "displaced in this image"
HEADINGS = (
    "image", "right (px)", "down (px)", "± (px)", "displacement (px, rms)", "± (px)", "local part (px)", "verdict",
)  # fmt: skip

Pair = tuple[float, float]


@dataclass(frozen=True)
class CommonShift:
    """Mean shift of a method's images, to the right and downwards, in pixels.

    Attributes:
        images: Number of images that could be measured.
        mean: Mean in both directions; NaN without images.
        low: Lower ends of the Student-t intervals; NaN for one image.
        high: Upper ends of the Student-t intervals.
    """

    images: int
    mean: Pair
    low: Pair
    high: Pair

    @property
    def proven(self) -> Pair:
        """Mean in the directions whose interval excludes 0, else 0; 0 in both if it is too short."""
        ends = zip(self.mean, self.low, self.high, strict=True)
        right, down = (mean if low > 0 or high < 0 else 0.0 for mean, low, high in ends)
        return (right, down) if math.hypot(right, down) >= LEAST_COMMON_PX else (0.0, 0.0)

    @property
    def words(self) -> str:
        """Description of the common shift, in one or two sentences."""
        if self.images < 2:
            return f"{'One' if self.images else 'No'} image could be measured, so nothing is known of a common shift."
        ends = zip(("to the right", "down"), self.mean, self.low, self.high, strict=True)
        shown = ((way, *(round(value, 2) + 0.0 for value in numbers)) for way, *numbers in ends)  # avoids "-0.00"
        parts = [f"{mean:+.2f} px {way} ({low:+.2f} to {high:+.2f})" for way, mean, low, high in shown]
        found = f"Shift common to the {self.images} images: {' and '.join(parts)}; Student's t, 95 % for both together."
        if any(self.proven):
            return f"{found} An interval excludes 0: the method moves its images alike, as if it had inherited a shift."
        return f"{found} No shift is shown to be inherited."


@dataclass(frozen=True)
class Displacements:
    """Images of a method, one line each with the cells of `HEADINGS`, and their common shift."""

    lines: tuple[tuple[str, ...], ...]
    common: CommonShift


def displacements(entry: Entry) -> Displacements | None:
    """Return the displacements of an entry's images, unranked ones last; None if its rows do not have them."""
    if VERDICT not in entry.rows:
        return None
    common = common_shift(entry.rows)
    rows = pd.concat([entry.rows, entry.unranked]) if len(entry.unranked) else entry.rows
    return Displacements(tuple(_line(str(name), row, common) for name, row in rows.iterrows()), common)


def common_shift(rows: pd.DataFrame) -> CommonShift:
    """Return the shift that images have in common, with Student-t intervals over the images.

    Args:
        rows: Rows with `displaced_x_px` and `displaced_y_px`, NaN if not measured.

    >>> common_shift(pd.DataFrame({"displaced_x_px": [0.3, 0.5], "displaced_y_px": [0.1, -0.1]})).mean
    (0.4, 0.0)
    """
    shifts: NDArray[np.float64] = rows[["displaced_x_px", "displaced_y_px"]].dropna().to_numpy(float)
    count = len(shifts)
    mean = shifts.mean(axis=0) if count else np.full(2, math.nan)
    reach = np.full(2, math.nan)
    if count > 1:
        most = float(stats.t.ppf(1 - (1 - LEVEL) / 4, count - 1))
        reach = most * shifts.std(axis=0, ddof=1) / math.sqrt(count)
    middle, low, high = ((float(ends[0]), float(ends[1])) for ends in (mean, mean - reach, mean + reach))
    return CommonShift(count, middle, low, high)


def verdict_words(row: pd.Series, common: CommonShift) -> str:
    """Return the verdict on an image and, if it is displaced, whether the method's images share the shift."""
    said = str(row[VERDICT])
    if said != DISPLACED:
        return said
    right, down = row["displaced_x_px"], row["displaced_y_px"]
    length = math.hypot(right, down)
    along = (right * common.proven[0] + down * common.proven[1]) / length if length > LEAST_PX else 0.0
    return INHERITED if along >= EXPLAINED * length > 0 else ALONE


def _line(name: str, row: pd.Series, common: CommonShift) -> tuple[str, ...]:
    shift = [text(round(row[column], 2) + 0.0, "+.2f") for column in ("displaced_x_px", "displaced_y_px")]
    rest = [text(row[column], ".2f") for column in ("displaced_se_px", "gdi_px", "gdi_se_px", "gdi_local_px")]
    words = verdict_words(row, common) + (f"; not ranked: {row[NOT_RANKED]}" if row[NOT_RANKED] else "")
    return name, *shift, *rest, words
