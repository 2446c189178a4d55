"""Spots that stand still while the picture moves: dead and hot pixels, and dust on the sensor.

Refocusing zooms and shifts the picture by some pixels; what sits on the sensor keeps its place. A spot counts where
both shots have it at one place and neither has it where the scene has moved to.

Measured on pairs made of 13 sharp photographs (4 motions, disks of 1.5, 5 and 8 px, noise of .004, known similarity),
7 used to set the constants and 6 kept apart. Without defects: no dead pixel in 156 pairs, no dust in 154, one spot in
the 2 others. Found of what was planted, on the 6, where the scene moved far enough:

- dead and hot pixels of a contrast over .08: 97 % where the scene is smooth (deviation in 61x61 px under .02), 95 % at
  .02 to .06, 73 % in texture; of JPEG of quality 92 70, 43 and 24 %, for it blurs colour;
- dust of 4 to 12 px standard deviation, 6 to 15 % dark: 85 % (22 of 26), 38 % and 9 %, for texture hides it.

Real focus stacks with parallax (25 pairs of 3 stacks): at most 1 pixel and 2 spots.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.geometry.similarity import Similarity
from sdd_bench.srgb import decode_srgb

Plane = NDArray[np.float32]

OUTLIER = 0.04
OUTLIER_RATIO = 5.0
"""A dead pixel differs from the median of the 5x5 around it by this much in sRGB values, and by this many times the
mean difference around it."""

SPIKE = 0.5
"""Of a dead pixel's difference, the part by which it also stands out from all 16 pixels two away: a corner of a disk
that a highlight became does not. Without it 13 photographs in 4 motions had up to 49 false ones (at a ratio of 6)."""

ALIKE = 3.0
"""Largest ratio of a spot's differences in the two shots."""

PIXEL_MOVE_PX = 3.0
"""The scene must have moved by so much, across or down, for a dead pixel to be told from it."""

BLOCK_PX = 8
LARGEST_PX = 5
"""Side of a group of outlying pixels that can be one dead pixel after demosaicing."""

MARGIN_PX = 2

FACTOR = 4
"""Dust is sought in pixels of 4x4; the constants below are in those."""

DUST_PX = (1.25, 2.0, 3.2)
"""Standard deviations of the inner Gaussians of the band-passes; the outer are twice as wide."""

MATCHING_PX = (0.0, 1.0, 2.0, 3.5, -1.0)
"""Gaussians tried on the gt shot (below 0: on the blur shot) to make the two equally blurred."""

DUST_DEPTH = 0.012
DUST_RATIO = 5.5
"""Dust is darker by this part of the light around it, after the band-pass, and by this many times the mean difference
between the shots around it."""

DUST_ALIKE = 2.5
DUST_SEEN = 0.5
CALM = 2.0
"""Of the depth: the least part that each shot shows by itself, before the other is subtracted, and the largest contrast
that the scene has there by the other shot."""

DUST_MOVE = 1.5
"""The scene must have moved by so many standard deviations of the inner Gaussian."""

AROUND = 24
"""Side of the window around a place, in such deviations."""

WIDE_PX = 12.0
DARK, BRIGHT = 0.03, 0.98
"""sRGB values outside of which no dust can be seen."""


@dataclass(frozen=True)
class Still:
    """How many spots stand still.

    Attributes:
        dead_pixels: Dead, stuck or hot pixels, those that a demosaic spread counted once.
        dust_spots: Dark soft spots of about 10 to 60 px.
    """

    dead_pixels: int
    dust_spots: int


def still_spots(blur: NDArray[np.float32], gt: NDArray[np.float32], similarity: Similarity) -> Still:
    """Return how many spots stand still; none is found where the scene moves by less than `PIXEL_MOVE_PX`.

    Args:
        blur: (H, W, 3) sRGB values in [0, 1].
        gt: The same shape.
        similarity: Maps gt to blur.
    """
    return Still(*(_count(mask) for mask in (dead_pixels(blur, gt, similarity), dust(blur, gt, similarity))))


def dead_pixels(blur: NDArray[np.float32], gt: NDArray[np.float32], similarity: Similarity) -> NDArray[np.bool_]:
    """Return where dead, stuck and hot pixels are, (H, W); arguments as of `still_spots`."""
    height, width = blur.shape[:2]
    found = np.zeros((height, width), bool)
    there, back = (s.matrix(width, height) for s in (similarity, similarity.inverse()))
    for channel in range(3):
        planes = [_plane(cv2.extractChannel(image, channel)) for image in (blur, gt)]
        details = [plane - _plane(cv2.medianBlur(plane, 5)) for plane in planes]
        means = [_mean_size(detail) for detail in details]
        for sign in (1, -1):
            least = np.minimum(*details) if sign > 0 else -np.maximum(*details)
            for x, y in _peaks(least, means):
                heights = [float(sign * detail[y, x]) for detail in details]
                seen_from = ((details[1], back, heights[0]), (details[0], there, heights[1]))
                found[y - 1 : y + 2, x - 1 : x + 2] |= (
                    max(heights) < ALIKE * min(heights)
                    and all(_spike(sign * p, x, y) > SPIKE * h for p, h in zip(planes, heights, strict=True))
                    and all(_moved_away(sign, detail, m, x, y, h) for detail, m, h in seen_from)
                )
    return found


