"""The misalignment analyser: zoom, rotation, shift, residual and blur of a pair, from its two images alone.

Blur moves no edge but softens it, so that plain registration loses a factor of ten at a radius of 8 px. What is done
here: (1) DIS flow between contrast-normalised, reduced images and a similarity by RANSAC; (2) the sharp image drawn
into the blurry one's frame and blurred as that one is, in linear light unless the values themselves were blurred, the
radius chosen where the least residual is left; (3) DIS and RANSAC again between the two, which also shows what moved
otherwise; (4) Gauss-Newton on what is left, robust against occlusion, parallax, gain and vignetting; (5) accepted only
if (4) stays within a pixel of (3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.analysis import Analysis, name_kind
from sdd_bench.registration.blur_match import LEVELS_PX, blurred, choose_radii, matched, residual_energy
from sdd_bench.registration.flow_match import INLIER_PX, FlowMatch, agreeing, match_flow
from sdd_bench.registration.grey import Grey, averaged, check_sizes, grey
from sdd_bench.registration.refine import MAX_STEPS, Drawing, draw, refine, shown
from sdd_bench.registration.similarity import Similarity

MIN_SIDE = 96
WORK_PIXELS = 2_400_000
"""Larger frames are reduced by whole numbers: at 4096x2160 half the size is within 0.02 px and four times as fast."""

FAST_PIXELS = 600_000
FAST_STEPS = 2
"""A fast analysis: smaller frames, one pass of flow and fewer steps of Gauss-Newton. With one step the error at
4096x2160 was three times as large, with 300,000 pixels five times; with linear light alone tried, at 1024x768,
twenty times."""

COARSE_PIXELS = 300_000
COARSE_RADII_PX = (0.0, 2.0, 4.0, 6.0, 8.0, 11.0)
COARSE_INLIER_PX = 1.0
CERTAIN = 0.8
"""The first fit is tried with the sharp image blurred more and more, until this share of points agrees: at a radius of
16 px a photograph without strong edges went from 7 % to 99 % agreement."""

BORDER_PX = 24
MAX_REFINED_PX = 1.0

MIN_INLIERS = 0.15
MIN_CORRELATION = 0.3
"""Below either, the two images are not taken to show one scene."""

MAX_OUTLIERS = 0.1
"""`nonrigid`: a larger share of blocks than this is more than a pixel off the similarity."""


@dataclass(frozen=True)
class BlurMatch:
    """How the sharp image has to be drawn and blurred to look like the blurry one, at the size worked at.

    Attributes:
        scale: The frames were reduced by this whole number.
        similarity: Maps sharp to blur, in pixels of the reduced frames.
        levels: (h, w) blur level of `blur_match.LEVELS_PX` for every reduced pixel.
        linear: As in `blur_match.blurred`.
    """

    scale: int
    similarity: Similarity
    levels: NDArray[np.uint8]
    linear: bool


def analyse(blur: NDArray[np.floating], sharp: NDArray[np.floating], *, fast: bool = False) -> Analysis:
    """Return how a blurry image is misaligned with the sharp image of its scene.

    Args:
        blur: (H, W, 3) float RGB in [0, 1], both sides at least `MIN_SIDE`.
        sharp: The same shape.
        fast: Take a third of the time or less, and up to four times the error: docs/analyser.md.

    Raises:
        ValueError: Sizes differ or are too small. A pair that cannot be aligned is no error: its kind is `failed`.
    """
    return analyse_and_match(blur, sharp, fast=fast)[0]


def analyse_and_match(
    blur: NDArray[np.floating], sharp: NDArray[np.floating], *, fast: bool = False
) -> tuple[Analysis, BlurMatch | None]:
    """Return the analysis and how the blur was matched; arguments and refusals as `analyse`, None where it failed."""
    check_sizes("the analyser", MIN_SIDE, blur=blur, sharp=sharp)
    height, width = blur.shape[:2]
    scale = work_scale(width, height, fast=fast)
    small_blur, small_sharp = (averaged(image.astype(np.float32, copy=False), scale) for image in (blur, sharp))
    found = _fit(small_blur, small_sharp, fast=fast)
    if found is None:
        return Analysis(Similarity(), *(math.nan,) * 5, 0.0, "failed"), None
    similarity = _enlarged(found.similarity, scale, width, height)
    corner = similarity.corner_px(width, height)
    median, p95 = (float(np.percentile(found.distances, q)) * scale for q in (50, 95))
    outliers = float((found.distances > INLIER_PX).mean())
    kind = "nonrigid" if outliers > MAX_OUTLIERS else name_kind(similarity, corner, width, height)
    radius = found.radius_px * scale
    analysis = Analysis(similarity, corner, median, p95, radius, found.gain, found.confidence, kind)
    return analysis, BlurMatch(scale, found.similarity, found.levels, found.linear)


def work_scale(width: int, height: int, *, fast: bool = False) -> int:
    """Return the whole number by which a frame is reduced before it is analysed."""
    scale, most = 1, FAST_PIXELS if fast else WORK_PIXELS
    while (width // scale) * (height // scale) > most:
        scale += 1
    return scale


@dataclass(frozen=True)
class _Fit:
    """The similarity of the reduced images, the distance of each block from it, and what else the fit found."""

    similarity: Similarity
    distances: NDArray[np.float64]
    levels: NDArray[np.uint8]
    linear: bool
    radius_px: float
    gain: float
    confidence: float


def _fit(blur_rgb: NDArray[np.floating], sharp_rgb: NDArray[np.floating], *, fast: bool) -> _Fit | None:
    """Return the fit of reduced images; None for failed."""
    blur, sharp = grey(blur_rgb), grey(sharp_rgb)
    start = _coarse(blur, sharp)
    if start is None:
        return None
    linear, levels = _blurred_by(blur_rgb, sharp_rgb, start)
    blur, sharp = grey(blur_rgb, linear=linear), grey(sharp_rgb, linear=linear)
    drawing = Drawing(sharp)
    match, similarity = None, start
    for _ in range(1 if fast else 2):
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
    steps = FAST_STEPS if fast else MAX_STEPS
    refined, gain, correlation = refine(drawing, blur, similarity, levels, mask, linear=linear, steps=steps)
    moved = refined.after(similarity.inverse()).corner_px(*blur.shape[::-1])
    if correlation < MIN_CORRELATION:
        return None
    agreement = max(0.0, 1 - moved / MAX_REFINED_PX)
    confidence = correlation * min(1.0, 2 * match.inliers) * (0.5 + 0.5 * agreement)
    radius = float(np.median(np.array(LEVELS_PX)[levels[mask]]))
    best = refined if moved < MAX_REFINED_PX else similarity
    return _Fit(best, match.distances, levels, linear, radius, gain, confidence)


def _blurred_by(
    blur_rgb: NDArray[np.floating], sharp_rgb: NDArray[np.floating], start: Similarity
) -> tuple[bool, NDArray[np.uint8]]:
    """Return whether light was blurred rather than values, as many synthetic sets are, and the levels of that."""
    least, answer = math.inf, None
    for linear in (True, False):
        blur, sharp = grey(blur_rgb, linear=linear), grey(sharp_rgb, linear=linear)
        drawn, valid = draw(sharp, start)
        levels = choose_radii(drawn, blur, valid, 2 if blur.size > COARSE_PIXELS else 1, linear=linear)
        left = residual_energy(matched(drawn, levels, linear=linear), blur, valid)
        if left < least:
            least, answer = left, (linear, levels)
    assert answer is not None
    return answer


def _coarse(blur: Grey, sharp: Grey) -> Similarity | None:
    """Return a similarity within a pixel or two, from reduced images."""
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
    return _enlarged(best.similarity, factor, width, height)


def _enlarged(similarity: Similarity, scale: int, width: int, height: int) -> Similarity:
    """Return a similarity of reduced images as one about the centre of the frame they were made from."""
    angle = math.radians(similarity.rotation_deg)
    cos, sin = similarity.zoom * math.cos(angle), similarity.zoom * math.sin(angle)
    # The reduced frame is that of the frame less its remainder; its centre lies up and left of the frame's.
    off_x, off_y = (width % scale) / 2, (height % scale) / 2
    return Similarity(
        similarity.zoom,
        similarity.rotation_deg,
        similarity.shift_x_px * scale + cos * off_x - sin * off_y - off_x,
        similarity.shift_y_px * scale + sin * off_x + cos * off_y - off_y,
    )
