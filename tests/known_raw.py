"""A DNG of a known image, as a camera with the colours of sRGB would write it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

XYZ_TO_SRGB = (
    (3.2404542, -1.5371385, -0.4985314),
    (-0.9692660, 1.8760108, 0.0415560),
    (0.0556434, -0.2040259, 1.0572252),
)
"""Matrix from XYZ under D65 to linear sRGB, IEC 61966-2-1."""

TUNGSTEN, D65 = 17, 21
"""EXIF's numbers of standard illuminants A and D65."""

CODES = {"R": 0, "G": 1, "B": 2}
MOSAIC, LINEAR = 32803, 34892
"""Photometric interpretations of DNG: one colour per pixel, or all."""

Matrix = Sequence[Sequence[float]]


def mosaic(linear: NDArray[np.floating], pattern: str = "RGGB") -> NDArray[np.float64]:
    """Return one colour per pixel, as a sensor records it: (H, W, 3) to (H, W)."""
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
    demosaiced: bool = False,
    white_xy: tuple[float, float] | None = None,
    calibrations: Sequence[tuple[int, Matrix]] = ((D65, XYZ_TO_SRGB),),
) -> Path:
    """Write linear sRGB light in [0, 1], (H, W, 3) with even sides, under a light for which grey is `neutral`.

    (H, W) is the image of a monochrome sensor. `white_xy` gives the light as a chromaticity instead of `neutral`;
    `calibrations` are illuminants and the matrices from XYZ to the camera's colours under them.
    """
    white = 2**bits - 1
    colours = 1 if linear.ndim == 2 or not demosaiced else 3
    seen = linear if linear.ndim == 2 else linear * np.asarray(neutral)
    samples = seen if demosaiced or linear.ndim == 2 else mosaic(seen, pattern)
    samples = np.round(samples.clip(0, 1) * white).astype(np.uint16)
    tags = [
        (50706, "B", 4, b"\x01\x04\x00\x00", True),  # DNGVersion
        (50708, "s", 0, "known camera", True),  # UniqueCameraModel
        (50714, "H", colours, (0,) * colours if colours > 1 else 0, True),  # BlackLevel
        (50717, "H", colours, (white,) * colours if colours > 1 else white, True),  # WhiteLevel
        (274, "H", 1, orientation, True),
        (271, "s", 0, "Known", True),
        (272, "s", 0, "Known camera", True),
    ]
    if linear.ndim == 3:
        for number, (illuminant, matrix) in enumerate(calibrations):
            tags.append((50721 + number, "2i", 9, rational(matrix), True))  # ColorMatrix
            tags.append((50778 + number, "H", 1, illuminant, True))  # CalibrationIlluminant
        if white_xy is None:
            tags.append((50728, "2I", 3, rational(neutral), True))  # AsShotNeutral
        else:
            tags.append((50729, "2I", 2, rational(white_xy), True))  # AsShotWhiteXY
        if not demosaiced:
            codes = bytes(CODES[colour] for colour in pattern)
            tags += [(33421, "H", 2, (2, 2), True), (33422, "B", 4, codes, True)]  # CFARepeatPatternDim, CFAPattern
    photometric = {1: MOSAIC, 3: LINEAR}[colours] if linear.ndim == 3 else tifffile.PHOTOMETRIC.MINISBLACK
    tifffile.imwrite(path, samples, photometric=photometric, planarconfig=1, extratags=tags, metadata=None)
    if linear.ndim == 2:
        with tifffile.TiffFile(path, mode="r+") as tiff:  # which does not write a linear image of one channel
            tiff.pages.first.tags["PhotometricInterpretation"].overwrite(LINEAR)
    return path


def rational(values: object) -> list[int]:
    return [part for value in np.ravel(values) for part in (round(value * 10_000), 10_000)]
