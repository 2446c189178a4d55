"""Resampling of an image at given coordinates, with a mask of valid pixels.

OpenCV's `remap` rounds coordinates to 1/32 px, which exceeds the misalignments measured here; these samplers use exact
coordinates. `remapped`, for diagnostics only, is four times as fast.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.taps import WINDOWS, sample_with_taps

STRIP_PIXELS = 1 << 15
"""Number of pixels sampled at a time; the working memory does not grow with the frame and stays in the cache."""

SAMPLERS = ("bilinear", *WINDOWS, "bandlimited")


def warp(
    b: NDArray[np.floating], flow_a_to_b: NDArray[np.floating], interpolation: str = "bilinear"
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Return `b` warped into a's frame, and the mask of pixels inside b.

    Args:
        b: (Hb, Wb, C) float32 or float64 image.
        flow_a_to_b: (Ha, Wa, 2), (dx, dy) in pixels: pixel (x, y) of a lies at (x + dx, y + dy) in b.
        interpolation: One of `SAMPLERS`. Outside b, the border is repeated.

    Returns:
        The warped image, (Ha, Wa, C) of b's dtype, and (Ha, Wa) bool, True where the coordinates fall within the
        centres of b's outermost pixels.

    Raises:
        ValueError: Unknown interpolation.

    >>> image = np.arange(12.0).reshape(3, 4, 1)
    >>> flow = np.zeros((3, 4, 2)); flow[..., 0] = 1
    >>> warp(image, flow)[0][0, :3, 0].tolist()
    [1.0, 2.0, 3.0]
    """
    height, width = flow_a_to_b.shape[:2]
    x = np.arange(width, dtype=np.float64) + flow_a_to_b[..., 0]
    y = np.arange(height, dtype=np.float64)[:, None] + flow_a_to_b[..., 1]
    return sample(b, x, y, interpolation), inside(x, y, b.shape[1], b.shape[0])


def remapped(b: NDArray[np.floating], flow_a_to_b: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return `b` warped into a's frame by OpenCV's Lanczos-4; coordinates are rounded to 1/32 px (64 dB on a photo).

    Args:
        b: (H, W, 3) image in [0, 1].
        flow_a_to_b: (H, W, 2), (dx, dy) in pixels. Outside b, the border is repeated.
    """
    height, width = flow_a_to_b.shape[:2]
    x = np.arange(width, dtype=np.float32) + flow_a_to_b[..., 0].astype(np.float32)
    y = np.arange(height, dtype=np.float32)[:, None] + flow_a_to_b[..., 1].astype(np.float32)
    drawn = cv2.remap(np.asarray(b, np.float32), x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.float32)


def inside(
    x: NDArray[np.floating], y: NDArray[np.floating], width: int, height: int, margin_px: int = 0
) -> NDArray[np.bool_]:
    """Return the mask of coordinates within the centres of the outermost pixels of a frame, reduced by a margin."""
    right, bottom = width - 1 - margin_px, height - 1 - margin_px
    return np.asarray((x >= margin_px) & (x <= right) & (y >= margin_px) & (y <= bottom))


def sample(
    image: NDArray[np.floating], x: NDArray[np.floating], y: NDArray[np.floating], interpolation: str = "bilinear"
) -> NDArray[np.floating]:
    """Return the image's values at coordinates, the border repeated outside.

    Args:
        image: (H, W, C) float32 or float64.
        x: (h, w) columns in pixels; 0 is the centre of the first.
        y: (h, w) rows in pixels.
        interpolation: One of `SAMPLERS`.

    Returns:
        (h, w, C) of the image's dtype. Coordinates and sums are in double precision.
    """
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("coordinates must be finite")
    if interpolation not in SAMPLERS:
        raise ValueError(f"unknown interpolation {interpolation!r}, expected one of {', '.join(SAMPLERS)}")
    if interpolation != "bilinear":
        return sample_with_taps(image, x, y, interpolation)
    out = np.empty((*x.shape, image.shape[2]), image.dtype)
    rows = max(1, STRIP_PIXELS // max(1, x.shape[1]))
    flat = np.ascontiguousarray(image).reshape(-1, image.shape[2])
    for top in range(0, x.shape[0], rows):
        strip = slice(top, top + rows)
        values = _bilinear(flat, image.shape[0], image.shape[1], x[strip].ravel(), y[strip].ravel())
        out[strip] = values.reshape(*x[strip].shape, image.shape[2])
    return out


def _bilinear(
    flat: NDArray[np.floating], height: int, width: int, x: NDArray[np.floating], y: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Bilinear interpolation with the border repeated, equal to PyTorch's grid_sample with align_corners=True."""
    x = np.clip(x, 0, width - 1)
    y = np.clip(y, 0, height - 1)
    left = np.minimum(x.astype(np.int64), max(width - 2, 0))
    top = np.minimum(y.astype(np.int64), max(height - 2, 0))
    fx = (x - left)[:, None]
    fy = (y - top)[:, None]
    right, below = int(width > 1), width * int(height > 1)
    index = top * width + left
    upper = flat.take(index, axis=0) * (1 - fx) + flat.take(index + right, axis=0) * fx
    lower = flat.take(index + below, axis=0) * (1 - fx) + flat.take(index + below + right, axis=0) * fx
    return np.asarray(upper * (1 - fy) + lower * fy)
