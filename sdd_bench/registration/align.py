"""Estimation of the similarity and the blur between the two images of a pair.

Blur softens edges without moving them, so plain registration is ten times less accurate at a blur radius of 8 px. The
steps are: (1) DIS flow between contrast-normalised, reduced images, and a similarity by RANSAC; (2) the sharp image is
warped into the blur image's frame and blurred to match it, in linear light unless the sRGB values themselves were
blurred, with the radius that leaves the least residual; (3) DIS flow and RANSAC again between the two, which also shows
motion that is not a similarity; (4) Gauss-Newton refinement of the similarity, robust against occlusion, parallax, gain
and vignetting; (5) the refinement is accepted only if it stays within a pixel of (3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.alignment import Alignment, name_kind
from sdd_bench.registration.blur_match import LEVELS_PX, blurred, choose_radii, matched, residual_energy
from sdd_bench.registration.flow_match import INLIER_PX, FlowMatch, agreeing, match_flow
from sdd_bench.registration.grey import Grey, averaged, check_sizes, grey
from sdd_bench.registration.refine import Drawing, Refined, draw, refine, shown
from sdd_bench.registration.similarity import Similarity

MIN_SIDE = 96
WORK_PIXELS = 2_400_000
"""Larger frames are reduced by a whole number: at 4096x2160, half the size is within 0.02 px and four times as fast."""

FAST_PIXELS = 600_000
"""Pixels of a frame in a fast analysis. With 300,000 pixels the error at 4096x2160 was five times as large."""

COARSE_PIXELS = 300_000
COARSE_RADII_PX = (0.0, 2.0, 4.0, 6.0, 8.0, 11.0)
COARSE_INLIER_PX = 1.0
CERTAIN = 0.8
"""The first fit is repeated with the sharp image blurred more and more until this share of points agrees. At a radius
of 16 px, this raised the agreement on a photograph without strong edges from 7 % to 99 %."""

BORDER_PX = 24
MAX_REFINED_PX = 1.0

MIN_INLIERS = 0.15
MIN_CORRELATION = 0.3
"""Thresholds below which the two images are not taken to show the same scene."""

MAX_OUTLIERS = 0.1
"""Share of blocks more than a pixel off the similarity above which the kind of a pair is `nonrigid`."""


@dataclass(frozen=True)
class Effort:
    """Number of iterations that a fit may take.

    Attributes:
        passes: Maximum number of passes of optical flow between blur-matched images.
        steps: Maximum number of Gauss-Newton steps; with one, the error of a fast analysis was three times as large.
        light_reduced: Whether reduced images decide if linear light or sRGB values were blurred.
    """

    passes: int
    steps: int
    light_reduced: bool


ANCHORED_1 = Effort(2, 4, light_reduced=False)
"""Effort of `anchored/1`: never changed, so that its truths stay the same to the bit."""

FULL = Effort(2, 3, light_reduced=True)
FAST = Effort(1, 2, light_reduced=True)


@dataclass(frozen=True)
class BlurMatch:
    """Warp and blur that make the sharp image look like the blur image, at the working size.

    Attributes:
        scale: Whole number by which the frames were reduced.
        similarity: Maps sharp to blur, in pixels of the reduced frames.
        levels: (h, w) blur level of `blur_match.LEVELS_PX` for every reduced pixel.
        linear: Whether linear light was blurred, as in `blur_match.blurred`.
    """

    scale: int
    similarity: Similarity
    levels: NDArray[np.uint8]
    linear: bool


def align(blur: NDArray[np.floating], sharp: NDArray[np.floating]) -> tuple[Alignment, BlurMatch | None]:
    """Return the similarity of a pair and the matched blur, which is None if the pair could not be aligned.

    Args:
        blur: (H, W, 3) float RGB in [0, 1], both sides at least `MIN_SIDE`.
        sharp: The same shape.

    Raises:
        ValueError: Sizes differ or are too small.
    """
    check_sizes("the analyser", MIN_SIDE, blur=blur, sharp=sharp)
    height, width = blur.shape[:2]
    scale = work_scale(width, height)
    small_blur, small_sharp = (averaged(image.astype(np.float32, copy=False), scale) for image in (blur, sharp))
    found = fit_pair(small_blur, small_sharp, ANCHORED_1)
    if found is None:
        return Alignment(Similarity(), *(math.nan,) * 5, 0.0, "failed"), None
    similarity = enlarged(found.similarity, scale, width, height)
    corner = similarity.corner_px(width, height)
    median, p95 = (float(np.percentile(found.distances, q)) * scale for q in (50, 95))
    outliers = float((found.distances > INLIER_PX).mean())
    kind = "nonrigid" if outliers > MAX_OUTLIERS else name_kind(similarity, corner, width, height)
    radius = found.radius_px * scale
    alignment = Alignment(similarity, corner, median, p95, radius, found.gain, found.confidence, kind)
    return alignment, BlurMatch(scale, found.similarity, found.levels, found.linear)


def work_scale(width: int, height: int, *, fast: bool = False) -> int:
    """Return the whole number by which a frame is reduced before it is analysed."""
    scale, most = 1, FAST_PIXELS if fast else WORK_PIXELS
    while (width // scale) * (height // scale) > most:
        scale += 1
    return scale


@dataclass(frozen=True)
class PairFit:
    """The similarity of two reduced images, and intermediate results of the fit.

    Attributes:
        similarity: Maps sharp to blur.
        distances: Distance in pixels of each block's flow from the similarity.
        levels: (h, w) blur level of every pixel.
        linear: Whether linear light was blurred, as in `blur_match.blurred`.
        radius_px: Median radius of the matched disks where the two agree.
        gain: Contrast of the blur image divided by that of the sharp image under the same blur.
        confidence: 0 to 1, not calibrated.
        blur: (h, w) the blur image in grey.
        drawing: The sharp image in grey, ready to be warped.
        refined: Result of the last refinement.
    """

    similarity: Similarity
    distances: NDArray[np.float64]
    levels: NDArray[np.uint8]
    linear: bool
    radius_px: float
    gain: float
    confidence: float
    blur: Grey
    drawing: Drawing
    refined: Refined


def fit_pair(blur_rgb: NDArray[np.floating], sharp_rgb: NDArray[np.floating], effort: Effort) -> PairFit | None:
    """Return the similarity of reduced images; None where they cannot be aligned.

    Args:
        blur_rgb: (h, w, 3) float RGB in [0, 1], of about `WORK_PIXELS` at most.
        sharp_rgb: The same shape.
        effort: Effort of the fit.
    """
    blur, sharp = grey(blur_rgb), grey(sharp_rgb)
    start = _coarse(blur, sharp)
    if start is None:
        return None
    linear, levels = _blurred_by(blur_rgb, sharp_rgb, start, reduced=effort.light_reduced)
    blur, sharp = grey(blur_rgb, linear=linear), grey(sharp_rgb, linear=linear)
    drawing = Drawing(sharp)
    match, similarity = None, start
    for _ in range(effort.passes):
        valid = shown(similarity, *blur.shape[::-1])
        model = matched(drawing.seen_by(similarity), levels, linear=linear)
        match = match_flow(model, blur, valid, step=6, border=BORDER_PX, threshold_px=0.5)
        if match is None:
            return None
        similarity = match.similarity.after(similarity)
        if match.similarity.corner_px(*blur.shape[::-1]) < 0.5:
            break
    assert match is not None
    if match.inliers < MIN_INLIERS:
        return None
    mask = agreeing(match, valid, BORDER_PX)
    if mask.mean() < 0.02:
        return None
    refined = refine(drawing, blur, similarity, levels, mask, linear=linear, steps=effort.steps)
    moved = refined.similarity.after(similarity.inverse()).corner_px(*blur.shape[::-1])
    if refined.correlation < MIN_CORRELATION:
        return None
    agreement = max(0.0, 1 - moved / MAX_REFINED_PX)
    confidence = refined.correlation * min(1.0, 2 * match.inliers) * (0.5 + 0.5 * agreement)
    radius = float(np.median(np.array(LEVELS_PX)[levels[mask]]))
    best = refined.similarity if moved < MAX_REFINED_PX else similarity
    return PairFit(
        best, match.distances, levels, linear, radius, refined.gain, confidence,
        blur, drawing, refined,
    )  # fmt: skip


def _blurred_by(
    blur_rgb: NDArray[np.floating], sharp_rgb: NDArray[np.floating], start: Similarity, *, reduced: bool
) -> tuple[bool, NDArray[np.uint8]]:
    """Return whether linear light was blurred (False: sRGB values, as in many synthetic sets), and the levels."""
    height, width = blur_rgb.shape[:2]
    factor = 2 if reduced and width * height > COARSE_PIXELS else 1
    if factor == 1:
        left = {linear: _levels(blur_rgb, sharp_rgb, start, linear=linear) for linear in (True, False)}
        linear = min(left, key=lambda linear: left[linear][1])
        return linear, left[linear][0]
    # Leaving out an odd row moves the frame's centre by less than a pixel, which does not affect the radii.
    small = [averaged(image, factor) for image in (blur_rgb, sharp_rgb)]
    near = Similarity(start.zoom, start.rotation_deg, start.shift_x_px / factor, start.shift_y_px / factor)
    linear = min((True, False), key=lambda linear: _levels(small[0], small[1], near, linear=linear)[1])
    return linear, _levels(blur_rgb, sharp_rgb, start, linear=linear, energy=False)[0]


def _levels(
    blur_rgb: NDArray[np.floating],
    sharp_rgb: NDArray[np.floating],
    start: Similarity,
    *,
    linear: bool,
    energy: bool = True,
) -> tuple[NDArray[np.uint8], float]:
    """Return the blur levels for blur in light or values, and the residual they leave, NaN without `energy`."""
    blur, sharp = grey(blur_rgb, linear=linear), grey(sharp_rgb, linear=linear)
    drawn, valid = draw(sharp, start)
    levels = choose_radii(drawn, blur, valid, 2 if blur.size > COARSE_PIXELS else 1, linear=linear)
    if not energy:
        return levels, math.nan
    return levels, residual_energy(matched(drawn, levels, linear=linear), blur, valid)


def _coarse(blur: Grey, sharp: Grey) -> Similarity | None:
    """Return a similarity that is accurate to a pixel or two, estimated on reduced images."""
    factor = 1
    while blur.size / factor**2 > COARSE_PIXELS:
        factor += 1
    height, width = blur.shape
    small_sharp, small_blur = (averaged(image, factor) for image in (sharp, blur))
    everywhere = np.ones(small_blur.shape, bool)
    best: FlowMatch | None = None
    for radius in COARSE_RADII_PX:
        model = blurred(small_sharp, radius, linear=True)
        match = match_flow(model, small_blur, everywhere, step=4, border=8, threshold_px=COARSE_INLIER_PX)
        if match is not None and (best is None or match.inliers > best.inliers):
            best = match
        if best is not None and best.inliers > CERTAIN:
            break
    if best is None or best.inliers < MIN_INLIERS:
        return None
    return enlarged(best.similarity, factor, width, height)


def enlarged(similarity: Similarity, scale: int, width: int, height: int) -> Similarity:
    """Return a similarity of reduced images in pixels of the full frame, about that frame's centre."""
    angle = math.radians(similarity.rotation_deg)
    cos, sin = similarity.zoom * math.cos(angle), similarity.zoom * math.sin(angle)
    # The reduced frame covers the frame without its remainder, so that its centre lies up and left of the frame's
    # centre.
    off_x, off_y = (width % scale) / 2, (height % scale) / 2
    return Similarity(
        similarity.zoom,
        similarity.rotation_deg,
        similarity.shift_x_px * scale + cos * off_x - sin * off_y - off_x,
        similarity.shift_y_px * scale + sin * off_x + cos * off_y - off_y,
    )


def reduced(similarity: Similarity, scale: int, width: int, height: int) -> Similarity:
    """Return a similarity of a frame as one of that frame reduced by a whole number: what `enlarged` undoes.

    >>> whole = Similarity(1.01, 0.1, 4, -2)
    >>> enlarged(reduced(whole, 3, 1000, 701), 3, 1000, 701).corner_px(9, 9) - whole.corner_px(9, 9) < 1e-9
    True
    """
    none = enlarged(Similarity(similarity.zoom, similarity.rotation_deg), scale, width, height)
    return Similarity(
        similarity.zoom,
        similarity.rotation_deg,
        (similarity.shift_x_px - none.shift_x_px) / scale,
        (similarity.shift_y_px - none.shift_y_px) / scale,
    )
