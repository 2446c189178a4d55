"""Dead, stuck and hot pixels: outliers at the same position in both shots of a pair although the scene moved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.grey import resized_by_area
from sdd_bench.registration.similarity import Similarity

Plane = NDArray[np.float32]

OUTLIER = 0.04
OUTLIER_RATIO = 5.0
"""A dead pixel differs from the median of its 5x5 neighbourhood by at least `OUTLIER` in sRGB values and by
`OUTLIER_RATIO` times the mean difference around it."""

SPIKE = 0.5
"""Share of a dead pixel's difference by which it must also exceed all 16 pixels at distance two; the corner of a disk
that a highlight is blurred to does not. Without this test, 13 photographs in 4 motions had up to 49 false detections
(at a ratio of 6)."""

ALIKE = 3.0
"""Largest ratio between a spot's differences in the two shots."""

PIXEL_MOVE_PX = 3.0
"""Least displacement of the scene, horizontal or vertical, at which dead pixels are distinguished from the scene."""

BLOCK_PX = 8
LARGEST_PX = 5
"""Largest side of a group of outlying pixels that can be one dead pixel after demosaicing."""

MARGIN_PX = 2


def dead_pixels(blur: NDArray[np.float32], gt: NDArray[np.float32], similarity: Similarity) -> NDArray[np.bool_]:
    """Return the mask of dead, stuck and hot pixels, (H, W); arguments as in `still_spots`."""
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
    """Return the mean absolute value around each block of `BLOCK_PX`; a row's last block includes the remainder."""
    size = (max(1, detail.shape[1] // BLOCK_PX), max(1, detail.shape[0] // BLOCK_PX))
    return np.asarray(cv2.blur(resized_by_area(np.abs(detail), size), (5, 5)), np.float32)


def _peaks(least: Plane, means: list[Plane]) -> Iterator[tuple[int, int]]:
    """Yield x and y of the largest pixel of each small group of outliers away from the border.

    Args:
        least: The smaller of the two shots' differences.
        means: Results of `_mean_size` for both shots.
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
    """Return the difference between a pixel and the largest pixel at distance two."""
    ring = plane[y - 2 : y + 3, x - 2 : x + 3].copy()
    ring[1:4, 1:4] = -np.inf
    return float(plane[y, x] - ring.max())


def _moved_away(sign: int, detail: Plane, matrix: NDArray[np.float64], x: int, y: int, height: float) -> bool:
    """Return whether the scene point at a pixel has moved far enough and has no such outlier in the other shot.

    Args:
        sign: 1 for a bright pixel, -1 for a dark one.
        detail: Detail of the other shot.
        matrix: Maps coordinates of the first shot to those of the other.
        x: Horizontal position of the pixel.
        y: Vertical position of the pixel.
        height: Height of the outlier in the first shot.
    """
    column, row = matrix @ (x, y, 1)
    if max(abs(column - x), abs(row - y)) < PIXEL_MOVE_PX:
        return False
    left, top = round(column) - 1, round(row) - 1
    inside = 0 <= left <= detail.shape[1] - 3 and 0 <= top <= detail.shape[0] - 3
    return inside and float((sign * detail[top : top + 3, left : left + 3]).max()) <= 0.5 * height


def _plane(image: NDArray[Any]) -> Plane:
    return np.asarray(image, np.float32)
