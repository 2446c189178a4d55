"""Camera files to pixels, both shots of a pair alike: RAW with fixed settings through LibRaw, photographs as they are.

The only file that imports rawpy.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rawpy
from numpy.typing import NDArray

from sdd_bench.errors import UserError
from sdd_bench.io.images import IMAGE_SUFFIXES, to_pixels
from sdd_bench.io.srgb import encode_srgb
from sdd_bench.io.values_as import parse_values_as, read_pixels_as
from sdd_bench.registration.grey import averaged

RAW_SUFFIXES = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw",
    ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
)  # fmt: skip
DUMP_SUFFIXES = (".bin", ".raw")
"""Files that are taken as headerless dumps where a layout is given for them."""

SHOT_SUFFIXES = (*IMAGE_SUFFIXES, *RAW_SUFFIXES, ".bin")

DEMOSAICS = ("AHD", "DCB", "DHT", "AAHD", "VNG", "PPG", "LINEAR")
SRGB_GAMMA = (2.4, 12.92)
"""LibRaw's words for the transfer curve of sRGB: power and slope of the linear part."""

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")

WhiteBalance = tuple[float, float, float, float]
"""Factors of red, green, blue and the second green, the first green being 1."""


@dataclass(frozen=True)
class Dump:
    """How a headerless sensor dump lies in its file: rows of samples, 8 bits in one byte, more in two, low byte first.

    Attributes:
        height: Rows.
        width: Columns.
        pattern: Colours of the upper left 2x2 samples, by rows; one of `PATTERNS`.
        bits: Of a sample, 8 to 16; the largest value is white.
        black: Value of a sample without light.
        red_gain: Factor of red against green, the white balance of the light; 1 leaves it as the sensor saw it.
        blue_gain: The same of blue.
    """

    height: int
    width: int
    pattern: str
    bits: int
    black: int = 0
    red_gain: float = 1.0
    blue_gain: float = 1.0


@dataclass(frozen=True)
class Development:
    """The settings by which RAW files are developed, the same for a whole session; recorded beside every pair.

    Attributes:
        bits: Of the developed image: 8 or 16; photographs keep theirs.
        demosaic: One of `DEMOSAICS`, as LibRaw calls them; dumps are demosaiced by OpenCV's edge-aware method.
        half_size: One pixel of every 2x2 samples, without demosaicing, or of every 2x2 pixels: for a quick look.
        dump: Layout of headerless dumps.
        grey: `refuse` grey photographs, or `expand` them to three equal channels.
        values_as: What the values of photographs mean, see `sdd_bench.io.values_as`; empty for what files usually mean.
    """

    bits: int = 16
    demosaic: str = "AHD"
    half_size: bool = False
    dump: Dump | None = None
    grey: str = "refuse"
    values_as: str = ""


def is_raw(path: Path) -> bool:
    """Return whether a file is developed, by its name."""
    return path.suffix.lower() in RAW_SUFFIXES


def is_dump(path: Path, how: Development) -> bool:
    """Return whether a file is taken as a headerless dump."""
    return how.dump is not None and path.suffix.lower() in DUMP_SUFFIXES


def white_balance_of(path: Path, how: Development) -> WhiteBalance | None:
    """Return the white balance that a pair whose gt shot is this file is developed with; None for a photograph.

    Raises:
        UserError: As `develop`.
    """
    if is_dump(path, how):
        assert how.dump is not None
        return how.dump.red_gain, 1.0, how.dump.blue_gain, 1.0
    return camera_white_balance(path) if is_raw(path) else None


def camera_white_balance(path: Path) -> WhiteBalance:
    """Return the white balance that a camera chose for a RAW file, LibRaw's daylight where it chose none.

    Raises:
        UserError: As `develop`.
    """
    with _opened(path) as raw:
        for found in (raw.camera_whitebalance, raw.daylight_whitebalance):
            red, green, blue, second = (float(value) for value in found)
            if min(red, green, blue) > 0:
                return red / green, 1.0, blue / green, (second or green) / green
    return 1.0, 1.0, 1.0, 1.0


