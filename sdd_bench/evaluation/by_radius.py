"""PSNR by local blur radius: from where the blur image is sharp to where it is most blurred.

The blur radius is that of the pair's truth: the same pixels for every method.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.grey import enlarged_frame

SHARP_PX = 0.75
"""The blur image is already sharp where its radius is at most this: the smallest disk that images are blurred by when
they are matched. Radii below it are blends of that disk and none, and cannot be told apart well."""

EDGES_PX = (SHARP_PX, 2.0, 4.0, 8.0, 16.0)
"""Largest radius of each column but the last."""

COLUMNS = (
    "psnr_sharp_db",
    "psnr_to_2px_db",
    "psnr_to_4px_db",
    "psnr_to_8px_db",
    "psnr_to_16px_db",
    "psnr_over_16px_db",
)
"""PSNR over the pixels that count of a radius up to each of `EDGES_PX` and over the one before, and of larger ones."""

SHARP = COLUMNS[0]
NO_HARM = "no_harm_db"
"""`SHARP` of the prediction less that of the blur image: under 0 where what was sharp was made worse."""

MIN_PIXELS = 400
"""Least number of pixels for a PSNR."""

STEPS_PER_PX = 256
"""Values of a stored radius to a pixel."""

NOT_COUNTED = len(COLUMNS)
STRIP_ROWS = 64


def radius_pixels(radius_px: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Return blur radii as 16-bit samples, 1/256 px each.

    >>> radius_pixels(np.array([[0.0, 0.75, 300.0]])).tolist()
    [[0, 192, 65535]]
    """
    return np.clip(np.rint(np.asarray(radius_px, np.float64) * STEPS_PER_PX), 0, 65535).astype(np.uint16)


def radius_of(pixels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return the blur radii in pixels that 16-bit samples stand for."""
    return np.asarray(pixels, np.float32) / np.float32(STEPS_PER_PX)


def radius_bins(radius_px: NDArray[np.floating], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the column of every pixel of a frame, as its place in `COLUMNS`; `NOT_COUNTED` where no pixel counts.

    Args:
        radius_px: (h, w) blur radius in pixels of the frame, of the frame reduced by a whole number; the last rows and
            columns go on where that number does not divide the frame.
        mask: (H, W), True where a pixel counts.
    """
    height, width = mask.shape
    small = np.searchsorted(EDGES_PX, radius_px).astype(np.uint8)
    large = enlarged_frame(small, height // small.shape[0], width, height)
    return np.where(mask, large, np.uint8(NOT_COUNTED))


def psnr_by_radius(
    restored: NDArray[np.floating], truth: NDArray[np.floating], bins: NDArray[np.uint8]
) -> dict[str, float | None]:
    """Return the PSNR of each of `COLUMNS`; None where fewer than `MIN_PIXELS` count.

    Args:
        restored: (H, W, 3) in [0, 1].
        truth: The same shape.
        bins: (H, W) of `radius_bins`.
    """
    squares, counts = np.zeros(NOT_COUNTED + 1), np.zeros(NOT_COUNTED + 1, np.int64)
    for top in range(0, len(bins), STRIP_ROWS):
        strip = slice(top, top + STRIP_ROWS)
        off = restored[strip].astype(np.float64) - truth[strip]
        places = bins[strip].ravel()
        squares += np.bincount(places, np.einsum("hwc,hwc->hw", off, off).ravel(), NOT_COUNTED + 1)
        counts += np.bincount(places, minlength=NOT_COUNTED + 1)
    return {
        column: _psnr_db(square / (3 * count)) if count >= MIN_PIXELS else None
        for column, square, count in zip(COLUMNS, squares.tolist(), counts.tolist(), strict=False)
    }


def no_harm_db(restored: float | None, blur: float | None) -> float | None:
    """Return `NO_HARM` from the two values of `SHARP`; None where either is missing, 0 where both are infinite.

    >>> no_harm_db(31.0, 33.5), no_harm_db(None, 30.0), no_harm_db(math.inf, math.inf)
    (-2.5, None, 0.0)
    """
    if restored is None or blur is None:
        return None
    return 0.0 if restored == blur else restored - blur


def _psnr_db(square: float) -> float:
    return -10 * math.log10(square) if square > 0 else math.inf
