"""Transfer curve of sRGB, which relates linear light to the values in image files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def decode_srgb(image: FloatArray) -> FloatArray:
    """Return the linear light of sRGB values in [0, 1] (IEC 61966-2-1)."""
    return np.where(image <= 0.04045, image / 12.92, ((np.maximum(image, 0) + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encode_srgb(linear: FloatArray) -> FloatArray:
    """Return the sRGB values of linear light in [0, 1]; the inverse of `decode_srgb`.

    >>> round(float(encode_srgb(decode_srgb(np.float32([0.5])))[0]), 6)
    0.5
    """
    curve = 1.055 * np.maximum(linear, 0) ** np.float32(1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, curve).astype(np.float32)