def _mean_size(detail: Plane) -> Plane:
    """Return the mean absolute value around each block of `BLOCK_PX`, the last one of a row also for a remainder."""
    size = (max(1, detail.shape[1] // BLOCK_PX), max(1, detail.shape[0] // BLOCK_PX))
    return np.asarray(cv2.blur(cv2.resize(np.abs(detail), size, interpolation=cv2.INTER_AREA), (5, 5)), np.float32)


def _peaks(least: Plane, means: list[Plane]) -> Iterator[tuple[int, int]]:
    """Yield x and y of the largest pixel of each small group of outliers that is not at the border.

    Args:
        least: The smaller of the two shots' differences.
        means: Of `_mean_size`, of both shots.
    """
    y, x = np.nonzero(least > OUTLIER)
    mean = np.maximum(means[0], means[1])
    rows, columns = (np.minimum(at // BLOCK_PX, side - 1) for at, side in zip((y, x), mean.shape, strict=True))
    kept = least[y, x] > OUTLIER_RATIO * mean[rows, columns]
    if not kept.any():
        return
    height, width = least.shape
    mask = np.zeros((height, width), np.uint8)
    mask[y[kept], x[kept]] = 1
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    for label, box in enumerate(boxes[1:], 1):
        left, top, across, down = (int(side) for side in box[:4])
        window = slice(top, top + down), slice(left, left + across)
        dy, dx = divmod(int(np.where(labels[window] == label, least[window], 0).argmax()), across)
        x_peak, y_peak = left + dx, top + dy
        near_border = min(x_peak, y_peak, width - 1 - x_peak, height - 1 - y_peak) < MARGIN_PX
        if max(across, down) <= LARGEST_PX and not near_border:
            yield x_peak, y_peak


def _spike(plane: Plane, x: int, y: int) -> float:
    """Return by how much a pixel exceeds all those two away."""
    ring = plane[y - 2 : y + 3, x - 2 : x + 3].copy()
    ring[1:4, 1:4] = -np.inf
    return float(plane[y, x] - ring.max())


def _moved_away(sign: int, detail: Plane, matrix: NDArray[np.float64], x: int, y: int, height: float) -> bool:
    """Return whether the place that a shot's scene has in the other is far enough and has no such pixel.

    Args:
        sign: 1 for a bright pixel, -1 for a dark one.
        detail: Of the other shot.
        matrix: Maps the one shot's coordinates to the other's.
        x: Of the pixel.
        y: See x.
        height: Of the pixel in the one shot.
    """
    column, row = matrix @ (x, y, 1)
    if max(abs(column - x), abs(row - y)) < PIXEL_MOVE_PX:
        return False
    left, top = round(column) - 1, round(row) - 1
    inside = 0 <= left <= detail.shape[1] - 3 and 0 <= top <= detail.shape[0] - 3
    return inside and float((sign * detail[top : top + 3, left : left + 3]).max()) <= 0.5 * height


def dust(blur: NDArray[np.float32], gt: NDArray[np.float32], similarity: Similarity) -> NDArray[np.bool_]:
    """Return where dust is, in pixels of `FACTOR` x `FACTOR`; arguments as of `still_spots`."""
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
    """Return where both shots are darker than the other one drawn in their frame.

    Args:
        own: Dents of blur and gt.
        other: Those of gt drawn in blur's frame, and of blur drawn in gt's.
        deviation: Of the inner Gaussian.
        matching: Of `MATCHING_PX`.
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
    """Return the reduced light of a shot over that around, and where dust can be seen, 1 or 0."""
    height, width = (max(1, side // FACTOR) for side in image.shape[:2])
    whole = image[: height * FACTOR, : width * FACTOR]
    small = np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    grey = _plane(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
    light = decode_srgb(grey)
    clear = (small.max(axis=2) < BRIGHT) & (grey > DARK)
    around = cv2.GaussianBlur(light, (0, 0), WIDE_PX)
    return np.asarray(light / (around + 0.005), np.float32), clear.astype(np.float32)


def _reduced(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a matrix of full coordinates as one of reduced ones."""
    offset = (FACTOR - 1) / 2  # of a reduced pixel's centre from that of its first pixel
    shift = (matrix[:, :2] @ (offset, offset) + matrix[:, 2] - offset) / FACTOR
    return np.column_stack([matrix[:, :2], shift])


def _dents(image: Plane, deviation: float) -> Plane:
    """Return by how much each place is darker than what surrounds it."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 2 * deviation) - cv2.GaussianBlur(image, (0, 0), deviation))


def _plane(image: NDArray[Any]) -> Plane:
    return np.asarray(image, np.float32)


def _count(mask: NDArray[Any]) -> int:
    return int(cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0]) - 1
