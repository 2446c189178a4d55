"""What is measured on one shot: sharpness, clipping, light, texture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

FINE_PX, COARSE_PX = 0.7, 4.0
"""Standard deviations of the Gaussians between which detail is fine and from which it is coarse."""

CLIPPED = 0.995
"""Samples from here on count as clipped: sRGB values of a sensor at its limit, after rounding."""


@dataclass(frozen=True)
class Figures:
    """Of one shot.

    Attributes:
        sharpness: Fine detail relative to coarse, without unit; for comparing shots of one scene. Does not change with
            exposure.
        clipped: Share of pixels with a channel at its upper limit.
        level: Mean of linear light, [0, 1], of pixels that are not clipped, for red, green and blue.
        texture: Standard deviation of coarse detail, in sRGB values of [0, 1].
    """

    sharpness: float
    clipped: float
    level: tuple[float, float, float]
    texture: float


def measure(image: NDArray[np.float32], linear: NDArray[np.float32]) -> Figures:
    """Return the figures of a shot.

    Args:
        image: (H, W, 3) sRGB values in [0, 1].
        linear: The same in linear light.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    over = (image >= CLIPPED).any(axis=2)
    kept = linear[~over] if not over.all() else linear.reshape(-1, 3)
    fine, low = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in (FINE_PX, COARSE_PX))
    wide = cv2.GaussianBlur(grey, (0, 0), 8 * COARSE_PX)
    red, green, blue = (float(value) for value in kept.mean(axis=0, dtype=np.float64))
    return Figures(
        sharpness=_detail(fine) / max(_detail(low), 1e-12),
        clipped=float(over.mean()),
        level=(red, green, blue),
        texture=float((low - wide).std()),
    )


def _detail(grey: NDArray[Any]) -> float:
    """Return the mean square of the gradient."""
    dx, dy = np.diff(grey, axis=1), np.diff(grey, axis=0)
    return float((dx * dx).mean(dtype=np.float64) + (dy * dy).mean(dtype=np.float64))
