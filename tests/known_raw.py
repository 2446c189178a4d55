"""A DNG of a known picture: what a camera whose colours are those of sRGB would have written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

XYZ_TO_SRGB = (
    (3.2404542, -1.5371385, -0.4985314),
    (-0.9692660, 1.8760108, 0.0415560),
    (0.0556434, -0.2040259, 1.0572252),
)
"""Linear sRGB of XYZ under D65, IEC 61966-2-1."""

D65 = 21
CODES = {"R": 0, "G": 1, "B": 2}


def mosaic(linear: NDArray[np.floating], pattern: str = "RGGB") -> NDArray[np.float64]:
    """Return one colour of every pixel, as a sensor sees it: (H, W, 3) to (H, W)."""
    samples = np.empty(linear.shape[:2])
    for place, colour in enumerate(pattern):
        rows, columns = slice(place // 2, None, 2), slice(place % 2, None, 2)
        samples[rows, columns] = linear[rows, columns, CODES[colour]]
    return samples


def write_dng(
    path: Path,
    linear: NDArray[np.floating],
    *,
    neutral: tuple[float, float, float] = (1.0, 1.0, 1.0),
    bits: int = 12,
    orientation: int = 1,
    pattern: str = "RGGB",
) -> Path:
    """Write linear sRGB light in [0, 1], (H, W, 3) with even sides, seen under a light that makes grey `neutral`."""
    white = 2**bits - 1
    samples = np.round(mosaic(linear * np.asarray(neutral), pattern).clip(0, 1) * white).astype(np.uint16)
    matrix = [(round(value * 10_000), 10_000) for row in XYZ_TO_SRGB for value in row]
    rational = [part for pair in matrix for part in pair]
    tags = [
        (33421, "H", 2, (2, 2), True),  # CFARepeatPatternDim
        (33422, "B", 4, bytes(CODES[colour] for colour in pattern), True),
        (50706, "B", 4, b"\x01\x04\x00\x00", True),  # DNGVersion
        (50708, "s", 0, "known camera", True),  # UniqueCameraModel
        (50714, "H", 1, 0, True),  # BlackLevel
        (50717, "H", 1, white, True),  # WhiteLevel
        (50721, "2i", 9, rational, True),  # ColorMatrix1
        (50728, "2I", 3, [part for n in neutral for part in (round(n * 10_000), 10_000)], True),  # AsShotNeutral
        (50778, "H", 1, D65, True),  # CalibrationIlluminant1
        (274, "H", 1, orientation, True),
        (271, "s", 0, "Known", True),
        (272, "s", 0, "Known camera", True),
    ]
    tifffile.imwrite(path, samples, photometric=32803, extratags=tags, metadata=None)
    return path
