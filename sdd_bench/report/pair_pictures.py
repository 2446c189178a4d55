"""One pair of the misalignment report: its numbers, reduced images and displacement maps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_image
from sdd_bench.registration.align import MIN_SIDE
from sdd_bench.registration.analyse import analyse_and_map
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import warp
from sdd_bench.report.canvas import Plot
from sdd_bench.report.maps import displacement_map, residual_map
from sdd_bench.report.pictures import jpeg, reduce, reduced_flow
from sdd_bench.report.plots import KINDS

COLUMNS = {
    "zoom": ("zoom", 5),
    "zoom_se": ("± zoom", 6),
    "shift_x_px": ("shift x (px)", 2),
    "shift_x_se_px": ("± x (px)", 3),
    "shift_y_px": ("shift y (px)", 2),
    "shift_y_se_px": ("± y (px)", 3),
    "rotation_deg": ("rotation (°)", 3),
    "rotation_se_deg": ("± rotation (°)", 4),
    "corner_px": ("corner (px)", 2),
    "distortion_px": ("distortion (px)", 2),
    "parallax_px": ("parallax (px)", 2),
    "residual_median_px": ("residual median (px)", 2),
    "residual_p95_px": ("residual 95 % (px)", 2),
    "blur_radius_px": ("blur radius (px)", 1),
    "gain_g": ("gain", 3),
    "tone": ("tone", 3),
    "vignetting": ("vignetting", 3),
    "confidence": ("confidence", 2),
}
"""Heading and decimals of each number of a row."""


@dataclass(frozen=True)
class ReportedPair:
    """A pair with the result of its analysis.

    Attributes:
        pair: The pair, whose name need be unique only within its split.
        kind: A key of `KINDS`; a pair of kind `failed` is shown without numbers and alignment.
        numbers: Values of `COLUMNS`; may be NaN.
    """

    pair: Pair
    kind: str
    numbers: Mapping[str, float]

    @classmethod
    def of_row(cls, pair: Pair, row: Mapping[str, str | float]) -> ReportedPair:
        """Return a pair with its row of the analysis.

        Raises:
            ValueError: The kind is unknown.
        """
        kind = str(row["kind"])
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}, expected one of {', '.join(KINDS)}")
        return cls(pair, kind, {name: math.nan if kind == "failed" else float(row[name]) for name in COLUMNS})

    @property
    def name(self) -> str:
        """Name with the split as prefix, unique within a dataset."""
        return f"{self.pair.split}/{self.pair.name}".lstrip("/")

    @property
    def similarity(self) -> Similarity | None:
        """Similarity from sharp to blur, None if it was not measured."""
        values = [self.numbers[name] for name in ("zoom", "rotation_deg", "shift_x_px", "shift_y_px")]
        return Similarity(*values) if all(map(math.isfinite, values)) else None

    def cells(self) -> list[tuple[str, str]]:
        """Return the sort key and the text of every number; both are empty for NaN."""
        # Adding 0.0 after rounding turns -0.0 into 0.0.
        shown = ((self.numbers[name], decimals) for name, (_, decimals) in COLUMNS.items())
        return [(repr(v), f"{round(v, d) + 0.0:.{d}f}") if math.isfinite(v) else ("", "") for v, d in shown]


@dataclass(frozen=True)
class Look:
    """Reduced images of a pair, and the displacement that remains between them.

    Attributes:
        width: Width of the frame, in pixels.
        height: Height of the frame, in pixels.
        scale: Number of frame pixels per pixel of the reduced image.
        blur: Blur image as a JPEG file.
        sharp: Sharp image as a JPEG file.
        aligned: Sharp image in the blur image's frame as a JPEG file; None without a similarity.
        residual_px: (rows, cols) float32 remaining displacement of each block, 0 if not significant, NaN where unknown;
            None without a motion.
    """

    width: int
    height: int
    scale: float
    blur: bytes
    sharp: bytes
    aligned: bytes | None = None
    residual_px: NDArray[np.float32] | None = None


def look_at_pair(reported: ReportedPair) -> Look:
    """Return the reduced images of a pair, and the displacement that remains between them.

    Raises:
        UserError: An image cannot be read, or the two differ in size.
    """
    blur, sharp = (read_image(file, grey="expand") for file in (reported.pair.blur, reported.pair.sharp))
    if blur.shape != sharp.shape:
        sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (blur, sharp)]
        raise UserError(f"{reported.name}: blur is {sizes[0]}, sharp is {sizes[1]}, expected one size")
    height, width = blur.shape[:2]
    small_blur, small_sharp = reduce(blur), reduce(sharp)
    size = small_blur.shape[1::-1]
    aligned = residual = None
    if reported.similarity is not None:
        aligned = jpeg(warp(small_sharp, reduced_flow(reported.similarity, width, height, size), "bilinear")[0])
        if min(height, width) >= MIN_SIDE:
            residual = analyse_and_map(blur, sharp, fast=True)[1]
    known = residual is not None and bool(np.isfinite(residual).any())
    pictures = jpeg(small_blur), jpeg(small_sharp), aligned
    return Look(width, height, width / size[0], *pictures, residual if known else None)


def draw_maps(payload: tuple[int, ReportedPair, Look, float]) -> dict[str, Plot]:
    """Return the plots of a pair by name, `displacement` and `residual`, as far as available.

    Args:
        payload: The pair's number on the page, the pair, its reduced images, and the upper end of the colour scale in
            px.
    """
    number, pair, look, top_px = payload
    size = look.width, look.height
    maps = {}
    if pair.similarity is not None:
        title = f"Arrows of the displacement of {pair.name}"
        maps["displacement"] = displacement_map(f"displacement-{number}", title, pair.similarity, *size)
    if look.residual_px is not None:
        title = f"Map of the displacement that remains in {pair.name}"
        maps["residual"] = residual_map(f"residual-{number}", title, look.residual_px, *size, top_px)
    return maps
