"""Diagnostics of an anchored score: geometric distortion of a prediction, and the PSNR gain that warping would give.

They are computed from optical flow (always DIS, whatever flow a paper's protocol uses) between the prediction and the
anchored truth, at textured pixels of the anchor's mask, as medians over blocks of 32 px. Single flow vectors have
errors of half a pixel in flat regions; medians do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.flow import dis_flow
from sdd_bench.registration.grey import grey, texture
from sdd_bench.registration.robust import TUKEY, block_medians, fit_similarity, spread
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import remapped

FloatImage = NDArray[np.floating]
Mask = NDArray[np.bool_]

COLUMNS = ("gdi50_px", "gdi95_px", "forgiveness_db", "coverage")
BLUR_COLUMNS = ("blur_psnr_db", "blur_gdi50_px", "blur_gdi95_px", "blur_forgiveness_db")

BLOCK_PX = 32
MIN_BLOCK_POINTS = 64
TEXTURED = 0.4
"""Share of the valid pixels, those with the strongest gradients, whose flow is used."""

FLAG_GDI_PX = 0.25
FLAG_GDI_RATIO = 1.1
FLAG_FORGIVENESS_DB = 0.5
"""A row is flagged if it exceeds the first two thresholds together or the third, relative to the blur image's own
values."""

MAX_SHIFT_PX = 0.5
MAX_ZOOM = 2e-4
"""Limits of `residual_similarity`; the limit of the rotation in radians equals that of the zoom."""


@dataclass(frozen=True)
class Blocks:
    """Median displacement of blocks with enough textured, valid pixels.

    Attributes:
        centres: (N, 2) mean x and y of the counted pixels of each block, in pixels.
        displacement: (N, 2) displacement from prediction to truth, in pixels.
    """

    centres: NDArray[np.float64]
    displacement: NDArray[np.float64]


def block_displacement(flow: NDArray[np.floating], truth: FloatImage, mask: Mask) -> Blocks:
    """Return the median flow of each block.

    Args:
        flow: (H, W, 2) flow from prediction to truth, in pixels.
        truth: (H, W, 3) truth in [0, 1], which determines the textured pixels.
        mask: (H, W) bool, True where a pixel counts.
    """
    energy = texture(grey(truth), 2)
    level = max(float(np.quantile(energy[mask], 1 - TEXTURED)), 1e-7) if mask.any() else math.inf
    y, x = np.nonzero(mask & (energy > level))
    points, vectors = np.stack([x, y], axis=1), flow[y, x].astype(np.float64)
    return Blocks(*block_medians(points, vectors, BLOCK_PX, MIN_BLOCK_POINTS))


def diagnose(
    restored: FloatImage, truth: FloatImage, mask: Mask, flow: NDArray[np.floating] | None = None
) -> dict[str, float | None]:
    """Return gdi50_px, gdi95_px and forgiveness_db of a prediction; None if too little is textured.

    gdi50_px and gdi95_px are the median and the 95th percentile over blocks of the length of the displacement from
    prediction to truth. forgiveness_db is the PSNR after the truth is warped onto the prediction by that flow
    (Lanczos-4), minus the PSNR against the unwarped truth, both under the mask; 0 for identical images.

    Args:
        restored: (H, W, 3) prediction in [0, 1].
        truth: The same shape.
        mask: (H, W) bool, True where a pixel counts.
        flow: Flow from `flow_between`; computed if None.
    """
    vectors = flow_between(restored, truth) if flow is None else flow
    length = np.linalg.norm(block_displacement(vectors, truth, mask).displacement, axis=1)
    gdi50, gdi95 = (float(np.percentile(length, q)) if len(length) else None for q in (50, 95))
    return {"gdi50_px": gdi50, "gdi95_px": gdi95, "forgiveness_db": forgiveness_db(restored, truth, mask, vectors)}


def forgiveness_db(restored: FloatImage, truth: FloatImage, mask: Mask, flow: NDArray[np.floating]) -> float | None:
    """Return forgiveness_db of a prediction, see `diagnose`; None if the warped truth equals the prediction."""
    anchored = psnr_db(restored, truth, mask)
    forgiven = 0.0
    if math.isfinite(anchored):
        forgiven = psnr_db(restored, np.clip(remapped(truth, flow), 0, 1), mask) - anchored
    return forgiven if math.isfinite(forgiven) else None


def flow_between(restored: FloatImage, truth: FloatImage) -> NDArray[np.floating]:
    """Return the DIS flow from prediction to truth, (H, W, 2) in pixels."""
    return dis_flow(np.asarray(restored, np.float32), np.asarray(truth, np.float32))


def why_flagged(row: Mapping[str, float | None]) -> list[str]:
    """Return the reasons to flag a row or the means of a method's rows; empty if there are none.

    Args:
        row: Values of `COLUMNS` and `BLUR_COLUMNS`; a number that is None, NaN or missing flags nothing.

    >>> why_flagged({"gdi50_px": 0.97, "blur_gdi50_px": 0.29, "forgiveness_db": 0.3, "blur_forgiveness_db": 0.2})
    ['gdi50 0.97 px, the blur image has 0.29 px']
    """
    reasons = []
    gdi, blur_gdi = row.get("gdi50_px"), row.get("blur_gdi50_px")
    if gdi is not None and blur_gdi is not None and gdi > FLAG_GDI_PX and gdi > FLAG_GDI_RATIO * blur_gdi:
        reasons.append(f"gdi50 {gdi:.2f} px, the blur image has {blur_gdi:.2f} px")
    forgiven, blur_forgiven = row.get("forgiveness_db"), row.get("blur_forgiveness_db")
    if forgiven is not None and blur_forgiven is not None and forgiven > blur_forgiven + FLAG_FORGIVENESS_DB:
        reasons.append(f"forgiveness {forgiven:.2f} dB, the blur image has {blur_forgiven:.2f} dB")
    return reasons


def residual_similarity(blocks: Blocks, width: int, height: int) -> Similarity:
    """Return the similarity from prediction to truth that fits the blocks best, clipped to the limits above.

    It is fitted by least squares with Tukey weights; with fewer than eight blocks, it is the identity.
    """
    if len(blocks.centres) < 8:
        return Similarity()
    reach = math.hypot(width, height) / 2
    x, y = ((blocks.centres - [(width - 1) / 2, (height - 1) / 2]) / reach).T
    solution = fit_similarity(x, y, blocks.displacement.T, lambda square: TUKEY * (spread(np.sqrt(square)) + 1e-3))
    zoom, turn = (float(np.clip(v / reach, -MAX_ZOOM, MAX_ZOOM)) for v in solution[:2])
    shift = solution[2:] * min(1.0, MAX_SHIFT_PX / max(float(np.linalg.norm(solution[2:])), 1e-12))
    return Similarity(1 + zoom, math.degrees(turn), float(shift[0]), float(shift[1]))
