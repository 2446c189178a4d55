"""Spatially varying deconvolution by a defocus map: few blur levels, in tiles, blended without seams."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from jdrl_baseline.classical.point_spread import Kernel

Plane = NDArray[np.float32]

MOST_LEVELS = 34
LEAST_STEP_PX = 0.25
"""Largest number of radius levels and their least distance; results in between are blended."""

SHARP_PX = 0.5
"""Radius of the largest disk that covers a single pixel, so that there is no blur to remove."""

MARGIN_PX = 32
MARGIN_PER_RADIUS = 8.0
"""Margin around a tile; with it, the result equals that of the whole frame to a tenth of an 8-bit count."""


def levels_of(radius_px: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the radii for which an image is deconvolved: quantiles of a map's distinct values, including its ends.

    Args:
        radius_px: (H, W) radii, rounded to 1/256 pixel.

    Returns:
        At most 34 increasing radii that enclose the map, at least 0.25 px apart unless the whole map spans less.

    >>> levels_of(np.float32([[1.0, 1.1], [2.0, 2.0]])).tolist()
    [1.0, 2.0]
    """
    distinct = np.unique(np.round(np.asarray(radius_px, np.float64) * 256)) / 256
    wanted = np.quantile(distinct, np.linspace(0, 1, MOST_LEVELS), method="nearest")
    levels = [float(wanted[0])]
    for level in wanted[1:]:
        if level - levels[-1] >= LEAST_STEP_PX:
            levels.append(float(level))
    if wanted[-1] > levels[-1]:
        levels[-1 if len(levels) > 1 else len(levels) :] = [float(wanted[-1])]
    return np.array(levels)


def deconvolve_varying(
    image: NDArray[np.float32],
    radius_px: NDArray[np.float32],
    kernel_of: Callable[[float], Kernel],
    deconvolve: Callable[[Plane, Kernel], Plane],
    *,
    tile_px: int = 0,
) -> NDArray[np.float32]:
    """Return an image deconvolved with the radius that a map gives for each pixel.

    The image is deconvolved for each level of `levels_of` around the pixels of that level and its two neighbours, and
    each pixel is a blend of the two levels that enclose its radius. Levels of at most 0.5 px leave it unchanged.

    Args:
        image: (H, W, 3) image.
        radius_px: (H, W) radius map.
        kernel_of: Function from radius in pixels to kernel.
        deconvolve: Function from a plane and a kernel to the restored plane.
        tile_px: Side of the tiles, each of which is deconvolved only for its own levels; 0 takes the whole frame.

    Returns:
        (H, W, 3) float32, not clipped.
    """
    levels = levels_of(radius_px)
    kernels = [kernel_of(level) if level > SHARP_PX else None for level in levels]
    restored = np.zeros_like(image)
    for tile in _tiles(radius_px.shape, tile_px):
        places = np.interp(radius_px[tile], levels, np.arange(len(levels))).astype(np.float32)
        for index, (level, kernel) in enumerate(zip(levels, kernels, strict=True)):
            shares = np.maximum(1 - np.abs(places - np.float32(index)), 0)
            if not shares.any():
                continue
            here, shares = _cropped(tile, shares)
            part = image[here] if kernel is None else _deconvolved(image, here, level, kernel, deconvolve)
            restored[here] += shares[..., None] * part
    return restored


def _deconvolved(
    image: NDArray[np.float32],
    here: tuple[slice, slice],
    radius_px: float,
    kernel: Kernel,
    deconvolve: Callable[[Plane, Kernel], Plane],
) -> NDArray[np.float32]:
    """Return a region deconvolved with one kernel, using a margin around it that is removed afterwards."""
    margin = MARGIN_PX + math.ceil(MARGIN_PER_RADIUS * radius_px)
    seen = tuple(
        slice(max(0, side.start - margin), min(length, _fast(side.stop + margin, max(0, side.start - margin))))
        for side, length in zip(here, image.shape[:2], strict=True)
    )
    inner = tuple(slice(i.start - s.start, i.stop - s.start) for i, s in zip(here, seen, strict=True))
    planes = (np.ascontiguousarray(image[seen][..., colour]) for colour in range(3))
    return np.stack([deconvolve(plane, kernel)[inner] for plane in planes], axis=2)


def _fast(stop: int, start: int) -> int:
    """Return an end, not before the requested one, that gives a length with fast transforms."""
    from scipy.fft import next_fast_len

    return int(start + next_fast_len(stop - start, real=True))


def _tiles(size: tuple[int, int], tile_px: int) -> Iterator[tuple[slice, slice]]:
    height, width = size
    for top in range(0, height, tile_px or height):
        for left in range(0, width, tile_px or width):
            yield (
                slice(top, min(top + (tile_px or height), height)),
                slice(left, min(left + (tile_px or width), width)),
            )


def _cropped(tile: tuple[slice, slice], shares: Plane) -> tuple[tuple[slice, slice], Plane]:
    """Return the smallest part of a tile that contains all shares above 0, and these shares."""
    spans = []
    for axis, side in zip((1, 0), tile, strict=True):
        held = np.flatnonzero(shares.any(axis=axis))
        spans.append((side.start, int(held[0]), int(held[-1]) + 1))
    inner = tuple(slice(first, last) for _, first, last in spans)
    here = tuple(slice(start + first, start + last) for start, first, last in spans)
    return (here[0], here[1]), shares[inner]
