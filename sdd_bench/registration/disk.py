"""Point spread function of defocus, a uniform disk, and images convolved with it."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.grey import Grey


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


class Spectrum:
    """A grey image in the frequency domain, where a disk of any radius costs the same.

    Args:
        image: (H, W) grey, sRGB values in [0, 1].
        reach_px: Largest radius that will be asked for; the border is repeated that far.
        linear: Whether linear light is blurred or the sRGB values.
    """

    def __init__(self, image: Grey, reach_px: float, *, linear: bool) -> None:
        from scipy import fft

        source = decode_srgb(np.clip(image, 0, 1)) if linear else image
        pad = math.ceil(reach_px)
        height, width = image.shape
        self._size = (fft.next_fast_len(height + 2 * pad, real=True), fft.next_fast_len(width + 2 * pad, real=True))
        below, right = self._size[0] - height - pad, self._size[1] - width - pad
        padded = cv2.copyMakeBorder(source, pad, below, pad, right, cv2.BORDER_REPLICATE)
        self._source, self._linear = source, linear
        self._inner = (slice(pad, pad + height), slice(pad, pad + width))
        self._spectrum = fft.rfft2(padded)

    def light_under_disk(self, radius_px: float) -> Grey:
        """Return the image convolved with a disk, in linear light if light is blurred."""
        from scipy import fft

        if radius_px <= 0.5:
            return self._source
        kernel = disk(radius_px)
        half = kernel.shape[0] // 2
        # The kernel is symmetric: its transform is real and a sum of cosines.
        down, across = (
            np.cos(np.outer(np.arange(count) * (2 * np.pi / n), np.arange(-half, half + 1))).astype(np.float32)
            for n, count in ((self._size[0], self._size[0]), (self._size[1], self._size[1] // 2 + 1))
        )
        transfer = down @ kernel @ across.T
        return np.asarray(fft.irfft2(self._spectrum * transfer, self._size)[self._inner], np.float32)

    def values(self, light: Grey) -> Grey:
        """Return the result of `light_under_disk` as sRGB values."""
        return encode_srgb(light) if self._linear else light

    def under_disk(self, radius_px: float) -> Grey:
        """Return the image convolved with a disk, as sRGB values."""
        return self.values(self.light_under_disk(radius_px))
