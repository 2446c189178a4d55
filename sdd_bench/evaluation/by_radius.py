"""PSNR by local blur radius, from regions where the blur image is sharp to the most blurred ones.

The blur radius is part of the pair's truth, so that the pixels are the same for every method.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.grey import enlarged_frame

SHARP_PX = 0.75
"""Blur radius up to which the blur image counts as sharp. It is the smallest disk used in blur matching; smaller radii
are blends of that disk and no blur, and cannot be distinguished well."""

EDGES_PX = (SHARP_PX, 2.0, 4.0, 8.0, 16.0)
"""Largest radius of each column except the last."""

COLUMNS = (
    "psnr_sharp_db",
    "psnr_to_2px_db",
    "psnr_to_4px_db",
    "psnr_to_8px_db",
    "psnr_to_16px_db",
    "psnr_over_16px_db",
)
"""PSNR over the counted pixels by radius: each column covers radii from the previous edge up to its own in `EDGES_PX`,
the last one all larger radii."""

SHARP = COLUMNS[0]
NO_HARM = "no_harm_db"
"""`SHARP` of the prediction minus that of the blur image; negative if sharp regions were degraded."""

MIN_PIXELS = 400
"""Least number of pixels for which a PSNR is reported."""

STEPS_PER_PX = 256
"""Stored steps per pixel of blur radius."""

NOT_COUNTED = len(COLUMNS)
STRIP_ROWS = 64


def radius_pixels(radius_px: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Return blur radii as 16-bit samples in steps of 1/256 px.

    >>> radius_pixels(np.array([[0.0, 0.75, 300.0]])).tolist()
    [[0, 192, 65535]]
    """
    return np.clip(np.rint(np.asarray(radius_px, np.float64) * STEPS_PER_PX), 0, 65535).astype(np.uint16)


def radius_of(pixels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return the blur radii in pixels for 16-bit samples."""
    return np.asarray(pixels, np.float32) / np.float32(STEPS_PER_PX)


def radius_bins(radius_px: NDArray[np.floating], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the index in `COLUMNS` of every pixel of a frame; `NOT_COUNTED` for pixels that do not count.

    Args:
        radius_px: (h, w) blur radius in pixels of the frame, for the frame reduced by a whole number; the last rows and
            columns are repeated if that number does not divide the frame.
        mask: (H, W) bool, True where a pixel counts.
    """
    height, width = mask.shape
    small = np.searchsorted(EDGES_PX, radius_px).astype(np.uint8)
    large = enlarged_frame(small, height // small.shape[0], width, height)
    return np.where(mask, large, np.uint8(NOT_COUNTED))


def psnr_by_radius(
    restored: NDArray[np.floating], truth: NDArray[np.floating], bins: NDArray[np.uint8]
) -> dict[str, float | None]:
    """Return the PSNR of each of `COLUMNS`; None with fewer than `MIN_PIXELS` pixels.

    Args:
        restored: (H, W, 3) prediction in [0, 1].
        truth: The same shape.
        bins: (H, W) from `radius_bins`.
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
    """Return `NO_HARM` from two values of `SHARP`; None if either is missing, 0 if both are infinite.

    >>> no_harm_db(31.0, 33.5), no_harm_db(None, 30.0), no_harm_db(math.inf, math.inf)
    (-2.5, None, 0.0)
    """
    if restored is None or blur is None:
        return None
    return 0.0 if restored == blur else restored - blur


def _psnr_db(square: float) -> float:
    return -10 * math.log10(square) if square > 0 else math.inf
