"""Reading of headerless sensor dumps whose layout the user gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.errors import UserError
from sdd_bench.io.images import to_pixels
from sdd_bench.io.srgb import encode_srgb

DUMP_SUFFIXES = (".bin", ".raw")
"""Suffixes of files that are read as headerless dumps if a layout is given."""

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")

WhiteBalance = tuple[float, float, float, float]
"""Factors of red, first green, blue and second green; the first green has factor 1."""


@dataclass(frozen=True)
class Dump:
    """Layout of a headerless sensor dump: rows of samples, in one byte for 8 bits, else in two, low byte first.

    Attributes:
        height: Number of rows.
        width: Number of columns.
        pattern: Colours of the upper left 2x2 samples, row by row; one of `PATTERNS`.
        bits: Bits of a sample, 8 to 16; the largest value is white.
        black: Value of a sample without light.
        red_gain: Gain of red relative to green, the white balance of the light; 1 keeps the sensor's values.
        blue_gain: Gain of blue relative to green.
    """

    height: int
    width: int
    pattern: str
    bits: int
    black: int = 0
    red_gain: float = 1.0
    blue_gain: float = 1.0

    @property
    def white_balance(self) -> WhiteBalance:
        """The factors of all four samples."""
        return self.red_gain, 1.0, self.blue_gain, 1.0


def develop_dump(path: Path, layout: Dump, white_balance: WhiteBalance, bits: int, half_size: bool) -> NDArray[Any]:
    """Return the pixels of a headerless dump: scaled to white, white-balanced, demosaiced and encoded as sRGB.

    Args:
        path: The file.
        layout: Layout of the samples.
        white_balance: Factors by which the samples are multiplied.
        bits: Bits of the result, 8 or 16.
        half_size: Whether each 2x2 samples give one pixel, without demosaicing.

    Returns:
        (H, W, 3) uint8 or uint16 RGB.

    Raises:
        UserError: The file has another size, has samples with more bits or cannot be read.
    """
    kind = np.dtype("u1") if layout.bits == 8 else np.dtype("<u2")
    expected = layout.height * layout.width * kind.itemsize
    try:
        found = path.stat().st_size
        if found != expected:
            size = f"{layout.height}x{layout.width} samples of {layout.bits} bits"
            raise UserError(f"{path}: {found} bytes, expected {expected} for {size}")
        samples = np.fromfile(path, kind).reshape(layout.height, layout.width)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    white = 2**layout.bits - 1
    if int(samples.max()) > white:
        raise UserError(f"{path}: holds {int(samples.max())}, more than {layout.bits} bits do")
    balanced = (samples.astype(np.float32) - layout.black) / (white - layout.black)
    seen = 0
    for place, colour in enumerate(layout.pattern):
        factor = white_balance["RGB".index(colour)]
        if colour == "G":
            factor, seen = white_balance[1 if seen == 0 else 3], seen + 1
        balanced[place // 2 :: 2, place % 2 :: 2] *= factor
    levels = (balanced.clip(0, 1) * 65535 + 0.5).astype(np.uint16)
    if half_size:
        linear = _binned(levels, layout.pattern)
    else:
        linear = cv2.demosaicing(levels, getattr(cv2, f"COLOR_Bayer{layout.pattern}2RGB_EA"))
    return to_pixels(encode_srgb(linear.astype(np.float32) / np.float32(65535)), bits)


def _binned(levels: NDArray[np.uint16], pattern: str) -> NDArray[np.float32]:
    """Return one pixel for each 2x2 samples, with the greens averaged."""
    height, width = levels.shape[0] // 2 * 2, levels.shape[1] // 2 * 2
    image = np.zeros((height // 2, width // 2, 3), np.float32)
    for place, colour in enumerate(pattern):
        part = levels[place // 2 : height : 2, place % 2 : width : 2]
        image[..., "RGB".index(colour)] += part / (2 if colour == "G" else 1)
    return image
