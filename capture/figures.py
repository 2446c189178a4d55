"""Measurements of one shot (sharpness, clipping, texture), and ratios of light between two."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.srgb import decode_srgb
from sdd_bench.registration.focus import FINE_PX

COARSE_PX = 4.0
"""Standard deviation of the Gaussian that separates coarse detail; `focus.FINE_PX` is that of fine detail."""

REDUCED = 4
"""Factor by which images are reduced before coarse detail is compared with its surroundings."""

LIGHT_PIXELS = 1_000_000
"""Least number of pixels on which light is compared; larger frames are subsampled to about so many."""

CLIPPED = 0.995
"""Least value of a clipped sample, in sRGB: a sensor at its limit, after rounding."""


@dataclass(frozen=True)
class Figures:
    """Measurements of one shot.

    Attributes:
        sharpness: Ratio of fine to coarse detail, for comparing shots of one scene; independent of exposure.
        clipped: Share of pixels with a channel at its upper limit.
        texture: Standard deviation of coarse detail, in sRGB values of [0, 1].
    """

    sharpness: float
    clipped: float
    texture: float


def measure(image: NDArray[np.float32]) -> Figures:
    """Return the figures of a shot, (H, W, 3) sRGB values in [0, 1]."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    fine, low = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in (FINE_PX, COARSE_PX))
    coarse = cv2.resize(low, None, fx=1 / REDUCED, fy=1 / REDUCED, interpolation=cv2.INTER_AREA)
    wide = cv2.GaussianBlur(coarse, (0, 0), 8 * COARSE_PX / REDUCED)
    return Figures(
        sharpness=_detail(fine) / max(_detail(low), 1e-12),
        clipped=float(clipped(image).mean()),
        texture=float((coarse - wide).std()),
    )


def clipped(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the mask of pixels with a channel at its upper limit, (H, W)."""
    red, green, blue = (image[..., channel] >= CLIPPED for channel in range(3))
    return np.asarray(red | green | blue)  # five times as fast as a reduction over the last axis


def light_ratios(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[float, float, float]:
    """Return the ratios of red, green and blue light of the first to the second of two shots of a scene.

    The means are over pixels that are clipped in neither shot; a ratio is 1 if there are no such pixels or no light.

    Args:
        first: (H, W, 3) sRGB values in [0, 1].
        second: The same shape.
    """
    step = max(1, math.isqrt(first.shape[0] * first.shape[1] // LIGHT_PIXELS))
    some = [image[::step, ::step] for image in (first, second)]
    kept = ~(clipped(some[0]) | clipped(some[1]))
    if not kept.any():
        return 1.0, 1.0, 1.0
    means = [decode_srgb(image[kept]).mean(axis=0, dtype=np.float64) for image in some]
    red, green, blue = (float(a / b) if a > 0 and b > 0 else 1.0 for a, b in zip(*means, strict=True))
    return red, green, blue


def _detail(grey: NDArray[Any]) -> float:
    """Return the mean square of the gradient."""
    squares = (np.square(step, out=step) for step in (np.diff(grey, axis=1), np.diff(grey, axis=0)))
    return float(sum(square.mean(dtype=np.float64) for square in squares))
