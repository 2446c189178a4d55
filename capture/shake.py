"""Camera shake: fine detail missing in one direction, whereas defocus removes it in all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

TILE_PX = 256
LEAST_TILES = 12
"""Fewer say too little. Crops of 13 sharp photographs that are over `SHAKEN_DB` without being shaken: 40 of 100 of one
tile, 14 of six, 9 of twelve (1024x768), 5 of twenty (1280x1024), none of the whole photographs of 28 and more."""

DIRECTIONS = 12
FINE, COARSE = (0.12, 0.30), (0.015, 0.05)
"""Bands of spatial frequency, in cycles a pixel."""

SHAKEN_DB = 12.0
"""Threshold above which a picture counts as shaken. Measured on 13 sharp photographs: 2.6 to 9.8 dB as they are, 2.5 to
9.1 defocused by a disk of 4 px, 14.2 to 26 with straight shake of 8 or 16 px; 4 px of shake (6 to 12.2 dB) is not
found.
"""


def direction_db(grey: NDArray[Any], least_tiles: int = LEAST_TILES) -> float:
    """Return how unevenly fine detail is kept over directions, in dB: 0 for evenly, see `SHAKEN_DB`.

    The power of fine detail over that of coarse detail, mean over tiles, in each of twelve directions; the largest
    over the least. Coarse detail stands for the directions that the scene itself has.

    Args:
        grey: (H, W); 0 is returned where there is no detail.
        least_tiles: NaN is returned for a picture of fewer.
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
