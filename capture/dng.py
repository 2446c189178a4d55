"""White point of a DNG given as a chromaticity, converted for LibRaw."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from sdd_bench.errors import silent
from sdd_bench.io.files import open_file, read_bytes
from sdd_bench.io.headers import HEADER_BYTES

NEUTRAL, WHITE_XY, BALANCE = 50728, 50729, 50727
MATRICES, CALIBRATIONS, ILLUMINANTS = (50721, 50722), (50723, 50724), (50778, 50779)
"""Tags of the DNG specification: AsShotNeutral, AsShotWhiteXY, AnalogBalance; ColorMatrix, CameraCalibration and
CalibrationIlluminant 1 and 2."""

TEMPERATURES_K = {
    1: 5500, 2: 4150, 3: 2850, 4: 5500, 9: 5500, 10: 6500, 11: 7500, 12: 6400, 13: 5050, 14: 4150, 15: 3525,
    17: 2850, 18: 5500, 19: 6500, 20: 5500, 21: 6500, 22: 7500, 23: 5000, 24: 3200,
}  # fmt: skip
"""EXIF's light sources to their correlated colour temperature; for fluorescent lamps the middle of the range."""

RATIONAL, DENOMINATOR = 5, 1_000_000


def with_neutral(path: Path) -> bytes | None:
    """Return a DNG's bytes with AsShotWhiteXY replaced by the equivalent AsShotNeutral.

    For some files LibRaw takes AsShotWhiteXY into account by changing the colour matrix; in files with two calibrations
    it ignores it.

    Args:
        path: A RAW file, opened for reading only.

    Returns:
        None if the file needs no change, because it is not a DNG, has no AsShotWhiteXY, has AsShotNeutral or has no
        usable colour matrix; also if it is unreadable or damaged, which LibRaw reports.

    Reference:
        Digital Negative specification 1.7, chapter 6, "Translating White Balance xy Coordinates to Camera Neutral
        Coordinates".
    """
    if path.suffix.lower() != ".dng":
        return None
    try:
        with open_file(path, HEADER_BYTES) as file, silent("tifffile"), tifffile.TiffFile(file) as tiff:
            tags, order = tiff.pages.first.tags, tiff.byteorder
            if tiff.is_bigtiff or WHITE_XY not in tags or NEUTRAL in tags:
                return None
            neutral, entry = camera_neutral(tags), tags[WHITE_XY].offset
        if neutral is None:
            return None
        content = bytearray(read_bytes(path, path.stat().st_size))
    except Exception:  # a damaged header can raise any exception; LibRaw reports it when it reads the file
        return None
    content += bytes(len(content) % 2)
    struct.pack_into(f"{order}HHII", content, entry, NEUTRAL, RATIONAL, 3, len(content))
    for value in neutral:
        content += struct.pack(f"{order}II", round(value * DENOMINATOR), DENOMINATOR)
    return bytes(content)


def camera_neutral(tags: Any) -> NDArray[np.float64] | None:
    """Return a camera's response to white, (3,), with maximum 1; None unless its tags give three values above 0.

    Args:
        tags: Tags of a DNG's first directory, as in tifffile, including AsShotWhiteXY.
    """
    x, y = _numbers(tags, WHITE_XY)
    matrices = [_calibrated(tags, which) for which in (0, 1)]
    first, second = matrices
    if first is None or not (x > 0 and y > 0 and x + y < 1):
        return None
    share = 1.0 if second is None else _share_of_first(tags, x, y)
    matrix = first if second is None else share * first + (1 - share) * second
    gains = _numbers(tags, BALANCE) if BALANCE in tags else np.ones(3)
    neutral = gains * (matrix @ np.array([x / y, 1.0, (1 - x - y) / y]))
    neutral = neutral / neutral.max()
    return neutral if neutral.shape == (3,) and np.isfinite(neutral).all() and neutral.min() > 1e-3 else None


def temperature_k(x: float, y: float) -> float:
    """Return the correlated colour temperature of a chromaticity.

    Reference:
        McCamy, "Correlated color temperature as an explicit function of chromaticity coordinates", 1992.

    >>> round(temperature_k(0.4476, 0.4074)), round(temperature_k(0.3127, 0.3290))
    (2856, 6505)
    """
    n = (x - 0.3320) / (0.1858 - y)
    return ((449 * n + 3525) * n + 6823.3) * n + 5520.33


def _share_of_first(tags: Any, x: float, y: float) -> float:
    """Return the weight of the first of two calibrations, linear in the inverse of the temperature."""
    first, second = (TEMPERATURES_K.get(int(tags.valueof(code) or 0), 0) for code in ILLUMINANTS)
    if not first or not second or first == second:
        return 0.0 if second else 1.0
    found = min(max(temperature_k(x, y), min(first, second)), max(first, second))
    return (1 / found - 1 / second) / (1 / first - 1 / second)


def _calibrated(tags: Any, which: int) -> NDArray[np.float64] | None:
    """Return the matrix from XYZ to a camera's colours, (3, 3), including the calibration of the individual camera."""
    if MATRICES[which] not in tags:
        return None
    matrix = _numbers(tags, MATRICES[which]).reshape(3, 3)
    own = _numbers(tags, CALIBRATIONS[which]).reshape(3, 3) if CALIBRATIONS[which] in tags else np.eye(3)
    return own @ matrix


def _numbers(tags: Any, code: int) -> NDArray[np.float64]:
    """Return the rational numbers of a tag."""
    parts = np.array(tags.valueof(code), np.float64).reshape(-1, 2)
    if (parts[:, 1] == 0).any() or not math.isfinite(parts.sum()):
        raise ValueError("a denominator of 0")
    return np.asarray(parts[:, 0] / parts[:, 1])
