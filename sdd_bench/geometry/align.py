"""The misalignment analyser: zoom, rotation, shift, residual and blur of a pair, from its two images alone.

Blur moves no edge but softens it, so that plain registration loses a factor of ten at a radius of 8 px. What is done
here: (1) DIS flow between contrast-normalised, reduced images and a similarity by RANSAC; (2) the sharp image drawn
into the blurry one's frame and blurred as that one is, in linear light unless the values themselves were blurred, the
radius chosen where the least residual is left; (3) DIS
and RANSAC again between the two, which also shows what moved otherwise; (4) Gauss-Newton on what is left, robust
against occlusion, parallax, gain and vignetting; (5) accepted only if (4) stays within a pixel of (3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.geometry.analysis import Analysis, name_kind
from sdd_bench.geometry.blur_match import LADDER_PX, Grey, blurred, choose_radii, matched, residual_energy
from sdd_bench.geometry.flow import dis_byte_flow
from sdd_bench.geometry.refine import draw, refine
from sdd_bench.geometry.similarity import Similarity

MIN_SIDE = 96
WORK_PIXELS = 2_400_000
"""Larger frames are reduced by whole numbers: at 4096x2160 half the size is within .02 px and four times as fast."""

COARSE_PIXELS = 300_000
COARSE_RADII_PX = (0.0, 2.0, 4.0, 6.0, 8.0, 11.0)
COARSE_INLIER_PX = 1.0
CERTAIN = 0.8
"""The first fit is tried with the sharp image blurred more and more, until this share of points agrees: at a radius of
16 px a photograph without strong edges went from 7 % to 99 % agreement."""

BORDER_PX = 24
MAX_REFINED_PX = 1.0
INLIER_PX = 1.0
BLOCK_PX = 48
MIN_BLOCK_POINTS = 12

MIN_INLIERS = 0.15
MIN_CORRELATION = 0.3
"""Below either, the two images are not taken to show one scene."""

MAX_OUTLIERS = 0.1
"""`nonrigid`: a larger share of blocks than this is more than a pixel off the similarity."""


@dataclass(frozen=True)
class _Match:
    """A similarity by RANSAC on flow, the share of points it explains, and the distance of each block from it."""

    similarity: Similarity
    inliers: float
    flow: NDArray[np.float32]
    distances: NDArray[np.float64]


@dataclass(frozen=True)
class BlurMatch:
    """How the sharp image has to be drawn and blurred to look like the blurry one, at the size worked at.

    Attributes:
        scale: The frames were reduced by this whole number.
        similarity: Maps sharp to blur, in pixels of the reduced frames.
        rungs: (h, w) rung of `blur_match.LADDER_PX` for every reduced pixel.
        linear: As in `blur_match.blurred`.
    """

    scale: int
    similarity: Similarity
    rungs: NDArray[np.uint8]
    linear: bool


def analyse(blur: NDArray[np.floating], sharp: NDArray[np.floating]) -> Analysis:
    """Return how a blurry image is misaligned with the sharp image of its scene.

    Args:
        blur: (H, W, 3) float RGB in [0, 1], both sides at least `MIN_SIDE`.
        sharp: The same shape.

    Raises:
        ValueError: Sizes differ or are too small. A pair that cannot be aligned is no error: its kind is `failed`.
    """
    return analyse_and_match(blur, sharp)[0]


def analyse_and_match(blur: NDArray[np.floating], sharp: NDArray[np.floating]) -> tuple[Analysis, BlurMatch | None]:
    """Return the analysis and how the blur was matched; arguments and refusals as `analyse`, None where it failed."""
    if blur.shape != sharp.shape:
        raise ValueError(f"blur is {blur.shape[1]}x{blur.shape[0]}, sharp is {sharp.shape[1]}x{sharp.shape[0]}")
    height, width = blur.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ValueError(f"the analyser needs sides of at least {MIN_SIDE} px, not {width}x{height}")
    scale = work_scale(width, height)
    found = _fit(reduced(blur, scale), reduced(sharp, scale))
    if found is None:
        return Analysis(Similarity(), *(math.nan,) * 5, 0.0, "failed"), None
    similarity = _enlarged(found.similarity, scale, width, height)
    corner = similarity.corner_px(width, height)
    median, p95 = (float(np.percentile(found.distances, q)) * scale for q in (50, 95))
    outliers = float((found.distances > INLIER_PX).mean())
    kind = "nonrigid" if outliers > MAX_OUTLIERS else name_kind(similarity, corner, width, height)
    radius = found.radius_px * scale
    analysis = Analysis(similarity, corner, median, p95, radius, found.gain, found.confidence, kind)
    return analysis, BlurMatch(scale, found.similarity, found.rungs, found.linear)


def work_scale(width: int, height: int) -> int:
    """Return the whole number by which a frame is reduced before it is analysed."""
    scale = 1
    while (width // scale) * (height // scale) > WORK_PIXELS:
        scale += 1
    return scale


@dataclass(frozen=True)
class _Fit:
    """The similarity of the reduced images, the distance of each block from it, and what else the fit found."""

    similarity: Similarity
    distances: NDArray[np.float64]
    rungs: NDArray[np.uint8]
    linear: bool
    radius_px: float
    gain: float
    confidence: float


def _fit(blur: Grey, sharp: Grey) -> _Fit | None:
    """Return the fit of reduced images; None for failed."""
    start = _coarse(blur, sharp)
    if start is None:
        return None
    drawn, valid = draw(sharp, start)
    scale = 2 if blur.size > COARSE_PIXELS else 1
    linear = True
    rungs = choose_radii(drawn, blur, valid, scale, linear=True)
    left = {light: residual_energy(matched(drawn, rungs, linear=light), blur, valid) for light in (True, False)}
    if left[False] < left[True]:  # blurred after the transfer curve, as many synthetic sets are
        linear, rungs = False, choose_radii(drawn, blur, valid, scale, linear=False)
    match, similarity = None, start
    for _ in range(2):
        drawn, valid = draw(sharp, similarity)
        model = matched(drawn, rungs, linear=linear)
        match = _match(model, blur, valid, step=6, border=BORDER_PX, threshold_px=0.5)
        if match is None:
            return None
        similarity = match.similarity.after(similarity)
        if match.similarity.corner_px(*blur.shape[::-1]) < 0.5:
            break
    assert match is not None
    if match.inliers < MIN_INLIERS:
        return None
    mask = _agreeing(match, valid)
    if mask.mean() < 0.02:
        return None
    refined, gain, correlation = refine(sharp, blur, similarity, rungs, mask, linear=linear)
    moved = refined.after(similarity.inverse()).corner_px(*blur.shape[::-1])
    if correlation < MIN_CORRELATION:
        return None
    agreement = max(0.0, 1 - moved / MAX_REFINED_PX)
    confidence = correlation * min(1.0, 2 * match.inliers) * (0.5 + 0.5 * agreement)
    radius = float(np.median(np.array(LADDER_PX)[rungs[mask]]))
    best = refined if moved < MAX_REFINED_PX else similarity
    return _Fit(best, match.distances, rungs, linear, radius, gain, confidence)


def _coarse(blur: Grey, sharp: Grey) -> Similarity | None:
    """Return a similarity within a pixel or two, from reduced images."""
    factor = 1
    while blur.size / factor**2 > COARSE_PIXELS:
        factor += 1
    height, width = blur.shape
    small_sharp, small_blur = (_averaged(image, factor) for image in (sharp, blur))
    everywhere = np.ones(small_blur.shape, bool)
    best: _Match | None = None
    for radius in COARSE_RADII_PX:
        model = blurred(small_sharp, radius, linear=True)
        match = _match(model, small_blur, everywhere, step=4, border=8, threshold_px=COARSE_INLIER_PX)
        if match is not None and (best is None or match.inliers > best.inliers):
            best = match
        if best is not None and best.inliers > CERTAIN:
            break
    if best is None or best.inliers < MIN_INLIERS:
        return None
    return _enlarged(best.similarity, factor, width, height)


def _match(a: Grey, b: Grey, valid: NDArray[np.bool_], *, step: int, border: int, threshold_px: float) -> _Match | None:
    """Return the similarity that DIS flow from a to b follows where a has texture; None without enough of it."""
    height, width = a.shape
    flow = dis_byte_flow(normalised(a), normalised(b))
    y, x = (g.ravel() for g in np.mgrid[border : height - border : step, border : width - border : step])
    energy = _texture(a)[y, x]
    usable = valid[y, x] & (energy > max(float(np.percentile(energy, 30)), 1e-8))
    if usable.sum() < 60:
        return None
    x, y = x[usable], y[usable]
    points, moved = np.stack([x, y], axis=1).astype(np.float64), flow[y, x].astype(np.float64)
    cv2.setRNGSeed(0)
    affine, _ = cv2.estimateAffinePartial2D(
        points, points + moved, method=cv2.RANSAC, ransacReprojThreshold=threshold_px, maxIters=4000,
        confidence=0.9999, refineIters=20,
    )  # fmt: skip
    if affine is None:
        return None
    zoom = math.hypot(affine[0, 0], affine[1, 0])
    if not 0.5 < zoom < 2:
        return None
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = affine[:, :2] @ centre + affine[:, 2] - centre
    turn = math.degrees(math.atan2(affine[1, 0], affine[0, 0]))
    similarity = Similarity(zoom, turn, float(shift[0]), float(shift[1]))
    off = points + moved - similarity.apply(points, width, height)
    inliers = float((np.linalg.norm(off, axis=1) < INLIER_PX).mean())
    return _Match(similarity, inliers, flow, _block_distances(points, off))


def _block_distances(points: NDArray[np.float64], off: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the length of the median vector of each block of points.

    What noise and blur do to single vectors cancels in a block, what moved does not.
    """
    block = (points // BLOCK_PX).astype(np.int64) @ np.array([1, 1 << 20])
    order = np.argsort(block, kind="stable")
    edges = np.flatnonzero(np.diff(block[order])) + 1
    groups = [group for group in np.split(order, edges) if len(group) >= MIN_BLOCK_POINTS]
    return np.array([float(np.linalg.norm(np.median(off[group], axis=0))) for group in groups] or [0.0])


def _agreeing(match: _Match, valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where the flow follows its similarity, a little eroded and away from the border."""
    height, width = valid.shape
    off = np.linalg.norm(match.flow - match.similarity.flow(width, height), axis=2)
    mask = cv2.erode(((off < INLIER_PX) & valid).astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=0) > 0
    mask[:BORDER_PX] = mask[-BORDER_PX:] = mask[:, :BORDER_PX] = mask[:, -BORDER_PX:] = False
    return np.asarray(mask)


def normalised(image: Grey) -> NDArray[np.uint8]:
    """Return an image of one local contrast as bytes, so that exposure and blur matter less to the flow."""
    detail = image - cv2.GaussianBlur(image, (0, 0), 6)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 12) + 1e-4)
    return np.clip(detail / contrast * 40 + 128, 0, 255).astype(np.uint8)


def _texture(image: Grey) -> Grey:
    across = cv2.Sobel(image, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(image, cv2.CV_32F, 0, 1, scale=0.125)
    return np.asarray(cv2.GaussianBlur(across * across + down * down, (0, 0), 4), np.float32)


def reduced(image: NDArray[np.floating], scale: int) -> Grey:
    """Return an image as grey, averaged over scale x scale pixels; a remainder on the right and below is left out."""
    grey = cv2.cvtColor(image.astype(np.float32, copy=False), cv2.COLOR_RGB2GRAY)
    return _averaged(np.asarray(grey, np.float32), scale)


def _averaged(grey: Grey, scale: int) -> Grey:
    if scale == 1:
        return grey
    height, width = grey.shape[0] // scale, grey.shape[1] // scale
    whole = grey[: height * scale, : width * scale]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.float32)


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
