"""Mean of an image over the overlap of two disks that differs at every pixel, computed row by row.

Each row of the overlap is a chord. With cumulative sums along the rows of the image, the sum over a chord is the
difference of two interpolated values, so that the cost grows with the radius instead of its square, and radius and
shape are continuous.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHARP_PX = 0.5
"""Radius of a disk that lies within its pixel; smaller disks count as this one."""

STRIPS = ((3, 4), (6, 2))
"""Largest radius of a tile, and number of strips per row of pixels: more if a row is a larger part of the disk. The
kernel differs from `disk` by 0.3 to 3 % of its energy, all at its edge."""

STEPS = 32
"""Number of subpixel positions of `cv2.remap`; ends of chords are rounded to them, so that their lengths are exact."""


@dataclass(frozen=True)
class Shape:
    """Overlap of two disks at each pixel of a tile.

    Attributes:
        radius_px: (h, w) blur radius; the sign does not matter.
        cut_x_px: (h, w) displacement of the second disk's centre to the right of the first's, which lies on the pixel.
        cut_y_px: (h, w) the same displacement, downwards.
        ring: Coefficient of the weight 1 + ring (2 rho^2 - 1), rho being the distance from the first centre over the
            radius.
    """

    radius_px: Floats
    cut_x_px: Floats
    cut_y_px: Floats
    ring: float


def blur_tile(source: NDArray[np.float32], shape: Shape, reach: int) -> NDArray[np.float32]:
    """Return the weighted means of a tile, (h, w, C).

    Args:
        source: (h + 2 reach, w + 2 reach, C) samples.
        shape: Shape of the tile.
        reach: Margin around the tile in pixels, at least the largest radius plus 0.5.
    """
    height, width = shape.radius_px.shape
    radius = np.maximum(np.abs(shape.radius_px), SHARP_PX)
    largest = float(radius.max())
    if largest <= SHARP_PX:
        return source[reach : reach + height, reach : reach + width]
    if shape.ring:
        source = np.concatenate([source, np.ones_like(source[..., :1])], axis=2)
    sums = _sums(source, 3 if shape.ring else 1)
    is_cut = bool(shape.cut_x_px.any() or shape.cut_y_px.any())
    middle = reach + np.arange(width) + 0.5
    lines = np.ascontiguousarray(np.broadcast_to(np.arange(height, dtype=np.float32)[:, None], (height, width)))
    channels = source.shape[2]
    total = np.zeros((height, width, sums.shape[2]))
    below = np.zeros((height, width, channels))
    length = np.zeros((height, width, 1))
    parts = next((count for limit, count in STRIPS if largest <= limit), 1)
    last = math.ceil(largest - 0.5)
    areas = _areas(radius, shape, -last - 0.5, is_cut)
    for row in range(-last, last + 1):
        rows = np.ascontiguousarray(sums[reach + row : reach + row + height])
        for part in range(parts):
            down = row + (part + 0.5) / parts - 0.5
            above, areas = areas, _areas(radius, shape, down + 0.5 / parts, is_cut)
            left, right = _chord([(to - since) * parts for since, to in zip(above, areas, strict=True)], shape)
            start, end = np.rint((middle + left) * STEPS) / STEPS, np.rint((middle + right) * STEPS) / STEPS
            between = _read(rows, end, lines) - _read(rows, start, lines)
            total += between
            if shape.ring:
                below += down**2 * between[..., :channels]
            else:
                length[..., 0] += end - start
    if not shape.ring:
        return np.asarray(total / length, np.float32)
    # Sum of (1 - ring) f + 2 ring / r^2 (dx^2 + dy^2) f, with dx^2 expanded in powers of x; the last plane is 1.
    x = (middle - source.shape[1] / 2)[:, None]
    zeroth, first, second = np.split(total, 3, axis=2)
    bent = (2 * shape.ring / radius**2)[:, :, None]
    ringed = (1 - shape.ring) * zeroth + bent * (below + second - 2 * x * first + x**2 * zeroth)
    return np.asarray(ringed[..., :-1] / ringed[..., -1:], np.float32)


def _sums(source: NDArray[np.float32], powers: int) -> Floats:
    """Return the exclusive cumulative sums along rows of the samples, times x^0, x^1, ... for `powers` powers.

    x is relative to the middle.
    """
    height, width, channels = source.shape
    x = np.arange(width) + 0.5 - width / 2
    sums = np.zeros((height, width + 1, channels * powers))
    for power in range(powers):
        planes = slice(power * channels, (power + 1) * channels)
        np.cumsum(source * (x**power)[:, None], axis=1, out=sums[:, 1:, planes])
    return sums


def _areas(radius: Floats, shape: Shape, down: float, is_cut: bool) -> list[Floats]:
    """Return the area of each disk's right half above a line `down` below the pixels, minus that above its centre."""
    lines: list[float | Floats] = [down, down - shape.cut_y_px] if is_cut else [down]
    areas: list[Floats] = []
    for line in lines:
        share = np.clip(np.divide(line, radius), -1, 1)
        areas.append(radius**2 / 2 * (share * np.sqrt(1 - share**2) + np.arcsin(share)))
    return areas


def _chord(halves: list[Floats], shape: Shape) -> tuple[Floats, Floats]:
    """Return the ends of chords, given their half lengths in each disk; without a chord, both ends are equal."""
    half = halves[0]
    if len(halves) == 1:
        return -half, half
    left = np.maximum(-half, shape.cut_x_px - halves[1])
    return left, np.maximum(left, np.minimum(half, shape.cut_x_px + halves[1]))


def _read(rows: Floats, at: Floats, lines: NDArray[np.float32]) -> Floats:
    read = cv2.remap(rows, at.astype(np.float32), lines, cv2.INTER_LINEAR)
    return np.asarray(read, np.float64).reshape(*at.shape, rows.shape[2])