def develop(path: Path, how: Development, white_balance: WhiteBalance | None = None) -> NDArray[Any]:
    """Return a shot's pixels, (H, W, 3) uint8 or uint16 RGB, turned as the camera was held.

    RAW: the given white balance, white where the camera has it (LibRaw would else take each shot's brightest sample,
    which makes the two of a pair unlike), no automatic brightening, sRGB with its transfer curve, highlights clipped.
    Photographs are decoded and nothing else.

    Args:
        path: The file, opened for reading only.
        how: The session's settings.
        white_balance: For RAW files and dumps; the file's own if None. A pair is given the gt shot's.

    Raises:
        UserError: Truncated, damaged, of a camera that LibRaw does not know, a dump of another size, or no picture.
    """
    if how.dump is not None and is_dump(path, how):
        return _develop_dump(path, how, white_balance or (how.dump.red_gain, 1.0, how.dump.blue_gain, 1.0))
    if not is_raw(path):
        pixels = read_pixels_as(path, parse_values_as(how.values_as), grey=how.grey)
        return _halved(pixels) if how.half_size else pixels
    balance = white_balance or camera_white_balance(path)
    with _opened(path) as raw:
        developed: NDArray[Any] = raw.postprocess(
            demosaic_algorithm=rawpy.DemosaicAlgorithm[how.demosaic],
            half_size=how.half_size,
            user_wb=list(balance),
            no_auto_bright=True,
            adjust_maximum_thr=0.0,
            output_color=rawpy.ColorSpace.sRGB,
            gamma=SRGB_GAMMA,
            output_bps=how.bits,
            highlight_mode=rawpy.HighlightMode.Clip,
        )
    return developed


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a RAW file and say in one line where LibRaw cannot."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: empty file")
    try:
        with _without_stderr(), rawpy.imread(str(path)) as raw:
            yield raw
    except rawpy.LibRawFileUnsupportedError:
        raise UserError(f"{path}: not a RAW file that LibRaw {libraries()['libraw']} knows") from None
    except rawpy.LibRawIOError:
        raise UserError(f"{path}: the RAW file ends before its picture does") from None
    except (rawpy.LibRawError, MemoryError, ValueError) as error:
        words = error.args[0] if error.args else type(error).__name__
        reason = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        raise UserError(f"{path}: a damaged RAW file ({reason})") from None


def libraries() -> dict[str, str]:
    """Return the versions that a developed RAW depends on."""
    return {"rawpy": rawpy.__version__, "libraw": ".".join(str(part) for part in rawpy.libraw_version)}


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """Keep LibRaw from writing about a damaged file past Python; the refusal says it."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _develop_dump(path: Path, how: Development, white_balance: WhiteBalance) -> NDArray[Any]:
    """Return the pixels of a headerless dump: scaled to white, balanced, demosaiced, put under sRGB's curve."""
    assert how.dump is not None
    layout = how.dump
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
    if how.half_size:
        linear = _binned(levels, layout.pattern)
    else:
        linear = cv2.demosaicing(levels, getattr(cv2, f"COLOR_Bayer{layout.pattern}2RGB_EA"))
    return to_pixels(encode_srgb(linear.astype(np.float32) / np.float32(65535)), how.bits)


def _halved(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of every 2x2 pixels, rounded; an odd last row or column is left out."""
    return averaged(pixels, 2) if min(pixels.shape[:2]) > 1 else pixels


def _binned(levels: NDArray[np.uint16], pattern: str) -> NDArray[np.float32]:
    """Return one pixel for every 2x2 samples, greens averaged."""
    height, width = levels.shape[0] // 2 * 2, levels.shape[1] // 2 * 2
    image = np.zeros((height // 2, width // 2, 3), np.float32)
    for place, colour in enumerate(pattern):
        part = levels[place // 2 : height : 2, place % 2 : width : 2]
        image[..., "RGB".index(colour)] += part / (2 if colour == "G" else 1)
    return image
