"""The radius of the blur at every pixel: how it is stored, and functions that find it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

RADIUS_SCALE = 256
"""Counts of 16 bits for a radius of 1 px."""

RadiusMap = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""An image, (H, W, 3) in [0, 1], to the radius of the blur's disk at every pixel, (H, W) float32 in pixels."""


def radius_counts(radius_px: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Return radii as they are stored, (H, W) uint16, rounded to nearest; those over 255 px are stored as 255 px.

    >>> radius_counts(np.array([[0.0, 1.5, 1 / 512, 300.0]])).tolist()
    [[0, 384, 1, 65280]]
    """
    return np.floor(np.clip(radius_px, 0, 255) * RADIUS_SCALE + 0.5).astype(np.uint16)
