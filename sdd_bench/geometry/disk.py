"""The point spread of a defocused lens: a uniform disk."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=256)
def disk(radius_px: float) -> NDArray[np.float32]:
    """Return the kernel of a uniform disk: (2K+1, 2K+1), sum 1, symmetric, each pixel weighted by its covered area.

    Raises:
        ValueError: The radius is negative or not finite.

    >>> disk(0.5).tolist()
    [[1.0]]
    >>> disk(1.0).shape
    (3, 3)
    """
    if not (math.isfinite(radius_px) and radius_px >= 0):
        raise ValueError(f"a disk needs a finite radius of at least 0, not {radius_px}")
    half = max(0, math.ceil(radius_px - 0.5))
    if half == 0:
        return np.ones((1, 1), np.float32)
    # Exact chord lengths within each row of pixels, averaged over 64 columns inside each pixel.
    columns = (np.arange(64 * (2 * half + 1)) + 0.5) / 64 - half - 0.5
    chord = np.sqrt(np.maximum(radius_px**2 - columns**2, 0))
    rows = np.arange(-half, half + 1)[:, None]
    covered = np.clip(np.minimum(chord, rows + 0.5) - np.maximum(-chord, rows - 0.5), 0, None)
    area = covered.reshape(2 * half + 1, 2 * half + 1, 64).mean(axis=2)
    area = area + area.T
    area = area + area[::-1]
    area = area + area[:, ::-1]  # exactly symmetric: a kernel must not shift the image
    return np.asarray(area / area.sum(), dtype=np.float32)
