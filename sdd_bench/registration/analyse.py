"""Misalignment analyser: motion, residual, blur and light of a pair, estimated from its two images alone.

(1) `align.fit_pair`: a similarity from optical flow between blur-matched images, refined on the pixels. (2) `settle`:
the motion model that the blocks of the frame support, each weighted by its accuracy. (3) `remaining`: the displacement
that the motion leaves, where it is significant. (4) `compare_light`: exposure, tone and vignetting. (5) `confidence`:
reliability of the result. (6) `doubt`: where the confidence is low, a check by regions in focus.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.align import FAST, FULL, MIN_SIDE, Effort, PairFit, enlarged, fit_pair, work_scale
from sdd_bench.registration.analysis import APPARENT_PX, FAILED, Analysis, kind_of
from sdd_bench.registration.confidence import DOUBTFUL, WITHIN_PX, confidence_of
from sdd_bench.registration.doubt import decide_in_focus
from sdd_bench.registration.grey import averaged, check_sizes
from sdd_bench.registration.light import compare_light
from sdd_bench.registration.motion import ZOOM_SE_FACTOR
from sdd_bench.registration.remaining import MAX_SIGNIFICANT_SHARE, Remaining, remaining, remaining_map
from sdd_bench.registration.settle import Settled, settle


def analyse(blur: NDArray[np.floating], sharp: NDArray[np.floating], *, fast: bool = False) -> Analysis:
    """Return the misalignment between a blurry image and the sharp image of its scene.

    Args:
        blur: (H, W, 3) float RGB in [0, 1], both sides at least `MIN_SIDE`.
        sharp: The same shape.
        fast: Take a third of the time or less, at up to four times the error: docs/explanation/analyser.md.

    Raises:
        ValueError: Sizes differ or are too small. A pair that cannot be aligned is no error: its kind is `failed`.
    """
    return analyse_and_map(blur, sharp, fast=fast)[0]


def analyse_and_map(
    blur: NDArray[np.floating], sharp: NDArray[np.floating], *, fast: bool = False
) -> tuple[Analysis, NDArray[np.float32]]:
    """Return the analysis and the map of significant displacements that the motion leaves in each block, in pixels.

    Arguments and errors are those of `analyse`. Blocks that could not be measured are NaN in the map; the map of a pair
    that failed has shape (0, 0).
    """
    found = examine(blur, sharp, fast=fast)
    if found is None:
        return FAILED, np.zeros((0, 0), np.float32)
    return found.analysis, remaining_map(found.settled.blocks, found.left) * found.scale


@dataclass(frozen=True)
class Examined:
    """An analysis and its intermediate results.

    Attributes:
        analysis: Analysis in pixels of the images.
        scale: Whole number by which the images were reduced.
        fit: Fit of the reduced images; the next two are in their pixels, too.
        settled: Motion, and the blocks that it was fitted to.
        left: Displacement that the motion leaves.
    """

    analysis: Analysis
    scale: int
    fit: PairFit
    settled: Settled
    left: Remaining


def examine(
    blur: NDArray[np.floating], sharp: NDArray[np.floating], *, fast: bool = False, effort: Effort | None = None
) -> Examined | None:
    """Return the analysis of a pair with its intermediate results, None if it failed.

    Arguments and errors are those of `analyse`; `effort` replaces the effort that `fast` implies.
    """
    check_sizes("the analyser", MIN_SIDE, blur=blur, sharp=sharp)
    height, width = blur.shape[:2]
    scale = work_scale(width, height, fast=fast)
    small_blur, small_sharp = (averaged(image.astype(np.float32, copy=False), scale) for image in (blur, sharp))
    fit = fit_pair(small_blur, small_sharp, effort or (FAST if fast else FULL))
    if fit is None:
        return None
    settled = settle(fit)
    left = remaining(settled.blocks, settled.predicted, settled.scatter, settled.motion.parallax_px)
    confidence, off_px = confidence_of(signs_of(settled, left, scale)), None
    if confidence < DOUBTFUL:
        focused = decide_in_focus(fit, settled)
        settled, off_px = focused.settled, focused.off_px
        left = remaining(settled.blocks, settled.predicted, settled.scatter, settled.motion.parallax_px)
    motion = settled.motion.scaled(scale, enlarged(settled.motion.similarity, scale, width, height))
    most = MAX_SIGNIFICANT_SHARE[motion.parallax_px >= APPARENT_PX]
    analysis = Analysis(
        motion,
        motion.similarity.corner_px(width, height),
        left.median_px * scale,
        left.p95_px * scale,
        left.se_px * scale,
        left.share,
        None if off_px is None else off_px * scale,
        fit.radius_px * scale,
        fit.gain,
        compare_light(small_blur, small_sharp, settled.motion.similarity, fit.radius_px),
        confidence,
        kind_of(motion, left.in_one_part, left.share > most, width, height),
    )
    return Examined(analysis, scale, fit, settled, left)


def signs_of(settled: Settled, left: Remaining, scale: int) -> dict[str, float]:
    """Return the indicators of an unreliable analysis: each is near 0 for a good one and grows with the doubt."""
    motion, (width, height) = settled.motion, settled.blocks.size
    reach = 0.5 * math.hypot(width, height)
    at_corner = (
        motion.zoom_se / ZOOM_SE_FACTOR * reach,
        math.radians(motion.rotation_se_deg) * reach,
        motion.distortion_se_px,
    )
    error = math.hypot(motion.shift_x_se_px, motion.shift_y_se_px, *at_corner)
    scatter = np.zeros(3) if settled.scatter is None else np.exp(settled.scatter)
    frame = width * height / settled.blocks.side_px**2
    return {
        "error": math.log(max(error * scale / WITHIN_PX, 1e-3) / 1e-3) if math.isfinite(error) else 7.0,
        "scatter": min(scatter[0] / 0.1, 3.0),
        "unseen": 1 - len(settled.blocks) / frame,
        "residual": left.share,
    }
