"""Reading of files with unusual pixel values, selected by `--values-as 12bit,linear,bgr`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sdd_bench.errors import UserError
from sdd_bench.io.images import FloatImage, Pixels, at_most_bits, read_pixels, to_float, to_pixels
from sdd_bench.io.srgb import encode_srgb

AS_STORED = "as-stored"
"""Option for values that use the whole range of their files, however small they are: nothing is checked."""

RANGES = ("8bit", "10bit", "12bit", "14bit")
WORDS = (AS_STORED, *RANGES, *(f"{word}-high" for word in RANGES), "linear", "bgr")
MEANINGS = {
    AS_STORED: "as the files have them, and not checked",
    "12bit": "0 to 4095 in 16-bit files (8bit, 10bit and 14bit alike)",
    "12bit-high": "12 bits moved to the left by 4, so that 65520 is white (8bit, 10bit and 14bit alike)",
    "linear": "light without the curve of sRGB",
    "bgr": "blue first",
}
"""Description of each option of `--values-as`."""


@dataclass(frozen=True)
class ValuesAs:
    """Meaning of pixel values in files.

    Attributes:
        text: Options as the user writes them; empty for the usual meaning.
        bits: Bits of the values in 16-bit files; 16 for the whole range.
        high: Whether the values are in the highest of the 16 bits.
        linear: Whether values are linear light, without the curve of sRGB.
        bgr: Whether the order of the channels is blue, green, red.
    """

    text: str = ""
    bits: int = 16
    high: bool = False
    linear: bool = False
    bgr: bool = False

    @property
    def checked(self) -> bool:
        """Whether values are checked; False if the user declared that they are correct as stored."""
        return self.text != AS_STORED

    @property
    def as_usual(self) -> bool:
        """Whether files are read without any conversion."""
        return not (self.bits < 16 or self.linear or self.bgr)


USUAL = ValuesAs()
"""Usual meaning of pixel values: sRGB over the whole range."""


def parse_values_as(text: str | None, option: str = "--values-as") -> ValuesAs:
    """Return the meaning of values for a comma-separated list of options.

    Args:
        text: Options of `WORDS`, at most one range; None or empty for the usual meaning.
        option: Name of the option, for messages.

    Raises:
        UserError: An option is unknown, or options exclude each other.

    >>> parse_values_as("12bit, linear").bits, parse_values_as("12bit,linear").linear, parse_values_as(None).as_usual
    (12, True, True)
    """
    words = [word.strip().lower() for word in (text or "").split(",") if word.strip()]
    unknown = [word for word in words if word not in WORDS]
    if unknown:
        raise UserError(f"{option} {text}: {unknown[0]!r} is not one of {', '.join(WORDS)}")
    ranges = [word for word in words if word[0].isdigit()]
    if len(ranges) > 1 or len(set(words)) < len(words) or (AS_STORED in words and len(words) > 1):
        raise UserError(f"{option} {text}: expected one range, or {AS_STORED} alone")
    bits = int(ranges[0].partition("bit")[0]) if ranges else 16
    high = bool(ranges) and ranges[0].endswith("-high")
    return ValuesAs(",".join(sorted(words, key=WORDS.index)), bits, high, "linear" in words, "bgr" in words)


def read_pixels_as(path: Path, values: ValuesAs, *, grey: str = "refuse", bits: int = 16) -> Pixels:
    """Return the samples of a file like `read_pixels`, converted to the whole range, the curve of sRGB and RGB order.

    Args:
        path: The file.
        values: Meaning of its values.
        grey: Handling of grey images, `refuse` or `expand`.
        bits: 8 to round samples with more bits to 8 after all conversions; 16 keeps them.

    Raises:
        UserError: As in `read_pixels`; or a sample exceeds its range, or the file has 8 bits and fewer are declared.
    """
    pixels = read_pixels(path, grey=grey)
    most = 16 if pixels.dtype == np.uint8 else bits  # converting linear light of 8 bits gives more than 8 bits
    if values.as_usual:
        return at_most_bits(pixels, most)
    if values.bits < 16:
        pixels = _over_all(path, pixels, values)
    if values.bgr:
        pixels = _reversed(pixels)
    if values.linear:
        pixels = to_pixels(encode_srgb(to_float(pixels)), bits=16)
    return at_most_bits(pixels, most)


def read_image_as(path: Path, values: ValuesAs, *, grey: str = "refuse", bits: int = 16) -> FloatImage:
    """Return an image file as (H, W, 3) float32 RGB in [0, 1], converted as in `read_pixels_as`."""
    return to_float(read_pixels_as(path, values, grey=grey, bits=bits))


def _reversed(pixels: Pixels) -> Pixels:
    """Return samples with red and blue exchanged."""
    return np.ascontiguousarray(pixels[..., ::-1])  # type: ignore[return-value]  # numpy forgets which of the two


def _over_all(path: Path, pixels: Pixels, values: ValuesAs) -> Pixels:
    """Return samples with fewer bits scaled to the range of 16, so that white is 65535."""
    if pixels.dtype == np.uint8:
        raise UserError(f"{path}: a file of 8 bits, expected 16 for --values-as {values.text}")
    white = 2**values.bits - 1
    low = np.right_shift(pixels, 16 - values.bits) if values.high else pixels
    if int(low.max()) > white:
        raise UserError(f"{path}: a sample of {int(low.max())}, expected at most {white} for --values-as {values.text}")
    table = np.rint(np.arange(white + 1) * (65535 / white)).astype(np.uint16)
    return np.asarray(table[low])
