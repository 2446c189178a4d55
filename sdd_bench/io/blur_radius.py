"""Blur radius of every pixel: its stored form, and the type of functions that estimate it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

RADIUS_SCALE = 256
"""Stored 16-bit value per pixel of blur radius."""

RadiusMap = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Function from an image, (H, W, 3) in [0, 1], to the blur disk's radius at every pixel, (H, W) float32 in pixels."""


def radius_counts(radius_px: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Return radii in stored form, (H, W) uint16, rounded to nearest; those over 255 px are stored as 255 px.

    >>> radius_counts(np.array([[0.0, 1.5, 1 / 512, 300.0]])).tolist()
    [[0, 384, 1, 65280]]
    """
    return np.floor(np.clip(radius_px, 0, 255) * RADIUS_SCALE + 0.5).astype(np.uint16)
