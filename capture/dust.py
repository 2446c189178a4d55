"""Dust on the sensor: dark soft spots at the same position in both shots of a pair although the scene moved."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.srgb import decode_srgb
from sdd_bench.registration.grey import averaged
from sdd_bench.registration.similarity import Similarity

Plane = NDArray[np.float32]

FACTOR = 4
"""Factor by which images are reduced before dust is searched for; the constants below are in reduced pixels."""

DUST_PX = (1.25, 2.0, 3.2)
"""Standard deviations of the inner Gaussians of the band-pass filters; the outer ones are twice as wide."""

MATCHING_PX = (0.0, 1.0, 2.0, 3.5, -1.0)
"""Standard deviations of the Gaussians applied to the gt shot (negative: to the blur shot) to make both shots equally
blurred; all are tried."""

DUST_DEPTH = 0.012
DUST_RATIO = 5.5
"""Dust is darker than its surroundings, after the band-pass, by `DUST_DEPTH` of their light and by `DUST_RATIO` times
the mean difference between the shots around it."""

DUST_ALIKE = 2.5
DUST_SEEN = 0.5
CALM = 2.0
"""Factors of the depth: the least depth in each shot by itself, before the other is subtracted, and the largest
contrast of the scene at that place, according to the other shot."""

DUST_MOVE = 1.5
"""Least displacement of the scene, in standard deviations of the inner Gaussian."""

AROUND = 24
"""Side of the window around a place, in standard deviations of the inner Gaussian."""

WIDE_PX = 12.0
DARK, BRIGHT = 0.03, 0.98
"""sRGB values between which dust can be seen."""


def dust(blur: NDArray[np.float32], gt: NDArray[np.float32], similarity: Similarity) -> NDArray[np.bool_]:
    """Return the mask of dust, in pixels of `FACTOR` x `FACTOR`; arguments as in `still_spots`."""
    (light_blur, clear_blur), (light_gt, clear_gt) = _evened(blur), _evened(gt)
    height, width = light_blur.shape
    matrix = _reduced(similarity.matrix(blur.shape[1], blur.shape[0]))
    size, inverse = (width, height), cv2.WARP_INVERSE_MAP
    gt_drawn = cv2.warpAffine(light_gt, matrix, size, flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    blur_drawn = cv2.warpAffine(
        light_blur, matrix, size, flags=cv2.INTER_LANCZOS4 | inverse, borderMode=cv2.BORDER_REPLICATE
    )
    clear = np.minimum(clear_blur, clear_gt)
    clear = np.minimum(clear, cv2.warpAffine(clear_gt, matrix, size) > 0.99)
    clear = np.minimum(clear, cv2.warpAffine(clear_blur, matrix, size, flags=cv2.INTER_LINEAR | inverse) > 0.99)
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    move_x, move_y = ((m[0] - (k == 0)) * x + (m[1] - (k == 1)) * y + m[2] for k, m in enumerate(matrix))
    move = np.hypot(move_x, move_y)
    found = np.zeros((height, width), bool)
    for deviation in DUST_PX:
        reach = 2 * int(2 * deviation) + 1
        usable = cv2.erode(clear.astype(np.uint8), np.ones((reach, reach), np.uint8), borderValue=0) > 0
        usable &= move > DUST_MOVE * deviation
        if usable.any():
            own = [_dents(image, deviation) for image in (light_blur, light_gt)]
            other = [_dents(_plane(image), deviation) for image in (gt_drawn, blur_drawn)]
            for matching in MATCHING_PX:
                found |= usable & _dust_of(own, other, deviation, matching)
    return cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def _dust_of(own: list[Plane], other: list[Plane], deviation: float, matching: float) -> NDArray[np.bool_]:
    """Return the mask of places where both shots are darker than the other shot warped into their frame.

    Args:
        own: Results of `_dents` for blur and gt.
        other: Results of `_dents` for gt warped into blur's frame, and for blur warped into gt's.
        deviation: Standard deviation of the inner Gaussian.
        matching: Element of `MATCHING_PX`.
    """
    (blur, gt), (gt_drawn, blur_drawn) = own, other
    if matching > 0:
        gt, gt_drawn = (_plane(cv2.GaussianBlur(image, (0, 0), matching)) for image in (gt, gt_drawn))
    elif matching < 0:
        blur, blur_drawn = (_plane(cv2.GaussianBlur(image, (0, 0), -matching)) for image in (blur, blur_drawn))
    excess = blur - gt_drawn, gt - blur_drawn
    side = int(AROUND * deviation) | 1
    least = np.minimum(*excess)
    found = (least > DUST_DEPTH) & (np.maximum(*excess) < DUST_ALIKE * least)
    for each in excess:
        found &= each > DUST_RATIO * cv2.blur(np.abs(each), (side, side))
    found &= np.minimum(blur, gt) > DUST_SEEN * least
    return np.asarray(found & (np.maximum(np.abs(gt_drawn), np.abs(blur_drawn)) < CALM * least))


def _evened(image: NDArray[np.float32]) -> tuple[Plane, NDArray[np.float32]]:
    """Return the reduced light of a shot relative to its surroundings, and the mask where dust can be seen."""
    small = averaged(image, FACTOR)
    grey = _plane(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
    light = decode_srgb(grey)
    clear = (small.max(axis=2) < BRIGHT) & (grey > DARK)
    around = cv2.GaussianBlur(light, (0, 0), WIDE_PX)
    return np.asarray(light / (around + 0.005), np.float32), clear.astype(np.float32)


def _reduced(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a matrix for full-size coordinates converted to reduced coordinates."""
    offset = (FACTOR - 1) / 2  # from the centre of a reduced pixel's first pixel to its own centre
    shift = (matrix[:, :2] @ (offset, offset) + matrix[:, 2] - offset) / FACTOR
    return np.column_stack([matrix[:, :2], shift])


def _dents(image: Plane, deviation: float) -> Plane:
    """Return the difference between the surroundings of each place and the place itself, positive for dark spots."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 2 * deviation) - cv2.GaussianBlur(image, (0, 0), deviation))


def _plane(image: NDArray[Any]) -> Plane:
    return np.asarray(image, np.float32)
