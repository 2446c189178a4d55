"""JPEG compression error of an image, estimated from its pixels: quality, luminance, and chroma subsampling.

An image that was compressed once hardly changes when it is compressed again with the same quality on the same 8 px
grid, and changes on a shifted grid as the original did. Chroma of half resolution lacks its finest structure; the
missing amount is estimated from the structure of the luminance, which has the same bands.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

QUALITIES = range(40, 100)
GRID_PX = 8
TILE_PX = 256
"""Side of the examined tiles, one in each quadrant of the image."""

CODED = 0.5
"""An image counts as compressed if recompression on its own grid changes it by less than this share of the change on a
shifted grid."""

OF_RED, OF_BLUE = (1.402**2 + 0.714**2) / 3, (1.772**2 + 0.344**2) / 3
"""Mean squared error of RGB per unit of squared error in Cr, and in Cb."""


def coding_error(image: NDArray[np.floating]) -> float:
    """Return the mean squared error of JPEG in an image with values in [0, 1]; 0 if it was not compressed.

    Args:
        image: (H, W, 3) sRGB values in [0, 1]; its first pixel must be the first of the compressed image.
    """
    tiles = list(_tiles(image))
    if not tiles:
        return 0.0
    changes = [np.array([_changes(tile[..., 0], quality) for quality in QUALITIES]) for tile in tiles[::3]]
    own, other = np.mean(changes, axis=0).T
    share = own / np.maximum(other, 1e-9)
    best = int(share.argmin())
    if share[best] >= CODED:
        return 0.0
    red, blue = np.mean([[_left_out(tile, colour) for colour in (1, 2)] for tile in tiles], axis=0)
    return float(other[best] + OF_RED * red + OF_BLUE * blue) / 255**2


def _tiles(image: NDArray[np.floating]) -> Iterator[NDArray[np.uint8]]:
    """Yield parts of an image as Y, Cr and Cb, aligned with the grid of its first pixel."""
    height, width = image.shape[:2]
    side = TILE_PX
    for down in (0.25, 0.75):
        for across in (0.25, 0.75):
            top, left = (
                int(np.clip(share * size - side / 2, 0, max(size - side, 0))) // GRID_PX * GRID_PX
                for share, size in ((down, height), (across, width))
            )
            part = np.rint(np.clip(image[top : top + side, left : left + side], 0, 1) * 255).astype(np.uint8)
            if min(part.shape[:2]) >= 4 * GRID_PX:
                yield np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2YCrCb), np.uint8)


def _changes(plane: NDArray[np.uint8], quality: int) -> tuple[float, float]:
    """Return the mean squared change by recompression on the plane's own grid and on one shifted by half a block."""
    half = GRID_PX // 2
    return _change(plane, quality), _change(plane[half:-half, half:-half], quality)


def _change(plane: NDArray[np.uint8], quality: int) -> float:
    _, data = cv2.imencode(".jpg", plane, [cv2.IMWRITE_JPEG_QUALITY, quality])
    again = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return float(np.square(plane.astype(np.float32) - again.astype(np.float32)).mean())


def _left_out(tile: NDArray[np.uint8], colour: int) -> float:
    """Return the chroma energy that half resolution left out, in squared counts of 255."""
    luminance, own = (_bands(tile[..., plane].astype(np.float32)) for plane in (0, colour))
    expected = own[2] / max(luminance[2], 1e-9) * (luminance[0] + luminance[1])
    return max(0.0, expected - own[0] - own[1])


def _bands(plane: Plane) -> tuple[float, float, float]:
    """Return the energies of the three finest bands of a pyramid."""
    energies = []
    for _ in range(3):
        smaller = np.asarray(cv2.pyrDown(plane), np.float32)
        rest = plane - cv2.pyrUp(smaller, dstsize=plane.shape[::-1])
        energies.append(float(np.square(rest).mean()))
        plane = smaller
    return energies[0], energies[1], energies[2]
