"""Detection of camera shake: it removes fine detail in one direction, whereas defocus removes it in all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

TILE_PX = 256
LEAST_TILES = 12
"""Least number of tiles; fewer give unreliable results. Crops of 13 sharp photographs that exceed `SHAKEN_DB` although
they are not shaken: 40 of 100 with one tile, 14 with six, 9 with twelve (1024x768), 5 with twenty (1280x1024), none of
the whole photographs with 28 and more."""

DIRECTIONS = 12
FINE, COARSE = (0.12, 0.30), (0.015, 0.05)
"""Bands of spatial frequency, in cycles per pixel."""

SHAKEN_DB = 12.0
"""Threshold above which an image counts as shaken. Measured on 13 sharp photographs: 2.6 to 9.8 dB unchanged, 2.5 to
9.1 dB defocused by a disk of 4 px, 14.2 to 26 dB with straight shake of 8 or 16 px; 4 px of shake (6 to 12.2 dB) is not
detected."""


def direction_db(grey: NDArray[Any], least_tiles: int = LEAST_TILES) -> float:
    """Return the anisotropy of fine detail in dB: 0 if it is equal in all directions, see `SHAKEN_DB`.

    The ratio of the power of fine to that of coarse detail, averaged over tiles, is computed in each of twelve
    directions; the result is its largest over its least value. Coarse detail accounts for the directions that the scene
    itself has.

    Args:
        grey: (H, W); the result is 0 if there is no detail.
        least_tiles: Least number of tiles; the result is NaN for a smaller image.
    """
    if (grey.shape[0] // TILE_PX) * (grey.shape[1] // TILE_PX) < least_tiles:
        return float("nan")
    power = _power(grey, TILE_PX)
    across, along = fft.rfftfreq(TILE_PX)[None, :], fft.fftfreq(TILE_PX)[:, None]
    frequency = np.hypot(across, along)
    direction = (np.degrees(np.arctan2(along, across)) % 180 // (180 / DIRECTIONS)).astype(int)
    shares = []
    for number in range(DIRECTIONS):
        fine, coarse = (
            power[(direction == number) & (frequency >= low) & (frequency < high)].sum() for low, high in (FINE, COARSE)
        )
        shares.append(fine / max(float(coarse), 1e-12))
    if min(shares) <= 0:
        return 0.0
    return float(10 * np.log10(max(shares) / min(shares)))


def _power(grey: NDArray[np.floating], side: int) -> NDArray[Any]:
    """Return the mean power spectrum of the tiles of an image, (side, side // 2 + 1), each under a Hann window."""
    window = np.outer(np.hanning(side), np.hanning(side))
    total = np.zeros((side, side // 2 + 1))
    for top in range(0, grey.shape[0] - side + 1, side):
        for left in range(0, grey.shape[1] - side + 1, side):
            tile = grey[top : top + side, left : left + side].astype(np.float64)
            total += np.abs(fft.rfft2((tile - tile.mean()) * window)) ** 2
    return total
